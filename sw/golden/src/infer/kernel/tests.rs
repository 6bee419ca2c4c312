use super::*;
use brownout_spec::arithmetic::{
    ChannelParameters, MAX_SHIFT, OutputScale, ResidualScale, requantize as activation, sum,
};
use brownout_spec::program::{self, Shape};
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One convolution, its operands and its accumulators from the definition.
struct Case {
    shapes: LayerShapes,
    zero: i8,
    source: Vec<i8>,
    tensor: Vec<i8>,
    expected: Vec<i32>,
}

/// The dot products of a convolution, each from the operands, zero point taken off, and weights
/// of one output: padding is zero.
fn products(
    shapes: &LayerShapes,
    (source, zero): (&[i8], i8),
    tensor: &[i8],
    dot: impl Fn(&[(i16, i8)]) -> i32,
) -> Vec<i32> {
    let (input, output, inputs) = (shapes.input, shapes.output, shapes.group_channels());
    let taps = shapes.window.height * shapes.window.width;
    let mut sums = Vec::with_capacity(output.volume());
    for at in 0..output.volume() {
        let (pixel, o) = (at / output.channels, at % output.channels);
        let (row, column) = (pixel / output.width, pixel % output.width);
        let group = o * shapes.groups / output.channels;
        let mut pairs = Vec::with_capacity(taps * inputs);
        for tap in 0..taps {
            let at = shapes.window.pixel(input, (row, column), tap);
            for i in 0..inputs {
                let a = match at {
                    Some((y, x)) => {
                        let pixel = (y * input.width + x) * input.channels;
                        i16::from(source[pixel + group * inputs + i]) - i16::from(zero)
                    }
                    None => 0,
                };
                pairs.push((a, tensor[(o * inputs + i) * taps + tap]));
            }
        }
        sums.push(dot(&pairs));
    }
    sums
}

fn exact(pairs: &[(i16, i8)]) -> i32 {
    pairs
        .iter()
        .map(|&(a, w)| i32::from(a) * i32::from(w))
        .sum()
}

/// Depthwise convolutions, most of them usual ones, whose channels fill vectors of 64 bytes, or
/// leave some lanes, or are more.
fn depthwise() -> Vec<LayerShapes> {
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut draw = |values: &[usize]| *values.choose(&mut random).unwrap();
    let mut shapes = Vec::new();
    while shapes.len() < 150 {
        let channels = draw(&[2, 8, 16, 24, 32, 33, 63, 64, 65, 96, 128, 130]);
        let side = draw(&[3, 3, 3, 5]);
        let stride = draw(&[1, 2, 2, 3]);
        let window = program::Window {
            height: side,
            width: draw(&[side, side, side, 2]),
            padding: program::Padding {
                top: draw(&[0, 1]),
                bottom: draw(&[0, 1, 2]),
                left: draw(&[0, 1, 1, 2]),
                right: draw(&[0, 1]),
            },
            stride: program::Steps {
                rows: stride,
                columns: draw(&[stride, stride, 1, 2]),
            },
            dilation: program::Steps {
                rows: draw(&[1, 1, 1, 2]),
                columns: draw(&[1, 1, 1, 2, 3]),
            },
        };
        let input = Shape {
            height: draw(&[2, 3, 4, 5, 6, 7, 9, 14, 25]),
            width: draw(&[1, 3, 6, 7, 9, 12, 16, 31]),
            channels,
        };
        if let Some((height, width)) = window.positions(input) {
            let output = Shape {
                height,
                width,
                channels,
            };
            shapes.push(LayerShapes {
                input,
                output,
                window,
                groups: channels,
            });
        }
    }
    shapes
}

/// Random shapes, a third of them depthwise and a third in other groups, and more depthwise ones;
/// operands and weights are random, or both at an end of their range.
fn cases() -> Vec<Case> {
    let mut random = ChaCha8Rng::seed_from_u64(5);
    let mut draw = |values: &[usize]| *values.choose(&mut random).unwrap();
    let mut shapes = Vec::new();
    while shapes.len() < 300 {
        let kernel = [
            draw(&[1, 2, 3, 3, 4, 5, 6, 7]),
            draw(&[1, 2, 3, 3, 4, 5, 6, 7]),
        ];
        let stride = draw(&[1, 2, 3]);
        let strides = [stride, draw(&[stride, stride, 1, 2])];
        let dilation = draw(&[1, 1, 2, 3]);
        let dilations = [dilation, draw(&[dilation, 1, 2])];
        let window = program::Window {
            height: kernel[0],
            width: kernel[1],
            padding: program::Padding::around(
                draw(&[0, 1, 2, 3]).min(kernel[0].min(kernel[1]) - 1),
            ),
            stride: program::Steps {
                rows: strides[0],
                columns: strides[1],
            },
            dilation: program::Steps {
                rows: dilations[0],
                columns: dilations[1],
            },
        };
        let mut input = Shape {
            height: draw(&[1, 2, 5, 8, 13]),
            width: draw(&[1, 3, 4, 7, 8, 17, 20, 33]),
            channels: draw(&[1, 2, 3, 4, 6, 16, 19]),
        };
        let Some((height, width)) = window.positions(input) else {
            continue;
        };
        let mut channels = draw(&[1, 7, 15, 16, 17, 32, 33, 48, 50]);
        let groups = match shapes.len() % 3 {
            0 => 1,
            1 => {
                let groups = draw(&[2, 3, 4]);
                input.channels *= groups;
                channels *= groups;
                groups
            }
            _ => {
                input.channels = channels;
                channels
            }
        };
        shapes.push(LayerShapes {
            input,
            output: Shape {
                height,
                width,
                channels,
            },
            window,
            groups,
        });
    }
    shapes.extend(depthwise());
    let case = |(number, shapes): (usize, LayerShapes)| {
        let mut values = |count: usize| -> Vec<i8> {
            let end = *[-128, 127].choose(&mut random).unwrap();
            let extreme = number % 4 == 0;
            (0..count)
                .map(|_| if extreme { end } else { random.random() })
                .collect()
        };
        let (source, tensor) = (values(shapes.input.volume()), values(shapes.weights()));
        let zero = *[0, 0, 5, -128, 127].choose(&mut random).unwrap();
        let expected = products(&shapes, (&source, zero), &tensor, exact);
        Case {
            shapes,
            zero,
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
            let Case { shapes, zero, .. } = &case;
            let convolution = Convolution::new(instructions, shapes, *zero, &case.tensor);
            assert_eq!(
                run(&convolution, &case),
                case.expected,
                "{instructions}, {shapes:?}, zero point {zero}"
            );
        }
    }
}

/// What `vpmaddubsw` would do: sums of two products, saturated at 16 bits, with an unsigned
/// first factor and the offset taken off afterwards.
fn saturating(pairs: &[(i16, i8)]) -> i32 {
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
fn wrong_padding(pairs: &[(i16, i8)]) -> i32 {
    let products = pairs.iter().map(|&(a, w)| match a {
        0 => -128 * i32::from(w),
        a => i32::from(a) * i32::from(w),
    });
    products.sum()
}

/// Padding of the stored integer 0, where the zero point is meant.
fn padding_without_zero_point(case: &Case) -> Vec<i32> {
    let with = products(&case.shapes, (&case.source, 0), &case.tensor, exact);
    let filters = case.tensor.chunks_exact(case.shapes.inputs());
    let sums: Vec<i32> = filters
        .map(|f| f.iter().map(|&w| i32::from(w)).sum())
        .collect();
    let outputs = with.iter().enumerate();
    outputs
        .map(|(at, sum)| sum - i32::from(case.zero) * sums[at % sums.len()])
        .collect()
}

#[test]
fn saturating_products_and_wrong_padding_are_mistakes_that_these_cases_show() {
    let shown = |mistaken: &dyn Fn(&Case) -> Vec<i32>| {
        let cases = cases();
        let cases = cases.iter().filter(|case| mistaken(case) != case.expected);
        cases.count()
    };
    for mistake in [saturating, wrong_padding] {
        let count = shown(&|c| products(&c.shapes, (&c.source, c.zero), &c.tensor, mistake));
        assert!(count >= 50, "only {count} cases differ");
    }
    let count = shown(&padding_without_zero_point);
    assert!(count >= 50, "only {count} cases differ");
}

#[cfg(target_arch = "x86_64")]
#[test]
fn an_accumulator_that_starts_wrong_is_a_mistake_that_every_case_shows() {
    for case in cases() {
        let Case { shapes, zero, .. } = case;
        let convolution = Convolution::new(Instructions::best(), &shapes, zero, &case.tensor);
        let mut mistaken = convolution.clone();
        match &mut mistaken.kernel {
            Kernel::Vnni(_, weights) => weights.forget_offsets(),
            Kernel::VnniDepthwise(depthwise) => depthwise.forget_offsets(),
            _ => continue,
        }
        let sums = case.tensor.chunks_exact(shapes.inputs());
        let mut sums = sums.map(|f| f.iter().map(|&w| i32::from(w)).sum::<i32>());
        if zero != -128 && sums.any(|sum| sum != 0) {
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
    let mut halved = 0;
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
            let ends = round % 2 == 0 && random.random();
            // A sum that lands within the bounds' neighbourhood says more than one far out.
            let near = i64::from(random.random::<i16>()) << random.random_range(0..=shift);
            let multiplier = match ends {
                true => *multipliers.choose(&mut random).unwrap(),
                false => random.random(),
            };
            let acc = match ends {
                true => *accumulators.choose(&mut random).unwrap(),
                false => random.random::<i32>() >> random.random_range(4 * (round % 2)..31),
            };
            let bias = match round % 2 == 1 || random.random() {
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
        let zero = *[0, 0, 1, -128, 127].choose(&mut random).unwrap();
        let expected: Vec<i8> = (0..channels)
            .map(|c| {
                let r = operand
                    .get(c)
                    .map_or(0, |&q| i16::from(q) - i16::from(zero));
                activation(sum(accs[c], parameters[c], shift, r, residual), output)
            })
            .collect();
        let second = Second {
            scale: residual,
            zero,
        };
        let bound = accs.iter().map(|&acc| i64::from(acc).abs()).max().unwrap();
        let lanes = neighbours(channels, channels);
        let epilogue = Epilogue::new(&parameters, &lanes, output, second, bound);
        halved += usize::from(epilogue.halves.is_some());
        for instructions in Instructions::available() {
            let mut found = vec![77; channels];
            requantize(instructions, &epilogue, &accs, Some(&operand), &mut found);
            assert_eq!(found, expected, "{instructions}, {output:?}, {second:?}");
        }
    }
    // Sums in two parts and sums in 64 bits are both there.
    assert!((400..3600).contains(&halved), "{halved} of 4000");
}

/// The activations that follow from a case's accumulators, pixel by pixel.
fn activations(case: &Case, epilogue: &Epilogue, operand: Option<&Operand>) -> Vec<i8> {
    let output = case.shapes.output;
    let mut all = vec![0; output.volume()];
    let pixels = all.chunks_exact_mut(output.channels);
    let sums = case.expected.chunks_exact(output.channels);
    for (pixel, (y, sums)) in pixels.zip(sums).enumerate() {
        let place = (pixel / output.width, pixel % output.width);
        let operand = operand.map_or(&[][..], |o| o.pixel(place.0, place.1));
        epilogue.activations(0, sums, operand, y);
    }
    all
}

#[test]
fn what_leaves_every_convolution_is_scaled_and_in_its_place_with_all_instructions() {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    let mut halved = 0;
    for (number, case) in cases().iter().enumerate() {
        let Case { shapes, zero, .. } = case;
        let output = shapes.output;
        let shift = random.random_range(if number % 3 == 0 { 8..16 } else { 16..24 });
        let unit = 1i64 << shift;
        let channel = |_| ChannelParameters {
            multiplier: random.random_range(-100..=(unit / 300).clamp(100, 32_000) as i16),
            bias: random.random_range(-50 * unit..50 * unit),
        };
        let parameters: Vec<_> = (0..output.channels).map(channel).collect();
        let second = Second {
            scale: ResidualScale {
                multiplier: random.random_range(-300..300),
                shift: shift - random.random_range(0..8),
            },
            zero: random.random(),
        };
        // None, or one with fewer channels, or with as many, every or every other pixel of which
        // is added.
        let stride = random.random_range(1..=2);
        let channels = match number % 4 {
            0 => output.channels.div_ceil(2),
            _ => output.channels,
        };
        let shape = Shape {
            height: output.height * stride,
            width: output.width * stride,
            channels,
        };
        let tensor: Vec<i8> = (0..shape.volume()).map(|_| random.random()).collect();
        let operand = (number % 2 == 0).then_some(Operand {
            tensor: &tensor,
            shape,
            stride,
        });
        let scale = OutputScale {
            shift,
            low: -100,
            high: 120,
        };
        let second = if operand.is_some() {
            second
        } else {
            Second::default()
        };
        let bound = shapes.inputs() as i64 * 128 * 255;
        for instructions in Instructions::available() {
            let convolution = Convolution::new(instructions, shapes, *zero, &case.tensor);
            let epilogue = convolution.epilogue(&parameters, scale, second, bound);
            halved += usize::from(epilogue.halves.is_some());
            let mut found = vec![77; output.volume()];
            let target = Target::Activations {
                epilogue: &epilogue,
                operand,
                output: &mut found,
            };
            convolution.run(&case.source, &mut convolution.padded(), target);
            let expected = activations(case, &epilogue, operand.as_ref());
            assert_eq!(found, expected, "{instructions}, {shapes:?}, {second:?}");
        }
    }
    assert!(halved >= 100, "{halved} had sums in two parts");
}
