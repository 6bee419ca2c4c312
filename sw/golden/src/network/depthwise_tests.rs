use super::*;

type Convolve = fn(&[f32], &Windows<'_>, &[f32], usize, &mut [f32]);
type Correlate = fn(&[f32], &Windows<'_>, &[f32], usize, &mut [f32]);

/// Every body, whatever this machine would choose.
const CONVOLVE: [Convolve; 2] = [convolve, convolve_body::<false>];
const CORRELATE: [Correlate; 3] = [
    correlate,
    correlate_wide::<false>,
    correlate_narrow::<false>,
];

/// Small whole numbers, whose sums are exact in any order.
fn numbers(count: usize, factor: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i * factor % 23) as f32 - 11.0)
        .collect()
}

#[test]
fn every_tile_equals_the_definitions_whatever_is_left_over() {
    // Channels of every block, pixels of whole and of broken tiles, taps of every tile.
    for (channels, pixels, taps) in [(1, 1, 1), (9, 7, 4), (16, 8, 9), (43, 13, 14), (24, 5, 25)] {
        // Maps of 40 columns; windows whose taps lie two rows and three columns apart.
        let runs: Vec<u32> = (0..taps)
            .map(|t| ((t / 5 * 2 * 40 + t % 5 * 3) * channels) as u32)
            .collect();
        let bases: Vec<u32> = (0..pixels).map(|p| (2 * p * channels) as u32).collect();
        let targets: Vec<u32> = (0..pixels).map(|p| (p * (channels + 3)) as u32).collect();
        let windows = Windows {
            bases: &bases,
            targets: &targets,
            runs: &runs,
            run_length: 1,
        };
        let x = numbers(40 * 12 * channels, 37);
        let packed = numbers(taps * channels, 29);
        let results = pixels * (channels + 3);
        let products = |each: &mut dyn FnMut(usize, usize, usize)| {
            for pixel in 0..pixels {
                for (tap, &run) in runs.iter().enumerate() {
                    for c in 0..channels {
                        let operand = (bases[pixel] + run) as usize + c;
                        each(targets[pixel] as usize + c, operand, tap * channels + c);
                    }
                }
            }
        };
        let mut expected = vec![0.5; results];
        products(&mut |target, _, _| expected[target] = 0.0);
        products(&mut |target, operand, weight| expected[target] += x[operand] * packed[weight]);
        for (body, convolve) in CONVOLVE.iter().enumerate() {
            let mut y = vec![0.5; results];
            convolve(&x, &windows, &packed, channels, &mut y);
            assert_eq!(y, expected, "convolution {body}, {channels} channels");
        }
        let dy = numbers(results, 31);
        let mut expected = packed.clone();
        products(&mut |target, operand, weight| expected[weight] += x[operand] * dy[target]);
        for (body, correlate) in CORRELATE.iter().enumerate() {
            let mut gradient = packed.clone();
            correlate(&x, &windows, &dy, channels, &mut gradient);
            assert_eq!(gradient, expected, "gradient {body}, {channels} channels");
        }
    }
}
