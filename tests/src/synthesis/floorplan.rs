//! Where the multipliers and memories of an accelerator go on the LFE5U-85F.
//!
//! The placer spreads them as it likes, and one memory at the far edge is a wire of several
//! nanoseconds. Here each has a wish that follows from the way of the data: rows of the array
//! above one another and columns beside one another, under each column its requantizer and
//! its memories; between the rows of the array the weights, no further apart than the columns;
//! activations at the left, where they enter; program and results beside the control. A wish is
//! met by the nearest site that is free.
//!
//! The places are attributes `BEL` in the netlist between Yosys and nextpnr, which takes them as
//! given; nothing of them is in the accelerator's text.
//!
//! Sites: Project Trellis' database of the LFE5U-85F, as nextpnr-ecp5 names them.

use std::collections::BTreeMap;

/// Tiles of the left edges of the groups of sites: four multipliers or four memories in each row.
const GROUPS: [u32; 13] = [4, 13, 22, 31, 40, 49, 58, 69, 78, 87, 96, 105, 114];
/// From a group's left edge to its middle.
const MIDDLE: u32 = 3;
/// Rows of tiles with multipliers.
const MULTIPLIER_ROWS: [u32; 3] = [10, 34, 58];
/// Rows of tiles with memories.
const MEMORY_ROWS: [u32; 4] = [22, 46, 70, 82];
/// Rows of the array in one row of multipliers: a group's width is that of a column.
const ROWS_PER_BAND: usize = 4;
/// Groups at the left that belong to the activations, where the columns leave them.
const LEFT: usize = 3;

/// A block of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// 18 x 18 bits.
    Multiplier,
    /// 18 Kibit.
    Memory,
}

impl Kind {
    /// The type of its cell.
    pub fn cell(self) -> &'static str {
        match self {
            Self::Multiplier => "MULT18X18D",
            Self::Memory => "DP16KD",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Multiplier => "multipliers",
            Self::Memory => "memory blocks",
        }
    }

    /// All sites of the device.
    fn sites(self) -> Vec<Site> {
        let (rows, offsets): (&[u32], _) = match self {
            Self::Multiplier => (&MULTIPLIER_ROWS, [0, 1, 4, 5]),
            Self::Memory => (&MEMORY_ROWS, [0, 2, 4, 6]),
        };
        let mut sites = Vec::new();
        for &y in rows {
            for left in GROUPS {
                for (number, offset) in offsets.into_iter().enumerate() {
                    let x = left + offset;
                    let bel = match self {
                        Self::Multiplier => format!("X{x}/Y{y}/MULT18_{offset}"),
                        Self::Memory => format!("X{x}/Y{y}/EBR{number}"),
                    };
                    sites.push(Site { x, y, bel });
                }
            }
        }
        sites
    }
}

struct Site {
    x: u32,
    y: u32,
    bel: String,
}

/// What a block is for, in the order in which wishes are met; numbers from its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Use {
    /// A cell of the array.
    Cell { row: usize, column: usize },
    /// Multiplier or memory of a column.
    Column(usize),
    /// Activation buffer.
    Activations,
    /// Program, results, and whatever else hangs on the control.
    Control,
    /// Weight memory.
    Weights(usize),
}

impl Use {
    fn of(name: &str) -> Self {
        let number = |mark: &str| {
            let (_, behind) = name.split_once(mark)?;
            let digits = behind.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        };
        if let (Some(row), Some(column)) = (number("gen_pe_row["), number("gen_pe_column[")) {
            return Self::Cell { row, column };
        }
        if let Some(column) = number("gen_column[") {
            return Self::Column(column);
        }
        if name.starts_with("buffers.") {
            return Self::Activations;
        }
        match number("weight_path.memory.cells.0.") {
            Some(block) => Self::Weights(block),
            None => Self::Control,
        }
    }
}

/// Places of blocks, by the names of their cells.
pub type Places = BTreeMap<String, String>;

/// A place for every block, or a sentence on why the device has none.
///
/// # Errors
/// More blocks than sites.
pub fn places(blocks: &[(String, Kind)]) -> Result<Places, String> {
    let uses = blocks.iter().map(|(name, _)| Use::of(name));
    let (mut rows, mut columns) = (0, 0);
    for use_ in uses.clone() {
        match use_ {
            Use::Cell { row, column } => {
                rows = rows.max(row + 1);
                columns = columns.max(column + 1);
            }
            Use::Column(column) => columns = columns.max(column + 1),
            _ => {}
        }
    }
    let mut wishes: Vec<_> = uses.zip(blocks).collect();
    wishes.sort();
    let mut places = Places::new();
    for kind in [Kind::Multiplier, Kind::Memory] {
        let mut free = kind.sites();
        let wanted = blocks.iter().filter(|block| block.1 == kind).count();
        if wanted > free.len() {
            return Err(format!(
                "no floor plan: {wanted} {}, and the device has {}",
                kind.name(),
                free.len()
            ));
        }
        for (use_, (name, _)) in wishes.iter().filter(|(_, block)| block.1 == kind) {
            let (x, y) = wish(*use_, kind, rows, columns);
            let nearest = (0..free.len())
                .min_by_key(|&site| free[site].x.abs_diff(x) + free[site].y.abs_diff(y));
            let site = free.remove(nearest.expect("sites were counted"));
            places.insert(name.clone(), site.bel);
        }
    }
    Ok(places)
}

/// Where a block would like to be.
fn wish(use_: Use, kind: Kind, rows: usize, columns: usize) -> (u32, u32) {
    let middle = |group: usize| GROUPS[group] + MIDDLE;
    let columns = columns.max(1);
    let column_at = |column: usize| match columns + LEFT <= GROUPS.len() {
        true => middle(LEFT + column),
        false => middle(column * GROUPS.len() / columns),
    };
    match use_ {
        Use::Cell { row, column } => {
            // The last rows lie next to the columns' requantizers, which have the last band.
            let above = (rows - 1 - row) / ROWS_PER_BAND;
            let bands = MULTIPLIER_ROWS.len() - 1;
            let band = bands.saturating_sub(1 + above);
            (column_at(column), MULTIPLIER_ROWS[band])
        }
        Use::Column(column) => match kind {
            Kind::Multiplier => (column_at(column), MULTIPLIER_ROWS[2]),
            Kind::Memory => (column_at(column), MEMORY_ROWS[2]),
        },
        Use::Activations => (middle(LEFT - 2), MEMORY_ROWS[0]),
        Use::Control => (middle(LEFT - 1), MEMORY_ROWS[1]),
        Use::Weights(block) => {
            // Four above and four below in each column, and so on from the first column.
            let column = block / 8 % columns;
            (column_at(column), MEMORY_ROWS[block / 4 % 2])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names as Yosys gives them in an accelerator of these sizes.
    fn blocks(rows: usize, columns: usize, weights: usize) -> Vec<(String, Kind)> {
        let mut blocks = Vec::new();
        let mut add = |name: String, kind| blocks.push((name, kind));
        for column in 0..columns {
            for row in 0..rows {
                let cell = format!("array.gen_pe_row[{row}].gen_pe_column[{column}].pe.product_q");
                add(cell, Kind::Multiplier);
            }
            let of = format!("columns.gen_column[{column}].column");
            for factor in ["low", "high", "residual_product"] {
                add(format!("{of}.requantizer.{factor}"), Kind::Multiplier);
            }
            for memory in ["accumulator.memory", "parameters"] {
                for block in 0..2 {
                    add(format!("{of}.{memory}.cells.0.{block}"), Kind::Memory);
                }
            }
        }
        for block in 0..12 {
            let buffer = format!("buffers.gen_buffer[{}].buffer.cells.0.{block}", block / 4);
            add(buffer, Kind::Memory);
        }
        add("program_memory.cells.0.0".into(), Kind::Memory);
        add("results.memory.cells.0.0".into(), Kind::Memory);
        for block in 0..weights {
            add(format!("weight_path.memory.cells.0.{block}"), Kind::Memory);
        }
        blocks
    }

    #[test]
    fn the_device_has_as_many_sites_as_its_data_sheet_says() {
        // Lattice FPGA-DS-02012, LFE5U-85.
        assert_eq!(Kind::Multiplier.sites().len(), 156);
        assert_eq!(Kind::Memory.sites().len(), 208);
    }

    #[test]
    fn every_block_has_a_site_of_its_own_at_any_size_that_fits() {
        for (rows, columns, weights) in
            [(8, 8, 64), (4, 8, 16), (4, 16, 64), (4, 4, 8), (8, 13, 64)]
        {
            let blocks = blocks(rows, columns, weights);
            let places = places(&blocks).expect("it fits");
            assert_eq!(places.len(), blocks.len());
            let sites: std::collections::BTreeSet<_> = places.values().collect();
            assert_eq!(sites.len(), blocks.len(), "{rows} x {columns}");
        }
    }

    #[test]
    fn a_column_of_eight_rows_and_its_memories_stand_above_one_another() {
        let places = places(&blocks(8, 8, 64)).expect("it fits");
        let x = |name: &str| {
            let place = &places[name];
            let (x, _) = place[1..].split_once('/').expect("a place");
            x.parse::<u32>().expect("a number")
        };
        for column in 0..8 {
            let left = GROUPS[LEFT + column];
            for (name, _) in blocks(8, 8, 64) {
                let mine = [
                    format!("_column[{column}].pe"),
                    format!("n_column[{column}].column"),
                ];
                if mine.iter().any(|mine| name.contains(mine)) {
                    assert!(
                        (left..left + 9).contains(&x(&name)),
                        "{name} at {}",
                        x(&name)
                    );
                }
            }
        }
        let cell = |row| &places[&format!("array.gen_pe_row[{row}].gen_pe_column[0].pe.product_q")];
        assert!(cell(3).contains("/Y10/") && cell(4).contains("/Y34/"));
    }

    #[test]
    fn what_is_too_large_has_no_floor_plan_and_a_sentence() {
        assert_eq!(
            places(&blocks(16, 16, 64)),
            Err("no floor plan: 304 multipliers, and the device has 156".into())
        );
        assert_eq!(
            places(&blocks(8, 8, 512)),
            Err("no floor plan: 558 memory blocks, and the device has 208".into())
        );
    }
}
