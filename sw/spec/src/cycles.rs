//! How long a pass takes: a closed formula of configuration and program.
//!
//! ```text
//! cycles = Σ steps (F + (tiles − outputs) · P + outputs · P′ + D) + W
//!   F = 15                              descriptor fetch and set-up
//!   P = max(M, A, L [convolution])      a tile
//!   P′ = max(S · M, A, L [convolution]) the last one of each tile of outputs
//!   D = R + C + 18                      last pixel issued .. written; 2 more with tables
//!   W = max(0, prime + L′ − F − pools)  first tile's weights, before the first convolution
//!     + Σ max(0, L′ − P′ − D − F − pools) and before each that follows one of last period P′
//! ```
//!
//! A step is a layer, or a copy of a tensor; a concat whose parts are written into it is none.
//! R rows, C columns, M output pixels, S clocks that a pixel takes where its sum is complete: C in
//! the last layer, whose results leave one by one, 2 where outputs are written across a tile of
//! lanes, else 1; L clocks of a load, L′ = L + 1, for a layer begins one clock after its first weights; a load has the words per tile, but
//! min(R, C) / rows per word in a depthwise layer, whose words give a weight to each of as many
//! rows; A = 5 the accumulator's read-modify-write latency, `pools` the time of the steps in front
//! that have no weights, `prime` the depth of the weight path; outputs = ceil(output channels / C),
//! tiles = outputs · taps, times the tiles of rows that an output tile reads in a convolution; an addition has two taps,
//! one of each tensor. `cycles` counts from the second clock after the start command to the one in which
//! the last result is in the result FIFO, so stalls of either stream cannot change it.

use crate::code::CodeName;
use crate::config::Configuration;
use crate::fault;
use crate::program::{Program, Step, descriptor};
use std::ops::Range;

/// A: clocks between a read of an accumulator and the next read of the same one.
pub const ACCUMULATOR_LATENCY: usize = 5;
/// From the clock after the start command to the first one that counts: a flip-flop says that a pass
/// begins.
pub const START_LATENCY: u64 = 1;
/// Descriptor words, of which the first is taken before: one clock for each other one, none for the
/// program memory's latency, and one between the decision that a layer begins and its beginning.
pub const FETCH: usize = descriptor::WORDS;
/// From the last word of a layer's first tile, in the clock in which it leaves the weight path, to
/// the layer's first pixel: the same decision.
pub const BEGIN_LATENCY: usize = 1;
/// From the sequencer's decision to the array's row 0: issue register, address register, memory,
/// its register, choice of a buffer, lane select.
pub const ISSUE_LATENCY: usize = 6;
/// From a column's control to its output, C more for the deskew: accumulator and requantizer.
pub const COLUMN_LATENCY: usize = 11;
/// What tables add to it: memory, its register.
pub const TABLE_LATENCY: usize = 2;
/// From the deskewed outputs to the destination buffer.
pub const WRITE_LATENCY: usize = 1;

/// The shortest time a tile may take, whatever its pixels: with the clocks of its load, 0 in a pool.
pub fn shortest_period(load: usize) -> usize {
    ACCUMULATOR_LATENCY.max(load)
}

/// P: clocks from one tile of a layer to the next, but for the last one of an output tile.
pub fn tile_period(step: &Step) -> usize {
    shortest_period(step.clocks_per_load()).max(step.pixels())
}

/// P′: clocks of the last tile of an output tile, whose sums are complete.
pub fn last_period(configuration: &Configuration, step: &Step) -> usize {
    let pixels = step.pixels() * step.spacing(configuration.columns);
    shortest_period(step.clocks_per_load()).max(pixels)
}

/// Clocks in which a step streams its tiles.
fn streaming(configuration: &Configuration, step: &Step) -> u64 {
    let last = step.output_tiles;
    let others = (step.tiles() - last) * tile_period(step);
    (others + last * last_period(configuration, step)) as u64
}

/// D: clocks from the last pixel's decision to its result in memory.
pub fn drain(configuration: &Configuration) -> usize {
    let column = match configuration.tables {
        0 => COLUMN_LATENCY,
        _ => COLUMN_LATENCY + TABLE_LATENCY,
    };
    ISSUE_LATENCY + configuration.rows + column + configuration.columns + WRITE_LATENCY
}

/// From a word's address to its place in the FIFO: address register, memory, its register, disturbed
/// word, FIFO.
pub const WORD_LATENCY: usize = 5;
/// Clocks that a decoder adds: syndrome, correction.
pub const DECODER_LATENCY: usize = 2;
/// Cipher rounds that one stage of the fault pipeline computes.
pub const ROUNDS_PER_STAGE: usize = 2;
/// Stages of the fault pipeline.
pub const FAULT_STAGES: usize =
    (fault::WARM_UP_ROUNDS + fault::PLANES + fault::POLARITY_PLANES) / ROUNDS_PER_STAGE;

/// Clocks from a word's address to the first cycle in which it can leave the weight path.
pub fn weight_latency(configuration: &Configuration) -> usize {
    let decoder = match configuration.code {
        CodeName::None => 0,
        _ => DECODER_LATENCY,
    };
    let faults = if configuration.fault_emulation {
        // The last three stages run beside the memory and the registers around it.
        FAULT_STAGES - 3
    } else {
        0
    };
    WORD_LATENCY + decoder + faults
}

/// Clocks of one step, without the wait for the first weights.
pub fn layer_cycles(configuration: &Configuration, step: &Step) -> u64 {
    FETCH as u64 + streaming(configuration, step) + drain(configuration) as u64
}

/// Clocks of a whole pass.
pub fn program_cycles(configuration: &Configuration, program: &Program) -> u64 {
    step_clocks(configuration, program)
        .last()
        .map_or(0, |clocks| clocks.end)
}

/// In which clocks of a pass each step runs, from the end of the one before it, and so with the
/// wait for its first weights, to its own. Clock 0 is [`START_LATENCY`] clocks behind the one after the
/// start command.
pub fn step_clocks(configuration: &Configuration, program: &Program) -> Vec<Range<u64>> {
    let mut total = 0;
    // When the load of the next convolution's first tile may begin.
    let mut loading = weight_latency(configuration) as u64;
    let clocks_of = |step: &Step| {
        let begin = total;
        if step.convolution {
            let ready = loading + (step.clocks_per_load() + BEGIN_LATENCY) as u64;
            total += ready.saturating_sub(total + FETCH as u64);
            let last = last_period(configuration, step) as u64;
            loading = total + FETCH as u64 + streaming(configuration, step) - last;
        }
        total += layer_cycles(configuration, step);
        begin..total
    };
    program.steps.iter().map(clocks_of).collect()
}

/// How many clocks of its step follow the one behind whose edge an output value stands where it is
/// written: that of the pixel of a number, row by row, in a channel. Of a pixel that is written in
/// two clocks, the first one.
pub fn clocks_after_write(
    configuration: &Configuration,
    step: &Step,
    pixel: usize,
    channel: usize,
) -> u64 {
    let columns = configuration.columns;
    let (tile, column) = (channel / columns, channel % columns);
    let others = (step.tiles() / step.output_tiles - 1) * tile_period(step);
    let last = last_period(configuration, step);
    let later_tiles = step.output_tiles.saturating_sub(tile + 1) * (others + last);
    // Results leave one by one before the columns are aligned, other values together behind that.
    let among = if step.wide { columns - column } else { 0 };
    let later_pixels = last.saturating_sub(pixel * step.spacing(columns) + 1);
    (later_tiles + later_pixels + among) as u64
}

/// Clocks in which an activation enters row 0, padding zeros included.
pub fn busy_cycles(program: &Program) -> u64 {
    program
        .steps
        .iter()
        .filter(|step| step.convolution)
        .map(|step| (step.tiles() * step.pixels()) as u64)
        .sum()
}
