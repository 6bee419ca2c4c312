//! Memories made of a process's macros instead of left to synthesis.
//!
//! Each memory's module gets another text under the same name and ports: macros, one behind another
//! and side by side, as [`tile`] counts them. Their declarations have no body; a model of each stands
//! beside them for simulation.

mod model;
mod pins;
mod table;
mod tile;
mod users;
mod wrapper;

pub use table::{MacroUse, MemoryTable, MemoryUse, Place};
pub use tile::{MOST_TILES, Tiling};
pub use users::{User, user_of};

use crate::memory::shape_of;
use brownout_emitter::{Emitted, Module, is_free_module_name};
use brownout_spec::macros::{Macro, MacroList};
use thiserror::Error;

/// Why memories cannot be made of the macros of a list.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MacroError {
    /// A macro's name is reserved, or a module's.
    #[error(
        "name of macro {0} is not free; allowed is one that is no keyword of Verilog, VHDL, C or C++ and no module of the accelerator or its board"
    )]
    Name(String),
    /// No macro has two ports.
    #[error(
        "no macro of the list has ports = \"1r1w\" or \"1rw1r\", which {memory} needs ({accesses}); allowed is a list with one, or registers_up_to = {bits} or more"
    )]
    Ports {
        /// Module of the memory.
        memory: String,
        /// Why it needs them.
        accesses: &'static str,
        /// Its bits.
        bits: usize,
    },
    /// The macros are too small.
    #[error(
        "{memory} takes {count} macros {name}; allowed are at most {MOST_TILES}: list a larger one"
    )]
    Count {
        /// Module of the memory.
        memory: String,
        /// The macro.
        name: String,
        /// How many are needed.
        count: usize,
    },
}

/// An accelerator whose memories are macros.
#[derive(Debug, Clone)]
pub struct WithMacros {
    /// The accelerator; its memories' modules hold macros.
    pub emitted: Emitted,
    /// The macros that are used.
    pub macros: Vec<MacroText>,
    /// Which memory is made of what.
    pub table: MemoryTable,
}

/// Texts of a macro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacroText {
    /// Its module.
    pub name: String,
    /// Its declaration without a body, for synthesis.
    pub declaration: String,
    /// Its behaviour, for simulation.
    pub model: String,
}

/// The accelerator with its memories made of the macros of `list`.
///
/// A memory has one port if none of its users reads and writes it in one clock; users of one shape
/// share a module, so that all of them must agree.
///
/// # Errors
/// See [`MacroError`]: a name that is taken, or macros that are too few or too small.
pub fn with_macros(emitted: &Emitted, list: &MacroList) -> Result<WithMacros, MacroError> {
    check_names(emitted, list)?;
    let mut wrapped = emitted.clone();
    let mut memories = Vec::new();
    for module in &mut wrapped.modules {
        let Some(shape) = shape_of(module) else {
            continue;
        };
        let places = table::places(emitted, &module.name);
        let (one_port, accesses) = table::agreed(&places);
        let bits = shape.words * shape.width();
        let chosen = match bits <= list.registers_up_to {
            true => None,
            false => {
                let chosen = tile::choose(shape, one_port, &list.macros);
                let at = chosen.ok_or_else(|| MacroError::Ports {
                    memory: module.name.clone(),
                    accesses,
                    bits,
                })?;
                Some(&list.macros[at])
            }
        };
        if let Some(one) = chosen {
            module.text = text(module, shape, one)?;
        }
        memories.push(MemoryUse::new(
            module,
            (shape, one_port, accesses),
            chosen,
            places,
        ));
    }
    let used = |one: &&Macro| {
        let mut made = memories.iter().filter_map(|memory| memory.made_of.as_ref());
        made.any(|made| made.name == one.name)
    };
    let used: Vec<&Macro> = list.macros.iter().filter(used).collect();
    let texts = used.iter().map(|one| MacroText {
        name: one.name.clone(),
        declaration: model::declaration(one),
        model: model::model(one),
    });
    Ok(WithMacros {
        macros: texts.collect(),
        table: MemoryTable::new(&wrapped.top().name, &used, memories),
        emitted: wrapped,
    })
}

fn text(module: &Module, shape: crate::memory::Shape, one: &Macro) -> Result<String, MacroError> {
    let tiling = Tiling::new(shape, one);
    if tiling.count() > MOST_TILES {
        return Err(MacroError::Count {
            memory: module.name.clone(),
            name: one.name.clone(),
            count: tiling.count(),
        });
    }
    Ok(wrapper::wrapper(module, shape, one, tiling))
}

fn check_names(emitted: &Emitted, list: &MacroList) -> Result<(), MacroError> {
    for one in &list.macros {
        // Files are named as modules, and some systems do not tell cases apart.
        let taken = |module: &Module| module.name.eq_ignore_ascii_case(&one.name);
        if !is_free_module_name(&one.name) || emitted.modules.iter().any(taken) {
            return Err(MacroError::Name(one.name.clone()));
        }
    }
    Ok(())
}
