//! Any bytes as a session of a careless host with an accelerator.
//!
//! Whatever was written, started and sent: after a reset, a good program must
//! give the right logits in the right number of clocks.

use crate::graph::{self, Focus, Graph};
use crate::session::simulator;
use brownout_golden::infer::{IntegerNetwork, Memory};
use brownout_sim::build::BuildOptions;
use brownout_sim::compare::GoldenPass;
use brownout_sim::driver::{Counters, Driver, DriverError};
use brownout_sim::link::{Link, LinkError, ModelLink, Stalls};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::{ChipFaults, FaultMode};
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold};
use brownout_spec::registers::{self as map, Access, LoadTarget, REGISTERS, Register};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Longest pass of the good program, in clocks.
const MOST_CYCLES: u64 = 700;
/// Longest garbage, in operations.
const MOST_OPERATIONS: usize = 24;

/// What a garbage session did, summed over sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Effects {
    /// Register writes, also to addresses that have no register.
    pub writes: u64,
    /// Register reads.
    pub reads: u64,
    /// Beats that the input stream took.
    pub beats: u64,
    /// Passes that the accelerator began.
    pub starts: u64,
    /// Sessions that ended while a pass was running.
    pub running: u64,
    /// Results taken.
    pub results: u64,
    /// Input streams that were blocked by a running pass.
    pub blocked: u64,
}

impl std::ops::AddAssign for Effects {
    fn add_assign(&mut self, other: Self) {
        self.writes += other.writes;
        self.reads += other.reads;
        self.beats += other.beats;
        self.starts += other.starts;
        self.running += other.running;
        self.results += other.results;
        self.blocked += other.blocked;
    }
}

/// An accelerator, and a network whose results are known.
pub struct Victim {
    driver: Driver<ModelLink>,
    graph: Graph,
    image: WeightImage,
    input: Vec<i8>,
    logits: Vec<i32>,
    counters: Counters,
}

/// The small accelerator that garbage is sent to.
pub fn configuration() -> Configuration {
    crate::configurations::configuration(4, 4, WeightBits::Eight, CodeName::None)
}

impl Victim {
    /// An accelerator after reset.
    ///
    /// # Panics
    /// If a tool is missing.
    pub fn new() -> Self {
        let configuration = configuration();
        let graph = good_graph(&configuration);
        let layout = Layout::new(&configuration, graph.model.weight_shapes());
        let layout = layout.expect("a drawn graph fits");
        let image = WeightImage::encode(layout, &graph.model.weight_tensors());
        let image = image.expect("drawn weights are in range");
        let still = ChipFaults {
            seed: ChipSeed(0),
            mode: FaultMode::None,
            threshold: Threshold(0),
        };
        let memory = Memory::new(image.clone(), still).expect("no map is asked for");
        let golden = GoldenPass::new(
            &graph.model,
            &configuration,
            &graph.program,
            &memory,
            Pass(0),
            Policy::Keep,
        );
        let counters = golden.expect("the image is the model's").counters();
        let volume = graph.program.input.volume();
        let input: Vec<i8> = (0..volume).map(|i| (i * 89 % 255) as u8 as i8).collect();
        let network = IntegerNetwork::undisturbed(&graph.model);
        let mut workspace = network.workspace();
        network.run(&input, &mut workspace);
        let driver = simulator(&configuration, BuildOptions::default()).driver(Stalls::default());
        Self {
            driver: driver.unwrap_or_else(|error| panic!("{error}")),
            image,
            input,
            logits: workspace.logits().to_vec(),
            counters,
            graph,
        }
    }

    /// Does with the accelerator what the bytes say.
    pub fn garbage(&mut self, bytes: &[u8]) -> Effects {
        let program = self.graph.program.words();
        let link = self.driver.link_mut();
        let mut session = Session {
            link,
            bytes,
            effects: Effects::default(),
        };
        for _ in 0..MOST_OPERATIONS {
            if session.bytes.is_empty() {
                break;
            }
            session.operation(&program);
        }
        let mut effects = session.effects;
        effects.running += u64::from(status(link) & map::STATUS_RUNNING != 0);
        effects
    }

    /// Resets the accelerator; every register must then read as the map says.
    ///
    /// # Errors
    /// Naming a register that kept something.
    pub fn reset(&mut self) -> Result<(), String> {
        let link = self.driver.link_mut();
        link.reset();
        for register in REGISTERS.iter().filter(|r| r.access == Access::ReadWrite) {
            let expected = match *register == map::STOP_AFTER_LAYER {
                true => map::RUN_TO_THE_END,
                false => 0,
            };
            let found = read(link, *register);
            if found != expected {
                let name = register.name;
                return Err(format!(
                    "{name} is {found:#x} after reset, not {expected:#x}"
                ));
            }
        }
        match status(link) {
            0 => Ok(()),
            other => Err(format!("STATUS is {other} after reset, not 0")),
        }
    }

    /// Loads the good program, runs an image and compares logits and counters.
    ///
    /// # Errors
    /// What differs, or that the accelerator does not answer.
    pub fn run_good(&mut self) -> Result<(), String> {
        let text = |error: DriverError| error.to_string();
        let layers = self.graph.model.layers.iter();
        let parameters: Vec<_> = layers.map(|layer| layer.channels.clone()).collect();
        let driver = &mut self.driver;
        driver
            .load(
                &self.graph.program,
                &self.image,
                &parameters,
                &self.graph.model.tables(),
            )
            .map_err(text)?;
        let run = driver.run_image(&self.input).map_err(text)?;
        if run.logits != self.logits {
            return Err(format!(
                "logits are {:?}, not {:?}",
                run.logits, self.logits
            ));
        }
        if run.counters != self.counters {
            return Err(format!("{:?} instead of {:?}", run.counters, self.counters));
        }
        Ok(())
    }
}

impl Default for Victim {
    fn default() -> Self {
        Self::new()
    }
}

/// A short network with a residual operand and a pool.
fn good_graph(configuration: &Configuration) -> Graph {
    let draw = |seed| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        graph::draw(configuration, Focus::Residual, &mut random)
    };
    let short = |graph: &Graph| {
        let layers = &graph.model.network.layers;
        program_cycles(configuration, &graph.program) <= MOST_CYCLES && layers.len() >= 3
    };
    let found = (0..10_000).map(draw).find(short);
    found.expect("some graph in ten thousand is short")
}

/// Bytes on their way to an accelerator.
struct Session<'a> {
    link: &'a mut ModelLink,
    bytes: &'a [u8],
    effects: Effects,
}

impl Session<'_> {
    fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else {
            return 0;
        };
        self.bytes = rest;
        first
    }

    fn word(&mut self) -> u32 {
        u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()])
    }

    /// One thing that a host can do; `program` is a good one.
    fn operation(&mut self, program: &[u32]) {
        match self.byte() % 14 {
            0..=2 => {
                let register = self.register();
                // Half of the values are small, as most registers are.
                let value = match self.byte() {
                    small @ 0..128 => u32::from(small % 8),
                    _ => self.word(),
                };
                self.write(register, value);
            }
            3 => {
                let register = self.register();
                read(self.link, register);
                self.effects.reads += 1;
            }
            4..=6 => {
                let target = self.byte();
                self.write(map::LOAD_TARGET, u32::from(target % 5));
                let beats: Vec<u32> = (0..self.byte() % 24).map(|_| self.word()).collect();
                self.send(&beats);
            }
            7 => {
                // A good program with a damaged word.
                let mut beats = program.to_vec();
                let index = usize::from(self.byte()) % beats.len();
                beats[index] ^= 1 << (self.byte() % 32);
                self.write(map::LOAD_TARGET, LoadTarget::Program as u32);
                self.send(&beats);
            }
            8..=11 => self.start(),
            12 => {
                let (count, clocks) = (self.byte() % 4, self.byte());
                let taken = self.link.receive(count.into(), clocks.into());
                self.effects.results += taken.map_or(0, |results| results.len() as u64);
            }
            _ => {
                let clocks = self.byte();
                wait(self.link, clocks.into());
            }
        }
    }

    /// A register of the map, or any address.
    fn register(&mut self) -> Register {
        match self.byte() {
            number @ 0..192 => REGISTERS[usize::from(number) % REGISTERS.len()],
            _ => Register {
                address: self.byte(),
                ..map::LOAD_TARGET
            },
        }
    }

    fn write(&mut self, register: Register, value: u32) {
        let written = self.link.write_register(register, value);
        written.expect("a simulated wire does not fail");
        self.effects.writes += 1;
    }

    fn start(&mut self) {
        let before = status(self.link);
        self.write(map::CONTROL, map::CONTROL_START);
        let began =
            before & map::STATUS_RUNNING == 0 && status(self.link) & map::STATUS_RUNNING != 0;
        self.effects.starts += u64::from(began);
    }

    fn send(&mut self, beats: &[u32]) {
        match self.link.send(beats) {
            Ok(()) => self.effects.beats += beats.len() as u64,
            Err(LinkError::Stuck { sent, .. }) => {
                self.effects.beats += sent as u64;
                self.effects.blocked += 1;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

fn read(link: &mut ModelLink, register: Register) -> u32 {
    link.read_register(register)
        .expect("a simulated wire does not fail")
}

fn status(link: &mut ModelLink) -> u32 {
    read(link, map::STATUS)
}

fn wait(link: &mut ModelLink, clocks: u64) {
    link.wait(clocks).expect("a simulated wire does not fail");
}
