//! Writes a design as C++ that simulates many runs of it side by side.
//!
//! The runs are the lanes of vector registers. What is the same in all of them (on a chip that does
//! one thing to many data: nearly all control) is one value; what differs is a vector. Which is which
//! is found by following what differs from the inputs on, up to what the caller
//! says is equal: there the lanes are compared, and where they have come apart the model stops and
//! says where. This crate knows nothing of what the hardware is for.
//!
//! ```text
//! flat       instances taken apart: nets, combinational blocks, registers, memories
//! simplify   wires and values that are read once go to where they are read
//! taint      which nets differ between lanes
//! family     nets whose paths differ in numbers alone are elements of one array
//! group      statements that differ in numbers alone become a loop
//! schedule   levels of combinational groups, and an order of registers in which each is overwritten
//!            after all that read it, so that nothing is copied
//! cpp        text; values are in cpp/lanes.h
//! ```
//!
//! # What lanes can do
//!
//! A condition that differs between lanes chooses lane by lane. A memory may be one for all lanes and
//! be read at an address of each lane's own (a table), or have words of each lane's own and be read
//! so; written it is at one address, which is compared. A memory that the caller says is equal keeps
//! one copy of its words, and what is written is compared. What differs in one bit differs in all:
//! a flag that travels in one vector with data is taken for data.
//!
//! # In C++
//!
//! A clock edge is one call: everything combinational that registers depend on, then the registers in
//! place. Outputs are computed by a function of their own, for they are asked for between edges, too.
//! Conditions that are the same for all lanes are branches, others choose lane by lane.

mod cpp;
mod error;
mod expr;
mod family;
mod flat;
mod group;
mod leaf;
mod schedule;
mod simplify;
mod taint;
#[cfg(test)]
mod tests;

pub use error::EngineError;
pub use leaf::{Leaf, LeafRegister, Wire};

use brownout_emitter::netlist::Netlist;
use taint::{Equal, Taint};

/// What is to be written.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Runs side by side: 1, 2, 4, 8, 16 or 32.
    pub lanes: usize,
    /// Inputs of the top that differ between them.
    pub differing: Vec<String>,
    /// Registers and memories that are equal in all lanes whatever is assigned, by their paths or how
    /// these begin, with `#` for numbers: `columns.column$#.parameters`. It is checked at run time.
    pub equal: Vec<String>,
    /// What begins like one of [`Options::equal`] and may differ all the same.
    pub excepted: Vec<String>,
}

/// A port of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Name in the Verilog.
    pub name: String,
    /// Whether the host writes it.
    pub input: bool,
    /// Bits; it lies in the smallest unsigned integer of 8, 16, 32 or 64 bits that holds it.
    pub width: usize,
    /// One value a lane, in their order; else one value.
    pub lanes: bool,
}

/// A register, or where one is among others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Path with `.` between instances and `$` within a module.
    pub path: String,
    /// Bits.
    pub width: usize,
    /// One value a lane; else one value.
    pub lanes: bool,
    /// Number of its family in the C interface.
    pub family: usize,
    /// Its place there.
    pub index: usize,
}

/// A model's text and what is needed to use it.
#[derive(Debug, Clone)]
pub struct Source {
    /// C++17 with GCC's vector extensions, one file.
    pub text: String,
    /// Ports in the order of the C interface.
    pub ports: Vec<Port>,
    /// All registers.
    pub registers: Vec<Register>,
}

/// Writes `netlist` as C++. `leaf` says what a module that is only text does, given its name and text.
///
/// # Errors
/// A leaf that nobody knows, a net that is too wide, or an option that names what is not there.
pub fn write(
    netlist: &Netlist,
    leaf: &dyn Fn(&str, &str) -> Option<Leaf>,
    options: &Options,
) -> Result<Source, EngineError> {
    if !matches!(options.lanes, 1 | 2 | 4 | 8 | 16 | 32) {
        return Err(EngineError::Lanes(options.lanes));
    }
    let mut flat = flat::flatten(netlist, leaf)?;
    let outputs = simplify::simplify(&mut flat);
    let mut differing = vec![false; flat.nets.len()];
    for name in &options.differing {
        let input = flat.inputs.iter().find(|n| flat.nets[**n].path == *name);
        let Some(&input) = input else {
            let known = flat.inputs.iter().map(|n| flat.nets[*n].path.as_str());
            return Err(EngineError::Unknown {
                what: "input",
                name: name.clone(),
                known: known.collect::<Vec<_>>().join(", "),
            });
        };
        differing[input] = true;
    }
    let equal = equal(&flat, options)?;
    let taint = Taint::of(&flat, &differing, &equal);
    let families = family::Families::of(&flat, &taint);
    let program = schedule::schedule(&flat, &outputs, &families)?;
    let text = cpp::write(&flat, &taint, &families, &program, &outputs, options.lanes);
    let input = |&net: &usize| Port {
        name: flat.nets[net].path.clone(),
        input: true,
        width: flat.nets[net].width,
        lanes: taint.nets[net],
    };
    let output = |(&net, value): (&usize, &expr::Value)| Port {
        name: flat.nets[net].path.clone(),
        input: false,
        width: value.width,
        lanes: taint.value(value),
    };
    let ports = flat.inputs.iter().map(input);
    let register = |&net: &usize| Register {
        path: flat.nets[net].path.clone(),
        width: flat.nets[net].width,
        lanes: taint.nets[net],
        family: families.nets[net].0,
        index: families.nets[net].1,
    };
    Ok(Source {
        text,
        ports: ports
            .chain(flat.outputs.iter().zip(&outputs).map(output))
            .collect(),
        registers: flat.registers.iter().map(register).collect(),
    })
}

/// The nets and memories that the options name.
fn equal(flat: &flat::Flat, options: &Options) -> Result<Equal, EngineError> {
    let begins = |path: &str, names: &[String]| {
        let (pattern, _) = family::pattern(path);
        names.iter().position(|name| {
            let rest = pattern.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '$']))
        })
    };
    let mut met = vec![false; options.equal.len()];
    let mut flag = |path: &str| match begins(path, &options.equal) {
        Some(at) => {
            met[at] = true;
            begins(path, &options.excepted).is_none()
        }
        None => false,
    };
    let mut nets = vec![false; flat.nets.len()];
    for &net in &flat.registers {
        nets[net] = flag(&flat.nets[net].path);
    }
    let memories = flat.memories.iter().map(|m| flag(&m.path)).collect();
    if let Some(at) = met.iter().position(|met| !met) {
        let known = flat.memories.iter().map(|m| family::pattern(&m.path).0);
        let known: std::collections::BTreeSet<String> = known.collect();
        return Err(EngineError::Unknown {
            what: "register or memory",
            name: options.equal[at].clone(),
            known: format!(
                "the memories {}",
                known.into_iter().collect::<Vec<_>>().join(", ")
            ),
        });
    }
    Ok(Equal { nets, memories })
}
