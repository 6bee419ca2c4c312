use super::*;
use brownout_spec::arithmetic::{
    ChannelParameters, MAX_SHIFT, OutputScale, ResidualScale, requantize as activation, sum,
};
use brownout_spec::program;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One convolution, its operands and its accumulators from the definition.
struct Case {
    shapes: LayerShapes,
    source: Vec<i8>,
    tensor: Vec<i8>,
    expected: Vec<i32>,
}

/// The dot products of a convolution, each from the operands and weights of one output:
/// padding is zero.
fn products(
    shapes: &LayerShapes,
    source: &[i8],
    tensor: &[i8],
    dot: impl Fn(&[(i8, i8)]) -> i32,
) -> Vec<i32> {
    let (input, output) = (shapes.input, shapes.output);
    let taps = shapes.window.height * shapes.window.width;
    let mut sums = Vec::with_capacity(output.volume());
    for at in 0..output.volume() {
        let (pixel, o) = (at / output.channels, at % output.channels);
        let (row, column) = (pixel / output.width, pixel % output.width);
        let mut pairs = Vec::with_capacity(taps * input.channels);
        for tap in 0..taps {
            let at = shapes.window.pixel(input, (row, column), tap);
            for i in 0..input.channels {
                let a = match at {
                    Some((y, x)) => source[(y * input.width + x) * input.channels + i],
                    None => 0,
                };
                pairs.push((a, tensor[(o * input.channels + i) * taps + tap]));
            }
        }
        sums.push(dot(&pairs));
    }
    sums
}

fn exact(pairs: &[(i8, i8)]) -> i32 {
    pairs
        .iter()
        .map(|&(a, w)| i32::from(a) * i32::from(w))
        .sum()
}

/// Random shapes; operands and weights are random, or both at an end of their range.
fn cases() -> Vec<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut draw = |values: &[usize]| *values.choose(&mut random).unwrap();
    let mut shapes = Vec::new();
    while shapes.len() < 150 {
        let kernel = [draw(&[1, 2, 3, 4, 5, 6, 7]), draw(&[1, 2, 3, 4, 5, 6, 7])];
        let stride = draw(&[1, 2, 3]);
        let padding = draw(&[0, 1, 2, 3]).min(kernel[0].min(kernel[1]) - 1);
        let input = Shape {
            height: draw(&[1, 2, 5, 8, 13]),
            width: draw(&[1, 3, 4, 7, 8, 17, 20, 33]),
            channels: draw(&[1, 2, 3, 4, 6, 16, 19]),
        };
        let side = |input: usize, kernel: usize| {
            Some((input + 2 * padding).checked_sub(kernel)? / stride + 1)
        };
        let (Some(height), Some(width)) =
            (side(input.height, kernel[0]), side(input.width, kernel[1]))
        else {
            continue;
        };
        let channels = draw(&[1, 7, 15, 16, 17, 32, 33, 48, 50]);
        shapes.push(LayerShapes {
            input,
            output: Shape {
                height,
                width,
                channels,
            },
            window: program::Window {
                height: kernel[0],
                width: kernel[1],
                ..program::Window::square(1, stride, padding)
            },
            groups: 1,
        });
    }
    let case = |(number, shapes): (usize, LayerShapes)| {
        let weights = shapes.output.channels
            * shapes.input.channels
            * shapes.window.height
            * shapes.window.width;
        let mut values = |count: usize| -> Vec<i8> {
            let end = *[-128, 127].choose(&mut random).unwrap();
            let extreme = number % 3 == 0;
            (0..count)
                .map(|_| if extreme { end } else { random.random() })
                .collect()
        };
        let (source, tensor) = (values(shapes.input.volume()), values(weights));
        let expected = products(&shapes, &source, &tensor, exact);
        Case {
            shapes,
            source,
            tensor,
            expected,
        }
    };
    shapes.into_iter().enumerate().map(case).collect()
}

fn run(convolution: &Convolution, case: &Case) -> Vec<i32> {
    let mut padded = convolution.padded();
    let mut found = vec![1; case.expected.len()];
    convolution.run(&case.source, &mut padded, Target::Accumulators(&mut found));
    found
}

#[test]
fn every_convolution_equals_its_definition_with_all_instructions() {
    for case in cases() {
        for instructions in Instructions::available() {
            let convolution = Convolution::new(instructions, &case.shapes, &case.tensor);
            assert_eq!(
                run(&convolution, &case),
                case.expected,
                "{instructions}, {:?}",
                case.shapes
            );
        }
    }
}

/// What `vpmaddubsw` would do: sums of two products, saturated at 16 bits, with an unsigned
/// first factor and the offset taken off afterwards.
fn saturating(pairs: &[(i8, i8)]) -> i32 {
    let sums = pairs.chunks(2).map(|pair| {
        let products = pair
            .iter()
            .map(|&(a, w)| (i32::from(a) + 128) * i32::from(w));
        let sum: i32 = products.sum();
        sum.clamp(i16::MIN.into(), i16::MAX.into())
    });
    let offset: i32 = pairs.iter().map(|&(_, w)| 128 * i32::from(w)).sum();
    sums.sum::<i32>() - offset
}

/// The byte 0, which means −128, where an activation of zero is meant.
fn wrong_padding(pairs: &[(i8, i8)]) -> i32 {
    let products = pairs.iter().map(|&(a, w)| match a {
        0 => -128 * i32::from(w),
        a => i32::from(a) * i32::from(w),
    });
    products.sum()
}

#[test]
fn saturating_products_and_wrong_padding_are_mistakes_that_these_cases_show() {
    for mistake in [saturating, wrong_padding] {
        let shown = cases()
            .iter()
            .filter(|c| products(&c.shapes, &c.source, &c.tensor, mistake) != c.expected)
            .count();
        assert!(shown >= 50, "only {shown} cases differ");
    }
}

#[cfg(target_arch = "x86_64")]
#[test]
fn an_accumulator_that_starts_wrong_is_a_mistake_that_every_case_shows() {
    for case in cases() {
        let convolution = Convolution::new(Instructions::best(), &case.shapes, &case.tensor);
        let Weights::Vnni(mut weights) = convolution.weights.clone() else {
            return;
        };
        weights.forget_offsets();
        let mistaken = Convolution {
            weights: Weights::Vnni(weights),
            ..convolution
        };
        if case.tensor.iter().any(|&w| w != 0) {
            assert_ne!(run(&mistaken, &case), case.expected);
        }
    }
}

/// Every combination of ends, powers of two and random values that 48 bits admit.
#[test]
fn every_activation_is_the_specification_s_with_all_instructions() {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let accumulators = [0, 1, -1, 255, -256, 1 << 30, i32::MAX, i32::MIN];
    let multipliers = [0, 1, -1, 2, i16::MAX, i16::MIN];
    let biases = [0, 1, -1, (1 << 47) - 1, -(1 << 47), 1 << 31, -(1 << 31)];
    let bounds = [(-128, 127), (0, 127), (-128, 0), (-5, 9), (3, 3)];
    for round in 0..4000 {
        let channels = random.random_range(1..=40);
        let shift = random.random_range(1..=MAX_SHIFT);
        let (low, high) = bounds[round % bounds.len()];
        let output = OutputScale { shift, low, high };
        let residual = ResidualScale {
            multiplier: match random.random() {
                true => *multipliers.choose(&mut random).unwrap(),
                false => random.random(),
            },
            shift: random.random_range(0..=shift),
        };
        let mut parameters = Vec::new();
        let mut accs = Vec::new();
        for _ in 0..channels {
            let ends = random.random();
            // A sum that lands within the bounds' neighbourhood says more than one far out.
            let near = i64::from(random.random::<i16>()) << random.random_range(0..=shift);
            let multiplier = match ends {
                true => *multipliers.choose(&mut random).unwrap(),
                false => random.random(),
            };
            let acc = match ends {
                true => *accumulators.choose(&mut random).unwrap(),
                false => random.random::<i32>() >> random.random_range(0..31),
            };
            let bias = match random.random() {
                true => near - i64::from(acc) * i64::from(multiplier),
                false => *biases.choose(&mut random).unwrap(),
            };
            parameters.push(ChannelParameters { multiplier, bias });
            accs.push(acc);
        }
        let operand: Vec<i8> = (0..random.random_range(0..=channels))
            .map(|_| {
                *[-128, 127, 0, 1, -1, random.random()]
                    .choose(&mut random)
                    .unwrap()
            })
            .collect();
        let expected: Vec<i8> = (0..channels)
            .map(|c| {
                let r = operand.get(c).copied().unwrap_or(0);
                activation(sum(accs[c], parameters[c], shift, r, residual), output)
            })
            .collect();
        let epilogue = Epilogue::new(&parameters, output, residual);
        for instructions in Instructions::available() {
            let mut found = vec![77; channels];
            requantize(instructions, &epilogue, &accs, &operand, &mut found);
            assert_eq!(found, expected, "{instructions}, {output:?}, {residual:?}");
        }
    }
}
