//! Nets whose paths differ in numbers alone are elements of one array.

use crate::flat::Flat;
use crate::taint::Taint;
use std::collections::BTreeMap;

pub(crate) type FamilyId = usize;

/// An array of values, or of memories, of one width.
#[derive(Debug, Clone)]
pub(crate) struct Family {
    /// Path with `#` for numbers.
    pub pattern: String,
    pub width: usize,
    /// Elements differ between lanes.
    pub lanes: bool,
    /// A register or an input, which keeps its value over a clock edge.
    pub kept: bool,
    pub count: usize,
}

/// Families, and where every net is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Families {
    pub list: Vec<Family>,
    /// By net: family and index.
    pub nets: Vec<(FamilyId, usize)>,
    /// Families of memories: pattern, members' common form in `memories`.
    pub memories: Vec<MemoryFamily>,
    /// By memory: family and index.
    pub memory: Vec<(usize, usize)>,
}

#[derive(Debug, Clone)]
pub(crate) struct MemoryFamily {
    pub pattern: String,
    pub depth: usize,
    pub lanes: usize,
    pub width: usize,
    /// Words differ between lanes of the engine.
    pub differs: bool,
    pub count: usize,
}

/// `array.pe$5.sum$q` -> `array.pe$#.sum$q` and 5.
pub(crate) fn pattern(path: &str) -> (String, Vec<usize>) {
    let mut numbers = Vec::new();
    let mut out = String::new();
    for (at, part) in path.split_inclusive(['.', '$']).enumerate() {
        let name = part.trim_end_matches(['.', '$']);
        match name.parse() {
            Ok(number) if at > 0 => {
                numbers.push(number);
                out.push('#');
                out.push_str(&part[name.len()..]);
            }
            _ => out.push_str(part),
        }
    }
    (out, numbers)
}

impl Families {
    pub fn of(flat: &Flat, taint: &Taint) -> Self {
        let mut families = Self {
            nets: vec![(0, 0); flat.nets.len()],
            memory: vec![(0, 0); flat.memories.len()],
            ..Self::default()
        };
        type Key = (String, usize, bool, bool);
        let mut found: BTreeMap<Key, Vec<(Vec<usize>, usize)>> = BTreeMap::new();
        for (id, net) in flat.nets.iter().enumerate() {
            let (pattern, numbers) = pattern(&net.path);
            let kept = flat.registers.contains(&id) || flat.inputs.contains(&id);
            let key = (pattern, net.width, taint.nets[id], kept);
            found.entry(key).or_default().push((numbers, id));
        }
        for ((pattern, width, lanes, kept), mut members) in found {
            members.sort();
            for (index, (_, net)) in members.iter().enumerate() {
                families.nets[*net] = (families.list.len(), index);
            }
            families.list.push(Family {
                pattern,
                width,
                lanes,
                kept,
                count: members.len(),
            });
        }
        type Form = (String, usize, usize, usize, bool);
        let mut found: BTreeMap<Form, Vec<(Vec<usize>, usize)>> = BTreeMap::new();
        for (id, memory) in flat.memories.iter().enumerate() {
            let (pattern, numbers) = pattern(&memory.path);
            let (depth, lanes, width) = (memory.depth, memory.lanes, memory.width);
            let key = (pattern, depth, lanes, width, taint.memories[id]);
            found.entry(key).or_default().push((numbers, id));
        }
        for ((pattern, depth, lanes, width, differs), mut members) in found {
            members.sort();
            for (index, (_, memory)) in members.iter().enumerate() {
                families.memory[*memory] = (families.memories.len(), index);
            }
            families.memories.push(MemoryFamily {
                pattern,
                depth,
                lanes,
                width,
                differs,
                count: members.len(),
            });
        }
        families
    }
}
