//! What is said of the memories: sizes, ports, when each is read and written, and where they are.

use super::tile::Tiling;
use super::users::{User, user_of};
use crate::memory::Shape;
use brownout_emitter::{Emitted, Module};
use brownout_spec::macros::Macro;
use serde::Serialize;

/// All memories of an accelerator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryTable {
    /// Top module.
    pub top: String,
    /// The macros that are used.
    pub macros: Vec<MacroUse>,
    /// One entry for each module of a memory.
    pub memories: Vec<MemoryUse>,
}

/// A macro, and how often it is used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MacroUse {
    /// Its module.
    pub name: String,
    /// Words.
    pub words: usize,
    /// Bits of a word.
    pub width: usize,
    /// Bits that are written together.
    pub mask: usize,
    /// Its ports, as a list of macros names them.
    pub ports: String,
    /// Rows of bit cells.
    pub cell_rows: usize,
    /// Columns of bit cells.
    pub cell_columns: usize,
    /// How many there are in the whole accelerator.
    pub instances: usize,
}

/// A memory's module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MemoryUse {
    /// Verilog identifier.
    pub name: String,
    /// Words.
    pub words: usize,
    /// Bits of a word.
    pub width: usize,
    /// Bits that are written together: a lane.
    pub mask: usize,
    /// The ports that its users need: `1rw` or `1r1w`.
    pub ports: &'static str,
    /// The clock at whose rising edge both ports act.
    pub clock: &'static str,
    /// Clocks from a read's address to its word.
    pub read_latency: usize,
    /// What a word is that is read while it is written.
    pub read_during_write: &'static str,
    /// When it is read and written.
    pub accesses: &'static str,
    /// The macros that it is made of; absent where it is left to synthesis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub made_of: Option<Made>,
    /// How many there are.
    pub instances: usize,
    /// Where they are.
    pub places: Vec<Place>,
}

/// Macros of one memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    /// The macro.
    pub name: String,
    /// How many stand one behind another.
    pub deep: usize,
    /// How many stand side by side.
    pub wide: usize,
    /// Words beyond the memory's.
    pub unused_words: usize,
    /// Bits of each word beyond the memory's.
    pub unused_bits: usize,
}

/// An instance of a memory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// From the top's instances down, as simulators write it.
    pub path: String,
    /// What it holds.
    pub holds: &'static str,
    #[serde(skip)]
    user: Option<&'static User>,
}

impl MemoryTable {
    pub(super) fn new(top: &str, used: &[&Macro], memories: Vec<MemoryUse>) -> Self {
        let count = |one: &Macro| {
            let made = memories.iter().filter_map(|memory| {
                let made = memory.made_of.as_ref()?;
                (made.name == one.name).then_some(made.deep * made.wide * memory.instances)
            });
            made.sum()
        };
        let macros = used.iter().map(|one| MacroUse {
            name: one.name.clone(),
            words: one.words,
            width: one.width,
            mask: one.mask_bits(),
            ports: one.ports.to_string(),
            cell_rows: one.bit_cells().0,
            cell_columns: one.bit_cells().1,
            instances: count(one),
        });
        Self {
            top: top.to_owned(),
            macros: macros.collect(),
            memories,
        }
    }
}

impl MemoryUse {
    pub(super) fn new(
        module: &Module,
        (shape, one_port, accesses): (Shape, bool, &'static str),
        chosen: Option<&Macro>,
        places: Vec<Place>,
    ) -> Self {
        Self {
            name: module.name.clone(),
            words: shape.words,
            width: shape.width(),
            mask: shape.lane_bits,
            ports: if one_port { "1rw" } else { "1r1w" },
            clock: "clock",
            read_latency: 1,
            read_during_write: "never used",
            accesses,
            made_of: chosen.map(|one| {
                let tiling = Tiling::new(shape, one);
                Made {
                    name: one.name.clone(),
                    deep: tiling.deep,
                    wide: tiling.wide,
                    unused_words: tiling.unused_words(shape, one),
                    unused_bits: tiling.unused_bits(shape, one),
                }
            }),
            instances: places.len(),
            places,
        }
    }
}

/// Every instance of `memory`.
pub(super) fn places(emitted: &Emitted, memory: &str) -> Vec<Place> {
    let mut found = Vec::new();
    walk(emitted, emitted.top(), "", memory, &mut found);
    found
}

fn walk(emitted: &Emitted, at: &Module, path: &str, memory: &str, found: &mut Vec<Place>) {
    let top = &emitted.top().name;
    let own = at.name.strip_prefix(top.as_str()).unwrap_or(&at.name);
    let own = own.strip_prefix('_').unwrap_or(own);
    for (name, kind) in &at.children {
        let path = match path {
            "" => name.clone(),
            path => format!("{path}.{name}"),
        };
        if kind == memory {
            let user = user_of(own, name);
            found.push(Place {
                path,
                holds: user.map_or("unknown", |user| user.holds),
                user,
            });
        } else if let Some(child) = emitted.modules.iter().find(|m| m.name == *kind) {
            walk(emitted, child, &path, memory, found);
        }
    }
}

/// Whether one port is enough for all users of a memory, and why it is or is not.
pub(super) fn agreed(places: &[Place]) -> (bool, &'static str) {
    let users = || places.iter().map(|place| place.user);
    let two = users().find(|user| user.is_none_or(|user| !user.one_port));
    match two {
        Some(user) => (
            false,
            user.map_or("its user is unknown", |user| user.accesses),
        ),
        None => {
            let first = users().flatten().next();
            (true, first.map_or("it is not used", |user| user.accesses))
        }
    }
}
