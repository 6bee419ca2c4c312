//! A step as the sequencer reads it.

use super::Step;
use super::descriptor::{self as field, Descriptor};
use crate::config::Configuration;
use crate::image::Tiling;

/// Channels in the last of the tiles that `channels` fill.
fn last_tile(channels: usize, tile: usize) -> usize {
    (channels - 1) % tile + 1
}

/// The descriptor of a step whose other fields are decided.
pub(super) fn describe(configuration: &Configuration, step: &Step) -> Descriptor {
    let mut d = Descriptor::default();
    let s = &step.shapes;
    let columns = configuration.columns;
    d.set(field::POOL, usize::from(!step.convolution));
    d.set(field::AVERAGE, usize::from(step.sums));
    d.set(field::WIDE, usize::from(step.wide));
    d.set(field::LAST, usize::from(step.wide));
    d.set(field::SETS, usize::from(step.sets > 1));
    d.set(field::TABLED, usize::from(step.table.is_some()));
    d.set(field::TABLE, step.table.unwrap_or(0));
    d.set(field::SOURCE, step.source.buffer);
    d.set_wrapped(field::SOURCE_ZERO, step.source_zero.into());
    d.set(field::DESTINATION, step.destination.buffer);
    d.set(field::DESTINATION_BASE, step.destination.base);
    d.set(field::DESTINATION_TILE, step.destination.lane / columns);
    d.set(field::DESTINATION_LANE, step.destination.lane % columns);
    d.set(field::SPLIT, usize::from(step.split));
    d.set(field::KEEP, usize::from(step.keep));
    describe_window(step, &mut d);
    d.set(field::INPUT_HEIGHT, s.input.height);
    d.set(field::INPUT_WIDTH, s.input.width);
    d.set(field::OUTPUT_HEIGHT, s.output.height - 1);
    d.set(field::OUTPUT_WIDTH, s.output.width - 1);
    d.set(field::INPUT_TILES, step.input_tiles - 1);
    d.set(field::OUTPUT_TILES, step.output_tiles - 1);
    // The last tile of rows differs from one output tile to the next where there are groups. None
    // of their weights meets a row without a channel.
    let rows = match s.groups {
        1 => last_tile(s.input.channels, configuration.rows),
        _ => configuration.rows,
    };
    d.set(field::LAST_ROWS, rows);
    let used = last_tile(s.output.channels, columns);
    d.set(field::LAST_COLUMNS, used);
    d.set(field::OUTPUT_PLANE, s.output.pixels() - 1);
    d.set(field::PARAMETER_BASE, step.parameter_base);
    d.set(field::SHIFT, usize::from(step.output.shift));
    d.set_wrapped(field::LOW, i64::from(step.output.low));
    d.set_wrapped(field::HIGH, i64::from(step.output.high));
    describe_operand(configuration, step, &mut d);
    describe_groups(configuration, step, &mut d);
    d
}

/// What of each word of the weights the array gets.
pub(super) fn describe_load(configuration: &Configuration, tiling: &Tiling, d: &mut Descriptor) {
    // The activations of rows behind an ungrouped layer's channels are zeros.
    let inputs = match tiling.groups() {
        1 => tiling.input_tiles() * configuration.rows,
        _ => tiling.group_inputs(),
    };
    d.set(field::DIAGONAL, usize::from(tiling.is_diagonal()));
    d.set(field::GROUP_INPUTS, inputs - 1);
    d.set(field::GROUP_OUTPUTS, tiling.group_outputs() - 1);
}

/// Where the groups of the next output tile begin. With one there is no next one.
fn describe_groups(configuration: &Configuration, step: &Step, d: &mut Descriptor) {
    let Some(tiling) = step.tiling.filter(|_| step.output_tiles > 1) else {
        return;
    };
    let whole = configuration.columns / tiling.group_outputs();
    let rest = configuration.columns % tiling.group_outputs();
    d.set(field::GROUP_REST, rest);
    d.set(field::GROUP_ROWS, whole * tiling.group_inputs());
}

fn describe_window(step: &Step, d: &mut Descriptor) {
    let s = &step.shapes;
    let window = step.window();
    let width = s.input.width as i64;
    d.set(field::KERNEL_HEIGHT, window.height - 1);
    d.set(field::KERNEL_WIDTH, step.taps() / window.height - 1);
    d.set(field::STRIDE_ROWS, window.stride.rows);
    d.set(field::STRIDE_COLUMNS, window.stride.columns);
    d.set(field::PADDING_ABOVE, window.padding.top);
    d.set(field::PADDING_IN_FRONT, window.padding.left);
    d.set(field::DILATION_ROWS, window.dilation.rows);
    d.set(field::DILATION_COLUMNS, window.dilation.columns);
    d.set(field::REPEAT_ROWS, step.repeats.0);
    d.set(field::REPEAT_COLUMNS, step.repeats.1);
    d.set_wrapped(field::INPUT_PLANE, s.input.pixels() as i64);
    d.set_wrapped(field::ROW_STEP, window.stride.rows as i64 * width);
    let across = (window.width as i64 - 1) * window.dilation.columns as i64;
    d.set_wrapped(
        field::TAP_ROW_STEP,
        window.dilation.rows as i64 * width - across,
    );
    let margin = window.padding.top as i64 * width + window.padding.left as i64;
    d.set_wrapped(field::ORIGIN, step.source.base as i64 - margin);
}

/// The operand port: a residual, or the map that a pool reduces.
fn describe_operand(configuration: &Configuration, step: &Step, d: &mut Descriptor) {
    let columns = configuration.columns;
    let Some(operand) = &step.operand else {
        let channels = step.shapes.output.channels;
        d.set(field::OPERAND_SOURCE, step.source.buffer);
        d.set(field::OPERAND_STRIDE, 1);
        d.set_wrapped(field::OPERAND_PLANE, step.shapes.input.pixels() as i64);
        d.set(field::OPERAND_TILES, step.output_tiles - 1);
        let used = last_tile(channels, columns);
        d.set(field::LAST_OPERAND_COLUMNS, used);
        return;
    };
    let shape = operand.shape;
    d.set(field::OPERAND, 1);
    d.set(field::OPERAND_SOURCE, operand.place.buffer);
    d.set(field::OPERAND_BASE, operand.place.base);
    d.set_wrapped(field::OPERAND_ZERO, operand.zero.into());
    d.set(field::OPERAND_STRIDE, operand.stride);
    d.set_wrapped(
        field::OPERAND_ROW_STEP,
        (operand.stride * shape.width) as i64,
    );
    d.set_wrapped(field::OPERAND_PLANE, shape.pixels() as i64);
    d.set(field::OPERAND_TILES, shape.channels.div_ceil(columns) - 1);
    let used = last_tile(shape.channels, columns);
    d.set(field::LAST_OPERAND_COLUMNS, used);
    let scale = operand.scale;
    d.set(field::RESIDUAL_SHIFT, usize::from(scale.shift));
    d.set_wrapped(field::RESIDUAL_MULTIPLIER, i64::from(scale.multiplier));
}
