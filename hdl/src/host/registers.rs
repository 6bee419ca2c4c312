//! The register file: numbers, widths and meaning come from `brownout_spec::registers`.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::registers::{self as map, Register};
use rust_hdl::prelude::*;

/// A register's place in the table, as loops over a single index take it.
const fn at(register: Register) -> usize {
    let mut place = 0;
    while map::REGISTERS[place].address != register.address {
        place += 1;
    }
    place
}

/// Registers that the host reads and writes, and the counters that it reads.
///
/// A write takes effect in the clock after `register_write`; what is read is on
/// `read_data` in the clock after `register_read`.
#[derive(LogicBlock, Default)]
pub struct RegisterFile {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Synchronous reset.
    pub reset: Signal<In, Bit>,
    /// Write strobe.
    pub register_write: Signal<In, Bit>,
    /// Read strobe.
    pub register_read: Signal<In, Bit>,
    /// Register number.
    pub register_address: Signal<In, Bits<8>>,
    /// What to write.
    pub write_data: Signal<In, Bits<32>>,
    /// What was read.
    pub read_data: Signal<Out, Bits<32>>,
    /// A pass is running.
    pub running: Signal<In, Bit>,
    /// A start command would begin a pass.
    pub accepting: Signal<In, Bit>,
    /// A pass begins in this clock.
    pub begin_pass: Signal<In, Bit>,
    /// A pass ends in this clock.
    pub end_pass: Signal<In, Bit>,
    /// 64-bit counters in order of their addresses.
    pub counters: Vec<Signal<In, Bits<64>>>,
    /// Address of a word with a detected error.
    pub detected_address: Signal<In, Bits<23>>,
    /// Such a word comes in this clock.
    pub detected: Signal<In, Bit>,
    /// Four lanes at the debug address.
    pub debug_data: Signal<In, Bits<32>>,
    /// The host asks for a pass.
    pub start: Signal<Out, Bit>,
    /// LOAD_TARGET was written.
    pub load_restart: Signal<Out, Bit>,
    /// Register value.
    pub policy: Signal<Out, Bits<2>>,
    /// Register value.
    pub weight_words: Signal<Out, Bits<23>>,
    /// Register value.
    pub stop_after_layer: Signal<Out, Bits<8>>,
    /// Register value.
    pub load_target: Signal<Out, Bits<2>>,
    /// Register value: its bit 2, the tables.
    pub load_tables: Signal<Out, Bit>,
    /// Register value: word address.
    pub debug_address: Signal<Out, Bits<16>>,
    /// Register value: buffer.
    pub debug_buffer: Signal<Out, Bits<2>>,
    /// Register value: group of lanes.
    pub debug_group: Signal<Out, Bits<4>>,
    /// Register value.
    pub seed_low: Signal<Out, Bits<32>>,
    /// Register value.
    pub seed_high: Signal<Out, Bits<32>>,
    /// Register value.
    pub pass: Signal<Out, Bits<32>>,
    /// Register value.
    pub voltage: Signal<Out, Bits<16>>,
    /// Register value.
    pub threshold: Signal<Out, Bits<32>>,
    /// Register value.
    pub threshold_select: Signal<Out, Bit>,
    /// Register value.
    pub fault_mode: Signal<Out, Bits<2>>,
    /// Register value.
    pub ones_share: Signal<Out, Bits<9>>,
    start_register: DFF<Bit>,
    load_restart_register: DFF<Bit>,
    ended: DFF<Bit>,
    policy_register: DFF<Bits<2>>,
    weight_words_register: DFF<Bits<23>>,
    stop_after_layer_register: DFF<Bits<8>>,
    load_target_register: DFF<Bits<2>>,
    load_tables_register: DFF<Bit>,
    debug_register: DFF<Bits<22>>,
    seed_low_register: DFF<Bits<32>>,
    seed_high_register: DFF<Bits<32>>,
    pass_register: DFF<Bits<32>>,
    voltage_register: DFF<Bits<16>>,
    threshold_register: DFF<Bits<32>>,
    threshold_select_register: DFF<Bit>,
    fault_mode_register: DFF<Bits<2>>,
    ones_share_register: DFF<Bits<9>>,
    last_detected: DFF<Bits<23>>,
    high_latch: DFF<Bits<32>>,
    read_data_register: DFF<Bits<32>>,
    busy: Signal<Local, Bit>,
    read: Signal<Local, Bits<32>>,
    emulation: Fixed<Bit>,
    has_tables: Fixed<Bit>,
    identification: Fixed<Bits<32>>,
    version: Fixed<Bits<32>>,
    geometry: Fixed<Bits<32>>,
    run_to_the_end: Fixed<Bits<8>>,
    /// Of every register in the table's order.
    register_number: Vec<Fixed<Bits<8>>>,
    /// Of the counters' low and high halves.
    counter_low_number: Vec<Fixed<Bits<8>>>,
    counter_high_number: Vec<Fixed<Bits<8>>>,
    _counters: usize,
}

/// The low halves of the 64-bit counters of a configuration, in order.
pub fn counter_registers(fault_emulation: bool) -> Vec<Register> {
    map::REGISTERS
        .iter()
        .filter(|r| r.address >= map::CYCLES_LOW.address && r.name.ends_with("_LOW"))
        .filter(|r| fault_emulation || !r.fault_emulation)
        .copied()
        .collect()
}

/// Names of the register numbers for the emitter: field of [`RegisterFile`] and labels.
pub fn register_labels(fault_emulation: bool) -> [(&'static str, Vec<String>); 3] {
    let label = |name: &str| format!("REG_{name}");
    let counters = counter_registers(fault_emulation);
    let low = counters.iter().map(|r| r.name);
    let high = low.clone().map(|name| name.replace("_LOW", "_HIGH"));
    [
        (
            "register_number",
            map::REGISTERS.iter().map(|r| label(r.name)).collect(),
        ),
        ("counter_low_number", low.map(label).collect()),
        (
            "counter_high_number",
            high.map(|name| label(&name)).collect(),
        ),
    ]
}

impl RegisterFile {
    /// The register file of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let emulation = configuration.fault_emulation;
        let counters = counter_registers(emulation);
        let number = |r: &Register| Fixed::new(r.address);
        Self {
            counters: counters.iter().map(|_| Default::default()).collect(),
            emulation: Fixed::flag(emulation),
            has_tables: Fixed::flag(configuration.tables > 0),
            identification: Fixed::new(map::IDENTIFICATION_VALUE),
            version: Fixed::new(map::VERSION_VALUE),
            geometry: Fixed::new(map::geometry(configuration)),
            run_to_the_end: Fixed::new(map::RUN_TO_THE_END),
            register_number: map::REGISTERS.iter().map(number).collect(),
            counter_low_number: counters.iter().map(number).collect(),
            counter_high_number: counters.iter().map(|r| Fixed::new(r.address + 1)).collect(),
            _counters: counters.len(),
            ..Self::default()
        }
    }
}

impl Logic for RegisterFile {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module registers: What the host reads and writes; registers.md describes each.");
        comment!(
            "A write takes effect, and what is read appears, in the clock after the strobe. \
             Reading the low half of a counter latches its high half."
        );
        comment!("ports register_write: host");
        comment!("ports running: the pass");
        comment!("ports counters: counters, in the order of their registers");
        comment!("ports detected_address: decoder");
        comment!("ports debug_data: four lanes at the debug address");
        comment!("ports start: commands");
        comment!("ports policy: settings");
        comment!("ports seed_low: settings of the fault emulation");
        comment!("table register_number: register numbers");
        comment!("table counter_low_number: register numbers of the counters' low halves");
        comment!("table counter_high_number: register numbers of the counters' high halves");
        dff_setup!(
            self,
            clock,
            start_register,
            load_restart_register,
            ended,
            policy_register,
            weight_words_register,
            stop_after_layer_register,
            load_target_register,
            load_tables_register,
            debug_register,
            seed_low_register,
            seed_high_register,
            pass_register,
            voltage_register,
            threshold_register,
            threshold_select_register,
            fault_mode_register,
            ones_share_register,
            last_detected,
            high_latch,
            read_data_register
        );
        comment!("what the pass says; a host's write in the same clock wins");
        self.start_register.d.next = false;
        self.load_restart_register.d.next = false;
        if self.end_pass.val() {
            self.ended.d.next = true;
            self.pass_register.d.next = self.pass_register.q.val() + 1;
        }
        if self.detected.val() {
            self.last_detected.d.next = self.detected_address.val();
        }
        if self.begin_pass.val() {
            self.last_detected.d.next = 0.into();
        }
        comment!("writes");
        if self.register_write.val() {
            for a in at(map::CONTROL)..(at(map::CONTROL) + 1) {
                if (self.register_address.val() == self.register_number[a].val())
                    && self.accepting.val()
                    && self.write_data.val().get_bit(0)
                {
                    self.start_register.d.next = true;
                    self.ended.d.next = false;
                }
            }
            for a in at(map::POLICY)..(at(map::POLICY) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.policy_register.d.next = self.write_data.val().get_bits::<2>(0);
                }
            }
            for a in at(map::WEIGHT_WORDS)..(at(map::WEIGHT_WORDS) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.weight_words_register.d.next = self.write_data.val().get_bits::<23>(0);
                }
            }
            for a in at(map::STOP_AFTER_LAYER)..(at(map::STOP_AFTER_LAYER) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.stop_after_layer_register.d.next = self.write_data.val().get_bits::<8>(0);
                }
            }
            for a in at(map::LOAD_TARGET)..(at(map::LOAD_TARGET) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.load_target_register.d.next = self.write_data.val().get_bits::<2>(0);
                    self.load_tables_register.d.next = self.write_data.val().get_bit(2);
                    self.load_restart_register.d.next = true;
                }
            }
            for a in at(map::DEBUG_ADDRESS)..(at(map::DEBUG_ADDRESS) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.debug_register.d.next = self.write_data.val().get_bits::<22>(0);
                }
            }
            for a in at(map::CHIP_SEED_LOW)..(at(map::CHIP_SEED_LOW) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.seed_low_register.d.next = self.write_data.val();
                }
            }
            for a in at(map::CHIP_SEED_HIGH)..(at(map::CHIP_SEED_HIGH) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.seed_high_register.d.next = self.write_data.val();
                }
            }
            for a in at(map::PASS)..(at(map::PASS) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.pass_register.d.next = self.write_data.val();
                }
            }
            for a in at(map::VOLTAGE)..(at(map::VOLTAGE) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.voltage_register.d.next = self.write_data.val().get_bits::<16>(0);
                }
            }
            for a in at(map::THRESHOLD)..(at(map::THRESHOLD) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.threshold_register.d.next = self.write_data.val();
                }
            }
            for a in at(map::THRESHOLD_SELECT)..(at(map::THRESHOLD_SELECT) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.threshold_select_register.d.next = self.write_data.val().get_bit(0);
                }
            }
            for a in at(map::FAULT_MODE)..(at(map::FAULT_MODE) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.fault_mode_register.d.next = self.write_data.val().get_bits::<2>(0);
                }
            }
            for a in at(map::ONES_SHARE)..(at(map::ONES_SHARE) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.ones_share_register.d.next = self.write_data.val().get_bits::<9>(0);
                }
            }
        }

        comment!("reads; a pass runs from the clock after the command on");
        self.busy.next = self.running.val() || self.start_register.q.val();
        self.read.next = 0.into();
        for a in at(map::IDENTIFICATION)..(at(map::IDENTIFICATION) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = self.identification.val();
            }
        }
        for a in at(map::VERSION)..(at(map::VERSION) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = self.version.val();
            }
        }
        for a in at(map::GEOMETRY)..(at(map::GEOMETRY) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = self.geometry.val();
            }
        }
        for a in at(map::STATUS)..(at(map::STATUS) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = 0.into();
                self.read.next = self.read.val().replace_bit(0, self.busy.val());
                self.read.next = self.read.val().replace_bit(1, self.ended.q.val());
            }
        }
        for a in at(map::POLICY)..(at(map::POLICY) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = bit_cast::<32, 2>(self.policy_register.q.val());
            }
        }
        for a in at(map::WEIGHT_WORDS)..(at(map::WEIGHT_WORDS) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = bit_cast::<32, 23>(self.weight_words_register.q.val());
            }
        }
        for a in at(map::STOP_AFTER_LAYER)..(at(map::STOP_AFTER_LAYER) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = bit_cast::<32, 8>(self.stop_after_layer_register.q.val());
            }
        }
        for a in at(map::LOAD_TARGET)..(at(map::LOAD_TARGET) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = bit_cast::<32, 2>(self.load_target_register.q.val());
                if self.has_tables.val() {
                    self.read.next = self
                        .read
                        .val()
                        .replace_bit(2, self.load_tables_register.q.val());
                }
            }
        }
        for a in at(map::DEBUG_ADDRESS)..(at(map::DEBUG_ADDRESS) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = bit_cast::<32, 22>(self.debug_register.q.val());
            }
        }
        for a in at(map::DEBUG_DATA)..(at(map::DEBUG_DATA) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = self.debug_data.val();
            }
        }
        for a in at(map::LAST_DETECTED)..(at(map::LAST_DETECTED) + 1) {
            if self.register_address.val() == self.register_number[a].val() {
                self.read.next = bit_cast::<32, 23>(self.last_detected.q.val());
            }
        }
        for k in 0..self._counters {
            if self.register_address.val() == self.counter_low_number[k].val() {
                self.read.next = self.counters[k].val().get_bits::<32>(0);
                if self.register_read.val() {
                    self.high_latch.d.next = self.counters[k].val().get_bits::<32>(32);
                }
            }
            if self.register_address.val() == self.counter_high_number[k].val() {
                self.read.next = self.high_latch.q.val();
            }
        }
        if self.emulation.val() {
            for a in at(map::CHIP_SEED_LOW)..(at(map::CHIP_SEED_LOW) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = self.seed_low_register.q.val();
                }
            }
            for a in at(map::CHIP_SEED_HIGH)..(at(map::CHIP_SEED_HIGH) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = self.seed_high_register.q.val();
                }
            }
            for a in at(map::PASS)..(at(map::PASS) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = self.pass_register.q.val();
                }
            }
            for a in at(map::VOLTAGE)..(at(map::VOLTAGE) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = bit_cast::<32, 16>(self.voltage_register.q.val());
                }
            }
            for a in at(map::THRESHOLD)..(at(map::THRESHOLD) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = self.threshold_register.q.val();
                }
            }
            for a in at(map::THRESHOLD_SELECT)..(at(map::THRESHOLD_SELECT) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = 0.into();
                    self.read.next = self
                        .read
                        .val()
                        .replace_bit(0, self.threshold_select_register.q.val());
                }
            }
            for a in at(map::FAULT_MODE)..(at(map::FAULT_MODE) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = bit_cast::<32, 2>(self.fault_mode_register.q.val());
                }
            }
            for a in at(map::ONES_SHARE)..(at(map::ONES_SHARE) + 1) {
                if self.register_address.val() == self.register_number[a].val() {
                    self.read.next = bit_cast::<32, 9>(self.ones_share_register.q.val());
                }
            }
        }
        if self.register_read.val() {
            self.read_data_register.d.next = self.read.val();
        }

        if self.reset.val() {
            self.start_register.d.next = false;
            self.load_restart_register.d.next = false;
            self.ended.d.next = false;
            self.policy_register.d.next = 0.into();
            self.weight_words_register.d.next = 0.into();
            self.stop_after_layer_register.d.next = self.run_to_the_end.val();
            self.load_target_register.d.next = 0.into();
            self.load_tables_register.d.next = false;
            self.debug_register.d.next = 0.into();
            self.seed_low_register.d.next = 0.into();
            self.seed_high_register.d.next = 0.into();
            self.pass_register.d.next = 0.into();
            self.voltage_register.d.next = 0.into();
            self.threshold_register.d.next = 0.into();
            self.threshold_select_register.d.next = false;
            self.fault_mode_register.d.next = 0.into();
            self.ones_share_register.d.next = 0.into();
            self.last_detected.d.next = 0.into();
        }
        self.read_data.next = self.read_data_register.q.val();
        self.start.next = self.start_register.q.val();
        self.load_restart.next = self.load_restart_register.q.val();
        self.policy.next = self.policy_register.q.val();
        self.weight_words.next = self.weight_words_register.q.val();
        self.stop_after_layer.next = self.stop_after_layer_register.q.val();
        self.load_target.next = self.load_target_register.q.val();
        self.load_tables.next = self.load_tables_register.q.val();
        self.debug_address.next = self.debug_register.q.val().get_bits::<16>(0);
        self.debug_buffer.next = self.debug_register.q.val().get_bits::<2>(16);
        self.debug_group.next = self.debug_register.q.val().get_bits::<4>(18);
        self.seed_low.next = self.seed_low_register.q.val();
        self.seed_high.next = self.seed_high_register.q.val();
        self.pass.next = self.pass_register.q.val();
        self.voltage.next = self.voltage_register.q.val();
        self.threshold.next = self.threshold_register.q.val();
        self.threshold_select.next = self.threshold_select_register.q.val();
        self.fault_mode.next = self.fault_mode_register.q.val();
        self.ones_share.next = self.ones_share_register.q.val();
    }
}
