//! A session with an accelerator, recorded as what its ports are set to.
//!
//! [`Recorder`] is a wire that notes every port value that the driver causes and
//! every word that the driver reads. The C++ harness plays the record to the same
//! model and must read the same words, in as many clocks.

use brownout_sim::build::PortInfo;
use brownout_sim::link::{Link, LinkError, ModelLink};
use brownout_spec::registers::Register;

/// The ports of a record, in the order of their numbers.
const PORTS: [&str; 11] = [
    "reset",
    "register_write",
    "register_read",
    "register_address",
    "register_write_data",
    "register_read_data",
    "input_valid",
    "input_data",
    "output_ready",
    "output_valid",
    "output_data",
];

/// What the harness does next; each is followed by one word.
#[derive(Clone, Copy)]
enum Action {
    /// Steps that many clocks.
    Run = 0,
    /// Steps that many clocks, and takes the results that are offered.
    Take = 1,
    /// Reads the register data port.
    Read = 2,
    /// From here on, time is measured.
    Start = 3,
    /// Sets port 0 to the word; port p is `Set + p`.
    Set = 4,
}

/// A recorded session.
#[derive(Clone, Debug, Default)]
pub struct Stimulus {
    actions: Vec<u32>,
    /// Hash of all words read.
    pub checksum: u64,
    /// Clocks from the start of the time on.
    pub clocks: u64,
}

impl Stimulus {
    fn push(&mut self, action: u32, word: u32) {
        self.actions.extend([action, word]);
    }

    fn run(&mut self, clocks: u64) {
        self.push(Action::Run as u32, clocks as u32);
    }

    fn set(&mut self, port: &str, value: u32) {
        let number = PORTS.iter().position(|&name| name == port);
        let number = number.expect("the recorder names ports of the list") as u32;
        self.push(Action::Set as u32 + number, value);
    }

    fn fold(&mut self, word: u32) {
        // FNV-1a with words in place of bytes, as in the harness.
        self.checksum = (self.checksum ^ u64::from(word)).wrapping_mul(0x0000_0100_0000_01b3);
    }

    /// The record for the harness: where the ports are in the model's table and how
    /// wide, then pairs of action and word.
    ///
    /// # Panics
    /// If the model lacks a port.
    pub fn bytes(&self, ports: &[PortInfo]) -> Vec<u8> {
        let place = |name: &&str| {
            let index = ports.iter().position(|port| port.name == **name);
            let index = index.expect("a session was recorded on these ports");
            [index as u32, ports[index].bits]
        };
        let places = PORTS.iter().flat_map(place);
        let words = places.chain(self.actions.iter().copied());
        words.flat_map(u32::to_le_bytes).collect()
    }
}

/// A wire that records.
pub struct Recorder {
    link: ModelLink,
    stimulus: Stimulus,
    started: u64,
}

impl Recorder {
    /// Takes over a wire that was just made, and notes the reset it has done.
    pub fn new(link: ModelLink) -> Self {
        let mut stimulus = Stimulus::default();
        stimulus.set("reset", 1);
        stimulus.run(link.clocks());
        stimulus.set("reset", 0);
        Self {
            link,
            stimulus,
            started: 0,
        }
    }

    /// Notes that time is measured from here on.
    pub fn start(&mut self) {
        self.stimulus.push(Action::Start as u32, 0);
        self.started = self.link.clocks();
    }

    /// The record.
    pub fn finish(&self) -> Stimulus {
        let clocks = self.link.clocks() - self.started;
        Stimulus {
            clocks,
            ..self.stimulus.clone()
        }
    }
}

impl Link for Recorder {
    fn write_register(&mut self, register: Register, value: u32) -> Result<(), LinkError> {
        self.stimulus
            .set("register_address", register.address.into());
        self.stimulus.set("register_write_data", value);
        self.stimulus.set("register_write", 1);
        self.stimulus.run(1);
        self.stimulus.set("register_write", 0);
        self.link.write_register(register, value)
    }

    fn read_register(&mut self, register: Register) -> Result<u32, LinkError> {
        self.stimulus
            .set("register_address", register.address.into());
        self.stimulus.set("register_read", 1);
        self.stimulus.run(1);
        self.stimulus.set("register_read", 0);
        self.stimulus.push(Action::Read as u32, 0);
        let value = self.link.read_register(register)?;
        self.stimulus.fold(value);
        Ok(value)
    }

    fn send(&mut self, beats: &[u32]) -> Result<(), LinkError> {
        self.stimulus.set("input_valid", 1);
        for &beat in beats {
            let before = self.link.clocks();
            // One by one, to see how long the accelerator holds each of them up.
            self.link.send(&[beat])?;
            self.stimulus.set("input_data", beat);
            self.stimulus.run(self.link.clocks() - before);
        }
        self.stimulus.set("input_valid", 0);
        Ok(())
    }

    fn receive(&mut self, count: usize, clocks: u64) -> Result<Vec<u32>, LinkError> {
        let before = self.link.clocks();
        let results = self.link.receive(count, clocks)?;
        self.stimulus.set("output_ready", 1);
        let passed = self.link.clocks() - before;
        self.stimulus.push(Action::Take as u32, passed as u32);
        self.stimulus.set("output_ready", 0);
        for &result in &results {
            self.stimulus.fold(result);
        }
        Ok(results)
    }

    fn wait(&mut self, clocks: u64) -> Result<(), LinkError> {
        self.stimulus.run(clocks);
        self.link.wait(clocks)
    }
}
