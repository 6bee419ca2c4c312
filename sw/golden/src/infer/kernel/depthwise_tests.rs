//! Depthwise convolutions of every border, beside the plain kernel.

use super::*;
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::program::{self, Padding, Shape, Steps};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Usual windows with a step of two rows over inputs of these channels and columns, of every height
/// up to that at which rows in the middle are read without a look at the borders, with every padding.
fn shapes(channels: usize, width: usize) -> Vec<LayerShapes> {
    let sides = (0..=2).flat_map(|before| (0..=2).map(move |behind| (before, behind)));
    let paddings = sides
        .clone()
        .flat_map(|rows| sides.clone().map(move |columns| (rows, columns)));
    let sizes = paddings
        .enumerate()
        .map(|(number, ((top, bottom), (left, right)))| {
            let window = program::Window {
                height: 3,
                width: 3,
                padding: Padding {
                    top,
                    bottom,
                    left,
                    right,
                },
                stride: Steps {
                    rows: 2,
                    columns: if number % 5 == 0 { 1 } else { 2 },
                },
                dilation: Steps {
                    rows: 1,
                    columns: 1,
                },
            };
            let input = Shape {
                height: 1 + (number * 5 + width) % 9,
                width,
                channels,
            };
            (input, window)
        });
    let shapes = sizes.filter_map(|(input, window)| {
        let (height, width) = window.positions(input)?;
        Some(LayerShapes {
            input,
            output: Shape {
                height,
                width,
                channels,
            },
            window,
            groups: channels,
        })
    });
    shapes.collect()
}

/// Sums and activations, which begin as something else.
type Outputs = (Vec<i32>, Vec<i8>);

fn run(
    instructions: Instructions,
    (shapes, zero): (&LayerShapes, i8),
    (source, tensor): (&[i8], &[i8]),
    (parameters, scale): (&[ChannelParameters], OutputScale),
) -> Outputs {
    let convolution = Convolution::new(instructions, shapes, zero, tensor);
    let mut padded = convolution.padded();
    let volume = shapes.output.volume();
    let mut outputs = (vec![1; volume], vec![77; volume]);
    convolution.run(source, &mut padded, Target::Accumulators(&mut outputs.0));
    let epilogue = convolution.epilogue(parameters, scale, Second::default(), 9 * 128 * 255);
    let target = Target::Activations {
        epilogue: &epilogue,
        operand: None,
        output: &mut outputs.1,
    };
    convolution.run(source, &mut padded, target);
    outputs
}

#[test]
fn windows_of_every_border_and_width_give_what_the_plain_kernel_does() {
    let mut random = ChaCha8Rng::seed_from_u64(12);
    for channels in [8, 16, 24, 32, 63, 64, 65, 130] {
        for width in 1..=if channels < 64 { 19 } else { 7 } {
            for shapes in shapes(channels, width) {
                let mut values =
                    |count: usize| -> Vec<i8> { (0..count).map(|_| random.random()).collect() };
                let source = values(shapes.input.volume());
                let tensor = values(shapes.weights());
                let zero = [0, -128, 127, 5][random.random_range(0..4)];
                // With a shift of 24 sums are too long for 16 bits.
                let shift = [20, 20, 24][random.random_range(0..3)];
                let scale = OutputScale {
                    shift,
                    low: [-128, 0][random.random_range(0..2)],
                    high: 127,
                };
                let parameters: Vec<_> = (0..channels)
                    .map(|_| ChannelParameters {
                        multiplier: random.random_range(12_000..32_000),
                        bias: random.random_range(-(50 << shift)..50 << shift),
                    })
                    .collect();
                let run = |instructions| {
                    let operands = (&source[..], &tensor[..]);
                    run(
                        instructions,
                        (&shapes, zero),
                        operands,
                        (&parameters, scale),
                    )
                };
                let expected = run(Instructions::Portable);
                for instructions in Instructions::available() {
                    let found = run(instructions);
                    assert!(found == expected, "{instructions}, {shapes:?}, zero {zero}");
                }
            }
        }
    }
}
