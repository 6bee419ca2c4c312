//! The tests that a mutant meets, in the order of their cost.

use super::cases::{self, Broken, Case};
use crate::read_back::{
    check_broken, check_cleared, check_not_started, check_refused, check_resets, check_running,
    check_source, check_written,
};
use crate::session::compare_images;
use brownout_hdl::emit::SELECT;
use brownout_sim::compare::{CompareError, Difference};
use brownout_sim::driver::{Driver, DriverError};
use brownout_sim::link::{Link, LinkError, ModelLink, Stalls};
use brownout_sim::model::{Model, ModelLibrary};
use brownout_spec::config::Configuration;
use brownout_spec::quantity::Millivolts;
use brownout_spec::voltage::VoltageModel;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The sources of the tests, so that results of other tests are not taken for theirs.
pub const SOURCES: [&str; 26] = [
    include_str!("battery.rs"),
    include_str!("cases.rs"),
    include_str!("equivalence.rs"),
    include_str!("features.rs"),
    include_str!("proofs.rs"),
    include_str!("../formal/clearing.rs"),
    include_str!("../formal/decoder.rs"),
    include_str!("../formal/fifo.rs"),
    include_str!("../formal/gates.rs"),
    include_str!("../formal/loader.rs"),
    include_str!("../formal/memory.rs"),
    include_str!("../formal/multiplier.rs"),
    include_str!("../formal/netlist.rs"),
    include_str!("../formal/pe.rs"),
    include_str!("../formal/registers.rs"),
    include_str!("../formal/requantizer.rs"),
    include_str!("../formal/window.rs"),
    include_str!("../formal/yosys.rs"),
    include_str!("../conditions.rs"),
    include_str!("../graph.rs"),
    include_str!("../graph/branches.rs"),
    include_str!("../graph/given.rs"),
    include_str!("../graph/zeros.rs"),
    include_str!("../read_back.rs"),
    include_str!("../session.rs"),
    include_str!("../tensors.rs"),
];

/// Clocks in which the voltage ROM answers.
const ROM_CLOCKS: usize = 2;

/// What the tests say of a mutant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Verdict {
    /// A test found it.
    Killed {
        /// Which test.
        test: String,
        /// By what.
        by: Sign,
        /// In the words of the test.
        message: String,
    },
    /// No test found it.
    Survived,
}

/// How a mutant shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sign {
    /// A register reads wrong.
    Register,
    /// A result of the network is wrong.
    Logit,
    /// A counter is wrong.
    Counter,
    /// An activation is wrong, or a padding lane not zero.
    Activation,
    /// A result too many.
    Surplus,
    /// A stream or a pass does not end within its limit of clocks.
    Timeout,
    /// A claim about the module alone does not hold.
    Proof,
}

/// The cases of one configuration.
pub struct Battery {
    configuration: Configuration,
    cases: Vec<Case>,
}

type Found = Option<(Sign, String)>;

impl Battery {
    /// Draws all cases; the same ones every time.
    pub fn new(configuration: &Configuration) -> Self {
        Self {
            configuration: configuration.clone(),
            cases: cases::draw(configuration),
        }
    }

    /// Runs the cases on a mutant until one finds it.
    ///
    /// # Panics
    /// If the library is not that of the configuration with mutants.
    pub fn run(&self, library: &Arc<ModelLibrary>, number: u16) -> Verdict {
        let killed = |test: &str, (by, message)| Verdict::Killed {
            test: test.to_string(),
            by,
            message,
        };
        let mut driver = match self.driver(library, number, 1) {
            Ok(driver) => driver,
            Err(found) => return killed("identification", found),
        };
        for check in [check_cleared, check_not_started, check_written] {
            let found = match check(&mut driver) {
                Ok(wrong) => wrong.map(|text| (Sign::Register, text)),
                Err(error) => Some(link_sign(&error)),
            };
            if let Some(found) = found {
                return killed("registers", found);
            }
        }
        driver.link_mut().reset();
        for case in &self.cases {
            if let Some(seed) = case.fresh {
                driver = match self.driver(library, number, seed) {
                    Ok(driver) => driver,
                    Err(found) => return killed("identification", found),
                };
            }
            if let Some(found) = case.run(&mut driver) {
                return killed(&case.name, found);
            }
        }
        let graph = &self.cases.last().expect("there are cases").graph;
        match check_resets(&mut driver, graph) {
            Ok(None) => Verdict::Survived,
            Ok(Some(text)) => killed("resets", (Sign::Register, text)),
            Err(CompareError::Driver(error)) => killed("resets", driver_sign(&error)),
            Err(error) => panic!("{error}"),
        }
    }

    /// A mutant after reset, whose registers and memories held anything before, or zeros for
    /// seed 0.
    fn driver(
        &self,
        library: &Arc<ModelLibrary>,
        number: u16,
        seed: u32,
    ) -> Result<Driver<ModelLink>, (Sign, String)> {
        let mut model = match seed {
            0 => Model::new(library),
            // Verilator's draws from neighbouring seeds begin alike.
            seed => Model::with_seed(library, seed.wrapping_mul(0x9e37_79b9)),
        };
        let select = model.port(SELECT).unwrap_or_else(|e| panic!("{e}"));
        model.write(select, number.into());
        let link = ModelLink::new(model, Stalls::default()).unwrap_or_else(|e| panic!("{e}"));
        Driver::new(link, &self.configuration).map_err(|error| driver_sign(&error))
    }
}

/// Every entry of the voltage ROM and both ends, on the module alone.
///
/// # Panics
/// If the library is not that of a ROM with mutants.
pub fn check_rom(
    configuration: &Configuration,
    library: &Arc<ModelLibrary>,
    number: u16,
) -> Option<Verdict> {
    let rom = VoltageModel::from_configuration(configuration)
        .unwrap_or_else(|error| panic!("{error}"))
        .rom();
    let mut model = Model::with_seed(library, 1);
    let port = |name: &str| library.port(name).unwrap_or_else(|e| panic!("{e}"));
    let (millivolts, threshold) = (port("millivolts"), port("threshold"));
    model.write(port(SELECT), number.into());
    let supplies = (rom.first.0 - 2..=rom.last().0 + 2).chain([0, u16::MAX]);
    for supply in supplies {
        model.write(millivolts, supply.into());
        for _ in 0..ROM_CLOCKS {
            model.step();
        }
        model.settle();
        let (found, expected) = (model.read(threshold), rom.threshold(Millivolts(supply)).0);
        if found != u64::from(expected) {
            return Some(Verdict::Killed {
                test: "voltage ROM".to_string(),
                by: Sign::Register,
                message: format!("{found:#x} instead of {expected:#x} at {supply} mV"),
            });
        }
    }
    None
}

impl Case {
    fn run(&self, driver: &mut Driver<ModelLink>) -> Found {
        if let Some(broken) = &self.broken {
            driver.link_mut().set_stalls(Stalls::default());
            let found = broken.run(driver);
            if found.is_some() {
                return found;
            }
        }
        driver.link_mut().set_stalls(self.stalls);
        let found = compare_images(
            driver,
            &self.graph,
            &self.conditions,
            &self.images,
            &self.inspect,
        );
        match found {
            Ok(None) => None,
            Ok(Some(mismatch)) => {
                let sign = match mismatch.difference {
                    Difference::Logit { .. } => Sign::Logit,
                    Difference::Counter { .. } => Sign::Counter,
                    Difference::Activation => Sign::Activation,
                };
                Some((sign, mismatch.to_string()))
            }
            Err(CompareError::Driver(error)) => Some(driver_sign(&error)),
            Err(error) => panic!("{error}"),
        }
    }
}

impl Broken {
    /// A pass during which beats are refused, then one that a reset of a single clock breaks off.
    fn run(&self, driver: &mut Driver<ModelLink>) -> Found {
        let refused = check_refused(driver, &self.image, self.pass);
        for (sign, found) in [
            (Sign::Logit, refused),
            (
                Sign::Activation,
                check_source(driver, &self.program, &self.image),
            ),
        ] {
            match found {
                Ok(None) => {}
                Ok(Some(text)) => return Some((sign, text)),
                Err(error) => return Some(driver_sign(&error)),
            }
        }
        let sign = |found: Result<Option<String>, LinkError>| match found {
            Ok(wrong) => wrong.map(|text| (Sign::Register, text)),
            Err(error) => Some(link_sign(&error)),
        };
        let waited = |driver: &mut Driver<ModelLink>| {
            driver.link_mut().wait(self.after)?;
            let broken = check_broken(driver)?;
            match self.read && broken.is_none() {
                true => check_cleared(driver),
                false => Ok(broken),
            }
        };
        sign(check_running(driver)).or_else(|| sign(waited(driver)))
    }
}

fn driver_sign(error: &DriverError) -> (Sign, String) {
    let sign = match error {
        DriverError::Identity { .. } => Sign::Register,
        DriverError::Surplus { .. } => Sign::Surplus,
        DriverError::Unfinished { .. } | DriverError::Stuck { .. } => Sign::Timeout,
        DriverError::Link(error) => return link_sign(error),
        other => panic!("{other}"),
    };
    (sign, error.to_string())
}

fn link_sign(error: &LinkError) -> (Sign, String) {
    match error {
        LinkError::Stuck { .. } => (Sign::Timeout, error.to_string()),
        other => panic!("{other}"),
    }
}
