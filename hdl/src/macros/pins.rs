//! A macro's pins: what each is called, and what it carries.

use brownout_spec::macros::{Macro, Pins, Ports};

/// What a pin carries. Selects are of one macro among those of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The clock.
    Clock,
    /// Whether a port that reads or writes is used.
    Select,
    /// Whether such a port writes.
    Write,
    /// The same for a port that is never used to read: that it writes.
    AlwaysWrite,
    /// Whether a port that reads is used.
    ReadSelect,
    /// Whether a port that writes is used.
    WriteSelect,
    /// Which parts of the word are written.
    Mask,
    /// Word to read or write.
    Address,
    /// Word to read.
    ReadAddress,
    /// Word to write.
    WriteAddress,
    /// What to write.
    Data,
    /// What was read.
    Word,
    /// What a port that is never used to read gives.
    Unused,
}

/// One pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin {
    /// Name in the macro.
    pub name: &'static str,
    /// What it carries.
    pub role: Role,
    /// Bits.
    pub bits: usize,
    /// Active at 0.
    pub low: bool,
}

impl Pin {
    /// Whether the macro drives it.
    pub fn is_output(&self) -> bool {
        matches!(self.role, Role::Word | Role::Unused)
    }
}

/// All pins of a macro but its supply, in the order of its ports.
pub fn pins(one: &Macro) -> Vec<Pin> {
    let list: &[(&'static str, Role)] = match (one.pins, one.ports) {
        (Pins::Plain, Ports::One) => &[
            ("clock", Role::Clock),
            ("enable", Role::Select),
            ("write", Role::Write),
            ("write_mask", Role::Mask),
            ("address", Role::Address),
            ("write_data", Role::Data),
            ("read_data", Role::Word),
        ],
        (Pins::Plain, _) => &[
            ("clock", Role::Clock),
            ("write_enable", Role::WriteSelect),
            ("write_mask", Role::Mask),
            ("write_address", Role::WriteAddress),
            ("write_data", Role::Data),
            ("read_enable", Role::ReadSelect),
            ("read_address", Role::ReadAddress),
            ("read_data", Role::Word),
        ],
        (Pins::Openram, Ports::One) => &[
            ("clk0", Role::Clock),
            ("csb0", Role::Select),
            ("web0", Role::Write),
            ("wmask0", Role::Mask),
            ("addr0", Role::Address),
            ("din0", Role::Data),
            ("dout0", Role::Word),
        ],
        (Pins::Openram, Ports::Two) => &[
            ("clk0", Role::Clock),
            ("csb0", Role::WriteSelect),
            ("wmask0", Role::Mask),
            ("addr0", Role::WriteAddress),
            ("din0", Role::Data),
            ("clk1", Role::Clock),
            ("csb1", Role::ReadSelect),
            ("addr1", Role::ReadAddress),
            ("dout1", Role::Word),
        ],
        (Pins::Openram, Ports::Both) => &[
            ("clk0", Role::Clock),
            ("csb0", Role::WriteSelect),
            ("web0", Role::AlwaysWrite),
            ("wmask0", Role::Mask),
            ("addr0", Role::WriteAddress),
            ("din0", Role::Data),
            ("dout0", Role::Unused),
            ("clk1", Role::Clock),
            ("csb1", Role::ReadSelect),
            ("addr1", Role::ReadAddress),
            ("dout1", Role::Word),
        ],
        (Pins::Fakeram, _) => &[
            ("rd_out", Role::Word),
            ("addr_in", Role::Address),
            ("we_in", Role::Write),
            ("wd_in", Role::Data),
            ("w_mask_in", Role::Mask),
            ("clk", Role::Clock),
            ("ce_in", Role::Select),
        ],
    };
    let pin = |&(name, role): &(&'static str, Role)| Pin {
        name,
        role,
        bits: match role {
            Role::Mask => one.mask_parts(),
            Role::Address | Role::ReadAddress | Role::WriteAddress => one.address_bits(),
            Role::Data | Role::Word | Role::Unused => one.width,
            _ => 1,
        },
        low: one.pins == Pins::Openram
            && matches!(
                role,
                Role::Select
                    | Role::Write
                    | Role::AlwaysWrite
                    | Role::ReadSelect
                    | Role::WriteSelect
            ),
    };
    let masked = one.mask_parts() > 1 || one.pins == Pins::Fakeram;
    let has = |pin: &Pin| pin.role != Role::Mask || masked;
    list.iter().map(pin).filter(has).collect()
}
