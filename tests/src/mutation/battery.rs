//! The tests that a mutant meets, in the order of their cost.

use crate::conditions::draw_conditions;
use crate::graph::{self, Focus, Graph};
use crate::read_back::{
    check_broken, check_cleared, check_refused, check_resets, check_running, check_source,
    check_written,
};
use crate::session::{Conditions, compare_images};
use crate::tensors::draw_image;
use brownout_hdl::emit::SELECT;
use brownout_sim::compare::{CompareError, Difference};
use brownout_sim::driver::{Driver, DriverError};
use brownout_sim::link::{Link, LinkError, ModelLink, Stalls};
use brownout_sim::model::{Model, ModelLibrary};
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::{CellFault, FaultMap, FaultMode};
use brownout_spec::program::Program;
use brownout_spec::quantity::{ChipSeed, Lane, Millivolts, Pass, Threshold, WordAddress};
use brownout_spec::voltage::VoltageModel;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The sources of the tests, so that results of other tests are not taken for theirs.
pub const SOURCES: [&str; 21] = [
    include_str!("battery.rs"),
    include_str!("equivalence.rs"),
    include_str!("proofs.rs"),
    include_str!("../formal/clearing.rs"),
    include_str!("../formal/decoder.rs"),
    include_str!("../formal/fifo.rs"),
    include_str!("../formal/gates.rs"),
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
    include_str!("../read_back.rs"),
    include_str!("../session.rs"),
    include_str!("../tensors.rs"),
];

/// Pairs of random programs; the second of a pair runs without a reset.
const PAIRS: u64 = 60;
/// Programs over several tiles of channels.
const TILED: usize = 12;
/// Images of a program.
const IMAGES: usize = 2;
/// Clocks in which the voltage ROM answers.
const ROM_CLOCKS: usize = 2;
/// Back-pressure on both streams.
const STALLS: [f64; 4] = [0.0, 0.1, 0.5, 0.9];

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

/// A program under conditions, with its images.
struct Case {
    name: String,
    graph: Graph,
    conditions: Conditions,
    images: Vec<Vec<i8>>,
    stalls: Stalls,
    inspect: Vec<usize>,
    /// Where the accelerator is made anew before it: the seed of what registers and memories
    /// hold then; 0 for zeros.
    fresh: Option<u32>,
    /// The program before it is started once more and broken off.
    broken: Option<Broken>,
}

/// What is done to the program before a case, still loaded.
struct Broken {
    program: Program,
    /// An image of it.
    image: Vec<i8>,
    /// Its clocks.
    pass: u64,
    /// Clocks from the last start until the reset; the pass may have ended before.
    after: u64,
    /// Whether registers are read after the reset; if not, the case follows at once.
    read: bool,
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
        let mut cases = Vec::new();
        for pair in 0..PAIRS {
            random_pair(configuration, pair, &mut cases);
            if pair == 0 {
                codes(configuration, &mut cases);
                if configuration.fault_emulation {
                    supplies(configuration, &mut cases);
                }
            }
        }
        tiles(configuration, &mut cases);
        Self {
            configuration: configuration.clone(),
            cases,
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
        for check in [check_cleared, check_written] {
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

/// Two random programs, as `random_graphs` runs them.
fn random_pair(configuration: &Configuration, pair: u64, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(pair);
    for program in 0..2 {
        let number = 2 * pair + program;
        let focus = Focus::ALL[number as usize % Focus::ALL.len()];
        let graph = graph::draw(configuration, focus, &mut random);
        let conditions = draw_conditions(configuration, &graph, &mut random);
        let probability = STALLS[(number as usize / 2 + number as usize) % STALLS.len()];
        let volume = graph.program.input.volume();
        cases.push(Case {
            name: format!("random graph {number}"),
            images: (0..IMAGES)
                .map(|_| draw_image(volume, &mut random))
                .collect(),
            graph,
            conditions,
            stalls: Stalls {
                input: probability,
                output: probability,
                seed: number,
            },
            inspect: vec![1],
            // What never is written and should be shows best where it is zero.
            fresh: (program == 0).then_some(if pair.is_multiple_of(2) {
                2 + pair as u32
            } else {
                0
            }),
            broken: None,
        });
    }
    // The first program once more, in the middle of a pass of the second.
    let (first, second) = (&cases[cases.len() - 2], &cases[cases.len() - 1]);
    let clocks = program_cycles(configuration, &second.graph.program);
    cases.push(Case {
        name: format!("{} after a broken pass", first.name),
        images: first.images.clone(),
        graph: first.graph.clone(),
        conditions: first.conditions.clone(),
        stalls: second.stalls,
        inspect: Vec::new(),
        fresh: None,
        broken: Some(Broken {
            program: second.graph.program.clone(),
            image: second.images[0].clone(),
            pass: clocks,
            // Half of them have ended, and their results wait.
            after: random.random_range(1..2 * clocks),
            read: pair.is_multiple_of(2),
        }),
    });
}

/// Residuals and pools over several tiles of channels, after all others.
fn tiles(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(97);
    for number in 0..TILED {
        let graph = graph::draw_tiles(configuration, &mut random);
        let volume = graph.program.input.volume();
        cases.push(Case {
            name: format!("three tiles {number}"),
            conditions: draw_conditions(configuration, &graph, &mut random),
            images: (0..IMAGES)
                .map(|_| draw_image(volume, &mut random))
                .collect(),
            graph,
            stalls: Stalls::default(),
            inspect: vec![1],
            fresh: None,
            broken: None,
        });
    }
}

/// Words with no, one, two and three wrong bits, every bit of the code among them, under every
/// policy.
fn codes(configuration: &Configuration, cases: &mut Vec<Case>) {
    let bits = configuration.code.word_bits();
    let mut random = ChaCha8Rng::seed_from_u64(99);
    let graph = loop {
        let graph = graph::draw(configuration, Focus::Any, &mut random);
        if graph.program.weight_words >= bits {
            break graph;
        }
    };
    let volume = graph.program.input.volume();
    let policies = Policy::ALL
        .into_iter()
        .filter(|policy| policy.supported_by(configuration.code));
    for policy in policies {
        for errors in 1..=3 {
            cases.push(Case {
                name: format!("{errors} errors a word, policy {policy}"),
                images: vec![draw_image(volume, &mut random)],
                conditions: Conditions {
                    seed: ChipSeed(0),
                    mode: FaultMode::Map,
                    threshold: Threshold(0),
                    supply: None,
                    map: wrong_bits(bits, graph.program.weight_words, errors, &mut random),
                    policy,
                    first_pass: Pass(0),
                },
                graph: graph.clone(),
                stalls: Stalls::default(),
                inspect: vec![0],
                fresh: None,
                broken: None,
            });
        }
    }
}

/// A short pass at every supply that the voltage ROM tells apart.
fn supplies(configuration: &Configuration, cases: &mut Vec<Case>) {
    let mut random = ChaCha8Rng::seed_from_u64(98);
    let graph = loop {
        let graph = graph::draw(configuration, Focus::Any, &mut random);
        let short = program_cycles(configuration, &graph.program) < 1000;
        if short && graph.program.weight_words >= 8 {
            break graph;
        }
    };
    let rom = VoltageModel::from_configuration(configuration)
        .unwrap_or_else(|error| panic!("{error}"))
        .rom();
    let image = draw_image(graph.program.input.volume(), &mut random);
    for supply in rom.first.0 - 1..=rom.last().0 + 1 {
        cases.push(Case {
            name: format!("at {supply} mV"),
            images: vec![image.clone()],
            conditions: Conditions {
                seed: ChipSeed(supply.into()),
                mode: FaultMode::Persistent,
                threshold: rom.threshold(Millivolts(supply)),
                supply: Some(Millivolts(supply)),
                map: FaultMap::default(),
                policy: Policy::Keep,
                first_pass: Pass(0),
            },
            graph: graph.clone(),
            stalls: Stalls::default(),
            inspect: Vec::new(),
            fresh: None,
            broken: None,
        });
    }
}

/// `errors` wrong bits in most words; word a has one at bit a modulo the word's length.
fn wrong_bits(bits: usize, words: usize, errors: usize, random: &mut ChaCha8Rng) -> FaultMap {
    let mut map = FaultMap::default();
    for word in 0..words {
        // Every eighth word of a later round stays as it is.
        if word >= bits && word % 8 == 0 {
            continue;
        }
        let address = WordAddress(word as u32);
        let mut lanes = vec![word % bits];
        while lanes.len() < errors {
            let lane = random.random_range(0..bits);
            if !lanes.contains(&lane) {
                lanes.push(lane);
            }
        }
        for lane in lanes {
            map.insert(address, Lane(lane as u8), CellFault::Flip);
        }
    }
    map
}
