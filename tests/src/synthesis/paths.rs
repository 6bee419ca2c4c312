//! All slow paths of a routed design, in groups of like registers.
//!
//! A report names the slowest path alone; the one behind it may be as slow and have another
//! cause. Here every input that a clock samples has its slowest path, and inputs whose registers
//! differ only in a number count as one group.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::{Deserialize, Serialize};

use super::sdf::{Delays, Pin};

/// Slow paths from like registers to like registers, and of them the slowest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathGroup {
    /// Registers or blocks at which they start; a number in brackets or at the end is left out.
    pub from: String,
    /// Those at which they end.
    pub to: String,
    /// The slowest one, in picoseconds, setup included.
    pub picoseconds: u32,
    /// How much of that it is on wires.
    pub wire_picoseconds: u32,
    /// Through how many cells it passes.
    pub hops: u32,
    /// Inputs at which slow paths of the group end.
    pub end_points: u32,
}

impl Display for PathGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanoseconds = |picoseconds| f64::from(picoseconds) / 1000.0;
        let share = 100 * self.wire_picoseconds / self.picoseconds.max(1);
        write!(
            f,
            "| {:.2} | {share} % | {} | {} | {} -> {} |",
            nanoseconds(self.picoseconds),
            self.hops,
            self.end_points,
            self.from,
            self.to
        )
    }
}

/// How a signal gets to a pin.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    time: u32,
    wire: u32,
    hops: u32,
    start: Pin,
}

/// Groups of paths between clocked elements that take longer than `limit` picoseconds, the
/// slowest first. The first group has the design's slowest path if that is longer than `limit`.
pub fn slow_groups(delays: &Delays, limit: u32) -> Vec<PathGroup> {
    let arrivals = arrivals(delays);
    // An input has a check for each of its edges.
    let mut ends: BTreeMap<Pin, u32> = BTreeMap::new();
    for &(input, _, setup) in &delays.setups {
        let longest = ends.entry(input).or_default();
        *longest = setup.max(*longest);
    }
    let mut groups: BTreeMap<(String, String), PathGroup> = BTreeMap::new();
    for (&input, &setup) in &ends {
        let Some(arrival) = arrivals[input as usize] else {
            continue;
        };
        let picoseconds = arrival.time + setup;
        if picoseconds <= limit {
            continue;
        }
        let [from, to] = [arrival.start, input].map(|pin| kind(&delays.pins[pin as usize].cell));
        let group = groups
            .entry((from.clone(), to.clone()))
            .or_insert(PathGroup {
                from,
                to,
                picoseconds: 0,
                wire_picoseconds: 0,
                hops: 0,
                end_points: 0,
            });
        group.end_points += 1;
        if picoseconds > group.picoseconds {
            group.picoseconds = picoseconds;
            group.wire_picoseconds = arrival.wire;
            group.hops = arrival.hops;
        }
    }
    let mut groups: Vec<PathGroup> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.picoseconds));
    groups
}

/// The latest arrival at every pin that a clocked element reaches, by Kahn's order.
fn arrivals(delays: &Delays) -> Vec<Option<Arrival>> {
    let pins = delays.pins.len();
    let mut clocks = vec![false; pins];
    for &(_, clock, _) in &delays.setups {
        clocks[clock as usize] = true;
    }
    let mut arrivals: Vec<Option<Arrival>> = vec![None; pins];
    let mut onward: Vec<Vec<(Pin, u32, bool)>> = vec![Vec::new(); pins];
    let mut waits_for = vec![0_u32; pins];
    for &(from, to, delay) in &delays.arcs {
        if clocks[from as usize] {
            let arrival = &mut arrivals[to as usize];
            let time = arrival.map_or(0, |arrival| arrival.time).max(delay);
            *arrival = Some(Arrival {
                time,
                wire: 0,
                hops: 0,
                start: to,
            });
        } else {
            onward[from as usize].push((to, delay, false));
            waits_for[to as usize] += 1;
        }
    }
    for &(from, to, delay) in &delays.wires {
        onward[from as usize].push((to, delay, true));
        waits_for[to as usize] += 1;
    }
    let mut ready: Vec<Pin> = (0..pins as Pin)
        .filter(|&pin| waits_for[pin as usize] == 0)
        .collect();
    while let Some(pin) = ready.pop() {
        for &(to, delay, wire) in &onward[pin as usize] {
            if let Some(before) = arrivals[pin as usize] {
                let later = Arrival {
                    time: before.time + delay,
                    wire: before.wire + if wire { delay } else { 0 },
                    hops: before.hops + u32::from(!wire),
                    start: before.start,
                };
                let known = &mut arrivals[to as usize];
                if known.is_none_or(|known| known.time < later.time) {
                    *known = Some(later);
                }
            }
            waits_for[to as usize] -= 1;
            if waits_for[to as usize] == 0 {
                ready.push(to);
            }
        }
    }
    arrivals
}

/// What a cell is, without its numbers: `column[3].sum_q_TRELLIS_FF_Q_7` and
/// `column[0].sum_q_TRELLIS_FF_Q` are both `column[].sum_q`.
fn kind(cell: &str) -> String {
    let made_by_yosys = ["_TRELLIS_", "_LUT4_", "_CCU2C_", "_MULT18X18D_", "_PFUMX_"];
    let end = made_by_yosys
        .iter()
        .filter_map(|mark| cell.find(mark))
        .min()
        .unwrap_or(cell.len());
    let mut kind = String::new();
    let mut characters = cell[..end].chars();
    while let Some(character) = characters.next() {
        kind.push(character);
        if character == '[' {
            kind.extend(characters.by_ref().find(|&next| next == ']'));
        }
    }
    // Blocks of a memory are numbered by word and by bits.
    let name = kind.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    match name.ends_with(".cells") {
        true => name.to_owned(),
        false => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What nextpnr-ecp5 0.11.1 wrote for a counter of four bits with an enable, and the clock
    /// that it reported for it.
    const RECORDED: &str = include_str!("small.sdf");
    const REPORTED_MHZ: f64 = 579.710_144_042_968_8;

    fn groups(limit: u32) -> Vec<PathGroup> {
        slow_groups(&Delays::parse(RECORDED).expect("nextpnr wrote it"), limit)
    }

    #[test]
    fn the_slowest_group_of_a_recorded_design_is_the_path_that_nextpnr_reported() {
        let groups = groups(0);
        let slowest = &groups[0];
        assert!((f64::from(slowest.picoseconds) - 1e6 / REPORTED_MHZ).abs() < 1.0);
        // A register, a wire, a look-up table, the wire inside of the slice: 525 + 834 + 236 + 130.
        assert_eq!(slowest.picoseconds, 1725);
        assert_eq!(slowest.wire_picoseconds, 834 + 130);
        assert_eq!((slowest.from.as_str(), slowest.hops), ("count", 1));
    }

    #[test]
    fn every_input_behind_a_register_counts_in_one_group_and_no_port_does() {
        let groups = groups(0);
        let counts: Vec<_> = groups
            .iter()
            .map(|group| (&*group.from, &*group.to, group.end_points))
            .collect();
        // Three bits of the counter read another one, the fourth reads all through a table;
        // each has an enable. `early` reads a port.
        assert_eq!(
            counts,
            [
                ("count", "count", 4),
                ("count", "q", 1),
                ("early", "count", 4)
            ]
        );
    }

    #[test]
    fn a_limit_leaves_out_what_is_fast_enough_and_nothing_else() {
        let all = groups(0);
        let slowest = all[0].picoseconds;
        assert_eq!(groups(slowest), []);
        assert_eq!(groups(slowest - 1)[0].picoseconds, slowest);
    }

    #[test]
    fn like_registers_of_all_columns_are_of_one_kind() {
        for (cell, expected) in [
            (
                "columns.gen_column[3].column.sum_q_TRELLIS_FF_Q_7",
                "columns.gen_column[].column.sum_q",
            ),
            ("weight_path.memory.cells.0.17", "weight_path.memory.cells"),
            ("pe.product_q_TRELLIS_FF_Q_DI_MULT18X18D_P0", "pe.product_q"),
            ("buffers.buffer_2", "buffers.buffer_2"),
        ] {
            assert_eq!(kind(cell), expected);
        }
    }
}
