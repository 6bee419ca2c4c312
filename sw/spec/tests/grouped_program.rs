//! The program of layers with groups of channels: words, tiles, clocks, and where groups begin.

use brownout_spec::arithmetic::OutputScale;
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use brownout_spec::cycles::{BEGIN_LATENCY, FETCH, drain, layer_cycles, tile_period};
use brownout_spec::image::{LayerShape, Layout};
use brownout_spec::program::descriptor as field;
use brownout_spec::program::{Layer, Network, Operation, Program, Shape, Window};
use proptest::prelude::*;

fn configuration(rows: usize, columns: usize, bits: WeightBits, code: CodeName) -> Configuration {
    Configuration {
        name: "test".into(),
        rows,
        columns,
        weight_bits: bits,
        code,
        storage: Storage::Coset,
        depths: Depths {
            weights: 1 << 20,
            activations: 1 << 16,
            accumulators: 4096,
            parameters: 4096,
            layers: 16,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation: false,
        zero_points: false,
        tables: 0,
    }
}

/// A pool, a convolution in groups of `of.0` inputs and `of.1` outputs, the mean, a dense layer.
fn network(side: usize, groups: usize, of: (usize, usize), kernel: usize) -> Network {
    let operations = [
        Operation::MaxPool {
            window: Window::square(1, 1, 0),
        },
        Operation::Convolution {
            window: Window::square(kernel, 1, kernel / 2),
            groups,
            output_channels: groups * of.1,
            residual: None,
        },
        Operation::GlobalAveragePool,
        Operation::convolution(Window::square(1, 1, 0), 5),
    ];
    let layer = |(index, operation)| Layer {
        zero: 0,
        name: format!("layer{index}"),
        reads: vec![index],
        operation,
        output: OutputScale {
            shift: 8,
            low: 0,
            high: 127,
        },
    };
    Network {
        input_zero: 0,
        input: Shape {
            height: side,
            width: side,
            channels: groups * of.0,
        },
        layers: operations.into_iter().enumerate().map(layer).collect(),
    }
}

#[test]
fn depthwise_3_x_3_on_16_x_16_takes_a_clock_for_each_pixel_where_there_are_as_many_as_rows() {
    let c = configuration(16, 16, WeightBits::Eight, CodeName::Inplace64_57);
    for (side, period) in [(8, 64), (4, 16), (2, 16), (1, 16)] {
        let program = Program::new(&c, &network(side, 40, (1, 1), 3)).unwrap();
        let step = &program.steps[1];
        // Three tiles of columns, nine taps.
        assert_eq!(
            (step.output_tiles, step.input_tiles, step.tiles()),
            (3, 1, 27)
        );
        assert_eq!(tile_period(step), period);
        let clocks = (FETCH + 27 * period + drain(&c)) as u64;
        assert_eq!(layer_cycles(&c, step), clocks);
        assert_eq!(program.steps[3].weight_base, 27 * 2);
    }
}

#[test]
fn a_layer_without_groups_needs_no_more_clocks_than_before_there_were_some() {
    // But for the clock in which every layer's beginning is decided.
    assert_eq!(FETCH - BEGIN_LATENCY, 14);
}

#[test]
fn what_is_loaded_next_is_said_by_every_layer_before_it() {
    let c = configuration(8, 8, WeightBits::Eight, CodeName::None);
    let program = Program::new(&c, &network(3, 12, (1, 1), 1)).unwrap();
    let of = |step: usize, field| program.steps[step].descriptor.get(field);
    let load = |step| {
        [field::DIAGONAL, field::GROUP_INPUTS, field::GROUP_OUTPUTS].map(|field| of(step, field))
    };
    // A pool's is that of the next layer that has weights.
    assert_eq!([load(0), load(1)], [[1, 0, 0]; 2]);
    assert_eq!([load(2), load(3)], [[0, 15, 4]; 2]);
    // Eight groups of one column fill a tile.
    assert_eq!((of(1, field::GROUP_ROWS), of(1, field::GROUP_REST)), (8, 0));
    assert_eq!((of(0, field::GROUP_ROWS), of(2, field::GROUP_ROWS)), (0, 0));
}

proptest! {
    #[test]
    fn image_and_program_agree_and_the_descriptor_leads_from_group_to_group(
        powers in (2_u32..=6, 2_u32..=6),
        groups in 1_usize..=40,
        of in (1_usize..=40, 1_usize..=40),
        kernel in 1_usize..=3,
        four: bool,
    ) {
        let (rows, columns) = (1 << powers.0, 1 << powers.1);
        let bits = if four { WeightBits::Four } else { WeightBits::Eight };
        let c = configuration(rows, columns, bits, CodeName::None);
        let program = Program::new(&c, &network(2, groups, of, kernel)).unwrap();
        let shape = LayerShape {
            name: "layer".into(),
            output_channels: groups * of.1,
            input_channels: of.0,
            groups,
            kernel_height: kernel,
            kernel_width: kernel,
        };
        let layout = Layout::new(&c, [shape]).unwrap();
        let step = &program.steps[1];
        prop_assert_eq!(program.steps[3].weight_base, layout.words());
        prop_assert_eq!(step.tiles(), layout.layers()[0].tiles);

        let tiling = step.tiling.unwrap();
        let get = |field| step.descriptor.get(field) as usize;
        let (inputs, outputs) = (get(field::GROUP_INPUTS) + 1, get(field::GROUP_OUTPUTS) + 1);
        let loaded = if groups == 1 { of.0.next_multiple_of(rows) } else { of.0 };
        prop_assert_eq!((inputs, outputs), (loaded, of.1));
        // Columns that the first group of a tile still has, and the row of its first input.
        let (mut left, mut row, mut tile) = (outputs, 0, 0);
        for output_tile in 0..step.output_tiles {
            let group = output_tile * columns / of.1;
            prop_assert_eq!(left, (group + 1) * of.1 - output_tile * columns);
            prop_assert_eq!(tile * rows + row, group * of.0);
            prop_assert_eq!(tile, tiling.first_input_tile(output_tile));
            let mut passed = row + get(field::GROUP_ROWS);
            let rest = get(field::GROUP_REST);
            if left <= rest {
                left += outputs;
                passed += inputs;
            }
            left -= rest;
            // No further than there are tiles to walk over meanwhile.
            let walked = output_tile + 1 == step.output_tiles || passed / rows <= step.input_tiles;
            prop_assert!(walked);
            (tile, row) = (tile + passed / rows, passed % rows);
        }
    }
}
