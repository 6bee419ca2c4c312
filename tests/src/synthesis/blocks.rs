//! Registers inside the ECP5's multiplier and memory blocks, which Yosys leaves unused.
//!
//! Lattice's own tools move a register that follows a block into the block; Yosys 0.70 does
//! not. This does it on the netlist between Yosys and nextpnr, and only where nothing can
//! tell the difference: every bit of the block that is read at all is read by one flip-flop,
//! all of them with the same clock and enable, without reset. nextpnr times a block with its
//! output register from its setup (MULT18X18D) or to its clock-to-output (DP16KD).
//!
//! The signed operands of a multiplier move to the upper bits as well. Yosys extends a sign
//! by wiring it to every upper input, and each copy is a wire to route; zeros below cost
//! none, and (a 2^i)(b 2^j) = ab 2^(i+j).
//!
//! Names of cells, ports and parameters: Lattice FPGA-TN-02205 (DSP), FPGA-TN-02204 (memory).

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Inputs of one operand of a MULT18X18D; its product has twice as many bits.
const OPERAND_BITS: usize = 18;
/// Outputs of one port of a DP16KD.
const MEMORY_BITS: usize = 18;

/// A netlist as Yosys' `write_json` writes it; what is not needed here is carried along.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mapped {
    modules: BTreeMap<String, Module>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Module {
    cells: BTreeMap<String, Cell>,
    ports: BTreeMap<String, Port>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Port {
    direction: Direction,
    bits: Vec<Bit>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Cell {
    #[serde(rename = "type")]
    kind: String,
    parameters: BTreeMap<String, Value>,
    port_directions: BTreeMap<String, Direction>,
    connections: BTreeMap<String, Vec<Bit>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Input,
    Output,
    Inout,
}

/// A net by its number, or the constant "0", "1" or "x".
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(untagged)]
enum Bit {
    Net(u64),
    Constant(String),
}

impl Bit {
    fn constant(value: &str) -> Self {
        Self::Constant(value.to_owned())
    }
}

impl Cell {
    /// The bit at a port of one bit; unconnected counts as zero.
    fn bit(&self, port: &str) -> Bit {
        let bits = self.connections.get(port);
        bits.and_then(|bits| bits.first().cloned())
            .unwrap_or_else(|| Bit::constant("0"))
    }

    fn connect(&mut self, port: String, bit: Bit) {
        self.port_directions
            .entry(port.clone())
            .or_insert(Direction::Input);
        self.connections.insert(port, vec![bit]);
    }

    fn set(&mut self, parameter: String, value: &str) {
        self.parameters.insert(parameter, value.into());
    }

    /// Clock and enable ("1": always) of a flip-flop that is nothing but that.
    fn plain_register(&self) -> Option<(Bit, Bit)> {
        let setting = |name: &str| self.parameters.get(name).and_then(Value::as_str);
        let plain = self.kind == "TRELLIS_FF"
            && setting("CLKMUX") == Some("CLK")
            && setting("REGSET") == Some("RESET")
            && setting("LSRMUX") == Some("LSR")
            && self.bit("LSR") == Bit::constant("0");
        // Yosys writes "1 " for a flip-flop that is always enabled, "INV" for a negated enable.
        let enable = match setting("CEMUX").map(str::trim) {
            Some("CE") => self.bit("CE"),
            Some("1") => Bit::constant("1"),
            _ => return None,
        };
        plain.then(|| (self.bit("CLK"), enable))
    }
}

/// What changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockRegisters {
    /// Multipliers whose product register moved inside.
    pub multipliers: u64,
    /// Ports of memories whose output register moved inside.
    pub memory_ports: u64,
    /// Flip-flops that went.
    pub flip_flops: u64,
    /// Multipliers whose operands moved to the upper bits.
    pub aligned: u64,
}

/// Which inputs read a net: a cell and its port, or none for a port of the module.
type Readers = HashMap<Bit, Vec<Option<(String, String)>>>;

/// The register behind a block: its flip-flops by the port they read, clock and enable.
struct Register {
    flip_flops: BTreeMap<String, String>,
    clock: Bit,
    enable: Bit,
}

impl Mapped {
    /// Cells of each type in module `top`.
    pub fn cells(&self, top: &str) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::new();
        for cell in self.modules.get(top).iter().flat_map(|m| m.cells.values()) {
            // Yosys' own notes, such as $scopeinfo, are nothing on the device.
            if !cell.kind.starts_with('$') {
                *counts.entry(cell.kind.clone()).or_insert(0) += 1;
            }
        }
        counts
    }

    /// Names of the cells of some types in module `top`, with what their type stands for.
    pub(super) fn cells_of<T: Copy>(&self, top: &str, types: &[(&str, T)]) -> Vec<(String, T)> {
        let cells = self.modules.get(top).into_iter().flat_map(|m| &m.cells);
        cells
            .filter_map(|(name, cell)| {
                let (_, kind) = types.iter().find(|(kind, _)| *kind == cell.kind)?;
                Some((name.clone(), *kind))
            })
            .collect()
    }

    /// Sets attribute `key` of a cell of module `top`; without effect if there is no such cell.
    pub(super) fn set_attribute(&mut self, top: &str, cell: &str, key: &str, value: &str) {
        let module = self.modules.get_mut(top);
        if let Some(cell) = module.and_then(|module| module.cells.get_mut(cell)) {
            let attributes = cell
                .rest
                .entry("attributes")
                .or_insert_with(|| Map::new().into());
            attributes[key] = value.into();
        }
    }

    /// Moves registers into blocks and signed operands to the upper bits, in module `top`.
    pub fn use_block_registers(&mut self, top: &str) -> BlockRegisters {
        let mut done = BlockRegisters::default();
        let Some(module) = self.modules.get_mut(top) else {
            return done;
        };
        let readers = module.readers();
        let of_kind = |module: &Module, kind| -> Vec<String> {
            let cells = module.cells.iter().filter(|(_, cell)| cell.kind == kind);
            cells.map(|(name, _)| name.clone()).collect()
        };
        for name in of_kind(module, "MULT18X18D") {
            module.multiplier(&name, &readers, &mut done);
        }
        for name in of_kind(module, "DP16KD") {
            for side in ["A", "B"] {
                module.memory(&name, side, &readers, &mut done);
            }
        }
        done
    }
}

impl Module {
    fn readers(&self) -> Readers {
        let mut readers = Readers::new();
        for (name, cell) in &self.cells {
            for (port, bits) in &cell.connections {
                if cell.port_directions.get(port) == Some(&Direction::Output) {
                    continue;
                }
                for bit in bits {
                    let reader = Some((name.clone(), port.clone()));
                    readers.entry(bit.clone()).or_default().push(reader);
                }
            }
        }
        for port in self.ports.values() {
            if port.direction != Direction::Input {
                for bit in &port.bits {
                    readers.entry(bit.clone()).or_default().push(None);
                }
            }
        }
        readers
    }

    /// The register that takes all of `ports` that anything reads, if there is one.
    fn register_behind(
        &self,
        block: &str,
        ports: impl Iterator<Item = String>,
        readers: &Readers,
    ) -> Option<Register> {
        let mut found: Option<Register> = None;
        for port in ports {
            let bit = self.cells[block].bit(&port);
            let Some(reading) = readers.get(&bit) else {
                continue;
            };
            let [Some((name, input))] = reading.as_slice() else {
                return None;
            };
            let (clock, enable) = self.cells[name].plain_register()?;
            // `DI` comes from the look-up table beside it, `M` from anywhere.
            if input != "DI" && input != "M" {
                return None;
            }
            let register = found.get_or_insert_with(|| Register {
                flip_flops: BTreeMap::new(),
                clock: clock.clone(),
                enable: enable.clone(),
            });
            if (&register.clock, &register.enable) != (&clock, &enable) {
                return None;
            }
            register.flip_flops.insert(port, name.clone());
        }
        found
    }

    /// The block's outputs become what the flip-flops gave, and the flip-flops go.
    fn take_over(&mut self, block: &str, register: &Register, done: &mut BlockRegisters) {
        for (port, flip_flop) in &register.flip_flops {
            let gone = self.cells.remove(flip_flop);
            let output = gone.expect("it was found by its name").bit("Q");
            let cell = self.cells.get_mut(block).expect("the block is there");
            cell.connections.insert(port.clone(), vec![output]);
            done.flip_flops += 1;
        }
    }

    fn multiplier(&mut self, name: &str, readers: &Readers, done: &mut BlockRegisters) {
        let product = (0..2 * OPERAND_BITS).map(|i| format!("P{i}"));
        let highest = product
            .clone()
            .rposition(|port| readers.contains_key(&self.cells[name].bit(&port)));
        if let Some(register) = self.register_behind(name, product, readers) {
            self.take_over(name, &register, done);
            let cell = self.cells.get_mut(name).expect("the block is there");
            cell.connect("CLK0".into(), register.clock);
            cell.connect("CE0".into(), register.enable);
            cell.connect("RST0".into(), Bit::constant("0"));
            for (use_, source) in [("CLK", "CLK0"), ("CE", "CE0"), ("RST", "RST0")] {
                cell.set(format!("REG_OUTPUT_{use_}"), source);
            }
            done.multipliers += 1;
        }
        let cell = self.cells.get_mut(name).expect("the block is there");
        let signed = ["SIGNEDA", "SIGNEDB"].map(|port| cell.bit(port) == Bit::constant("1"));
        if signed == [true; 2] && highest.is_some_and(|highest| cell.align_operands(highest)) {
            done.aligned += 1;
        }
    }

    fn memory(&mut self, name: &str, side: &str, readers: &Readers, done: &mut BlockRegisters) {
        let outputs = (0..MEMORY_BITS).map(|i| format!("DO{side}{i}"));
        let Some(register) = self.register_behind(name, outputs, readers) else {
            return;
        };
        // The memory's reset clears its output register, which the flip-flops did not have.
        let block = &self.cells[name];
        if block.bit(&format!("CLK{side}")) != register.clock
            || block.bit(&format!("RST{side}")) != Bit::constant("0")
        {
            return;
        }
        self.take_over(name, &register, done);
        let cell = self.cells.get_mut(name).expect("the block is there");
        cell.set(format!("REGMODE_{side}"), "OUTREG");
        cell.connect(format!("OCE{side}"), register.enable);
        done.memory_ports += 1;
    }
}

impl Cell {
    /// Shifts both signed operands of a multiplier up to bit 17, and the product with them.
    /// Not if that would push product bit `highest`, the last that is read, out of the block.
    fn align_operands(&mut self, highest: usize) -> bool {
        let operands = ["A", "B"].map(|operand| {
            let bits = (0..OPERAND_BITS).map(|i| self.bit(&format!("{operand}{i}")));
            let bits: Vec<Bit> = bits.collect();
            let sign = &bits[OPERAND_BITS - 1];
            let copies = bits.iter().rev().take_while(|bit| *bit == sign).count();
            (operand, bits, copies - 1)
        });
        let shift: usize = operands.iter().map(|(.., free)| free).sum();
        if shift == 0 || highest + shift >= 2 * OPERAND_BITS {
            return false;
        }
        for (operand, bits, free) in operands {
            let zeros = vec![Bit::constant("0"); free];
            for (i, bit) in zeros.into_iter().chain(bits).take(OPERAND_BITS).enumerate() {
                self.connect(format!("{operand}{i}"), bit);
            }
        }
        let mut product: Vec<Bit> = (0..2 * OPERAND_BITS)
            .map(|i| self.bit(&format!("P{i}")))
            .collect();
        // What is pushed out at the top is read by nobody and may sit at the bottom.
        product.rotate_right(shift);
        for (i, bit) in product.into_iter().enumerate() {
            self.connections.insert(format!("P{i}"), vec![bit]);
        }
        true
    }
}
