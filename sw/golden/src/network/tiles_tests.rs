use super::*;
use std::hint::black_box;
use std::time::{Duration, Instant};

type Convolve = fn(&[f32], &Windows<'_>, &[f32], usize, &mut [f32]);
type Correlate = fn(&[f32], &Windows<'_>, &[f32], &mut [f32]);

/// Every body, whatever this machine would choose.
const CONVOLVE: [Convolve; 4] = [
    convolve,
    convolve_8::<false>,
    convolve_6::<false>,
    convolve_2::<false>,
];
const CORRELATE: [Correlate; 4] = [
    correlate,
    correlate_wide::<false>,
    correlate_narrow::<false>,
    correlate_portable::<false>,
];

/// Windows of 3 rows of 3 pixels on maps of 9 columns, whose outputs have a gap between them.
struct Case {
    channels: usize,
    outputs: usize,
    runs: Vec<u32>,
    bases: Vec<u32>,
    targets: Vec<u32>,
}

impl Case {
    fn new(channels: usize, outputs: usize, pixels: usize) -> Self {
        Self {
            channels,
            outputs,
            runs: (0..3).map(|row| (row * 9 * channels) as u32).collect(),
            bases: (0..pixels)
                .map(|p| (p / 7 * 9 + p % 7) as u32 * channels as u32)
                .collect(),
            targets: (0..pixels).map(|p| (p * (outputs + 3)) as u32).collect(),
        }
    }

    fn windows(&self) -> Windows<'_> {
        Windows {
            bases: &self.bases,
            targets: &self.targets,
            runs: &self.runs,
            run_length: 3 * self.channels,
        }
    }

    /// Small whole numbers, whose sums are exact in any order.
    fn numbers(count: usize, factor: usize) -> Vec<f32> {
        (0..count)
            .map(|i| (i * factor % 23) as f32 - 11.0)
            .collect()
    }

    fn input(&self) -> Vec<f32> {
        let rows = self.bases.len().div_ceil(7) + 2;
        Self::numbers(rows * 9 * self.channels, 37)
    }

    fn results(&self) -> usize {
        self.bases.len() * (self.outputs + 3) + LANES
    }

    /// Calls with (pixel, output, index of the operand, index of the weight).
    fn products(&self, mut each: impl FnMut(usize, usize, usize, usize)) {
        let windows = self.windows();
        for (pixel, &base) in self.bases.iter().enumerate() {
            for output in 0..self.outputs {
                let block = output / LANES * windows.block_length();
                for (row, &run) in windows.runs.iter().enumerate() {
                    for k in 0..windows.run_length {
                        let tap = row * windows.run_length + k;
                        let weight = block + tap * LANES + output % LANES;
                        each(pixel, output, (base + run) as usize + k, weight);
                    }
                }
            }
        }
    }
}

#[test]
fn every_tile_equals_the_definitions_whatever_is_left_over() {
    // Operands of a row: 3, 15, 27 and 48, so that tiles of every size are used.
    for (channels, outputs, pixels) in [(1, 5, 13), (5, 16, 1), (9, 19, 15), (16, 48, 24)] {
        let case = Case::new(channels, outputs, pixels);
        let (x, windows) = (case.input(), case.windows());
        let packed = Case::numbers(outputs.div_ceil(LANES) * windows.block_length(), 29);
        let mut expected = vec![0.5; case.results()];
        let target = |pixel: usize, output: usize| case.targets[pixel] as usize + output;
        case.products(|pixel, output, _, _| expected[target(pixel, output)] = 0.0);
        case.products(|pixel, output, operand, weight| {
            expected[target(pixel, output)] += x[operand] * packed[weight];
        });
        for (body, convolve) in CONVOLVE.iter().enumerate() {
            let mut y = vec![0.5; case.results()];
            convolve(&x, &windows, &packed, outputs, &mut y);
            assert_eq!(y, expected, "convolution {body}, {channels} channels");
        }

        let dy = Case::numbers(case.results(), 31);
        let mut expected = packed.clone();
        case.products(|pixel, output, operand, weight| {
            expected[weight] += x[operand] * dy[target(pixel, output)];
        });
        for (body, correlate) in CORRELATE.iter().enumerate() {
            let mut gradient = packed.clone();
            correlate(&x, &windows, &dy, &mut gradient);
            case.products(|_, _, _, weight| {
                assert_eq!(gradient[weight], expected[weight], "gradient {body}");
            });
        }
    }
}

/// The least time of some runs, so that others on the machine do not count.
fn least(mut work: impl FnMut()) -> Duration {
    let times = (0..9).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed()
    });
    times.min().unwrap_or_default()
}

#[test]
fn tiles_keep_their_sums_in_registers() {
    // One sum that waits for each of its additions is what the simplest loop does; a tile
    // whose sums are in memory is hardly faster, one in registers by a factor of 30 to 90.
    let case = Case::new(16, 16, 64);
    let (x, windows) = (case.input(), case.windows());
    let packed = Case::numbers(windows.block_length(), 29);
    let mut y = vec![0.0; case.results()];
    let simple = least(|| {
        let mut sums = [0.0; 16 * 64];
        case.products(|pixel, output, operand, weight| {
            sums[pixel * 16 + output] += x[operand] * packed[weight];
        });
        black_box(sums);
    });
    let tiled = least(|| convolve(black_box(&x), &windows, &packed, 16, black_box(&mut y)));
    assert!(
        8 * tiled < simple,
        "convolution: {tiled:?}, simplest loop {simple:?}"
    );
    let mut gradient = packed.clone();
    let tiled = least(|| correlate(black_box(&x), &windows, &y, black_box(&mut gradient)));
    assert!(
        8 * tiled < simple,
        "weight gradient: {tiled:?}, simplest loop {simple:?}"
    );
}
