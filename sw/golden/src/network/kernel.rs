//! The inner loop of integer inference.
//!
//! Plain Rust over fixed arrays of [`LANES`] output channels and [`PIXELS`]
//! pixels, which LLVM keeps in vector registers; the same source is compiled for
//! three instruction sets and chosen at run time. Dense layers are convolutions
//! with one output pixel an image.
//!
//! The tile of 4 × 16 is pinned: with 8 pixels LLVM spills the accumulators and
//! the speed falls by a factor of fifty.

use std::sync::LazyLock;

/// Output channels that are computed together.
pub const LANES: usize = 16;
/// Pixels that are computed together.
const PIXELS: usize = 4;

/// Where the operands of each output pixel lie in the (padded) input.
#[derive(Clone, Copy, Debug)]
pub struct Window<'a> {
    /// Index of the first operand of each output pixel.
    pub bases: &'a [u32],
    /// Kernel rows.
    pub segments: usize,
    /// Distance between kernel rows in the input.
    pub segment_stride: usize,
    /// Operands of one kernel row, contiguous: kernel columns × input channels.
    pub segment_length: usize,
}

impl Window<'_> {
    /// Length of one block of packed weights: all taps of [`LANES`] output channels.
    pub fn block_length(&self) -> usize {
        self.segments * self.segment_length * LANES
    }

    fn operands<'x, T>(&self, x: &'x [T], pixel: usize, segment: usize) -> &'x [T] {
        let start = self.bases[pixel] as usize + segment * self.segment_stride;
        &x[start..start + self.segment_length]
    }
}

/// A number that the kernels can multiply and add.
pub trait Element: Copy + Default + Send + Sync {
    /// `self + a·b`; with `FMA` in one rounding, where that is one instruction.
    fn plus_product<const FMA: bool>(self, a: Self, b: Self) -> Self;
}

impl Element for f32 {
    #[inline(always)]
    fn plus_product<const FMA: bool>(self, a: f32, b: f32) -> f32 {
        // Without the instruction `mul_add` would call a library function.
        if FMA {
            a.mul_add(b, self)
        } else {
            self + a * b
        }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Level {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Portable,
}

static LEVEL: LazyLock<Level> = LazyLock::new(|| {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx2") && has!("fma") {
            let wide = has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq");
            return if wide { Level::Avx512 } else { Level::Avx2 };
        }
    }
    Level::Portable
});

/// Defines a public function that runs `$body` at the machine's level.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident, $body:ident, ($($argument:ident: $type:ty),*)) => {
        $(#[$doc])*
        pub fn $name<T: Element>($($argument: $type),*) {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                fn avx512<T: Element>($($argument: $type),*) {
                    $body::<T, true>($($argument),*);
                }
                #[target_feature(enable = "avx2,fma")]
                fn avx2<T: Element>($($argument: $type),*) {
                    $body::<T, true>($($argument),*);
                }
                match *LEVEL {
                    // SAFETY: the level was chosen by detecting these features.
                    Level::Avx512 => return unsafe { avx512::<T>($($argument),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2::<T>($($argument),*) },
                    Level::Portable => {}
                }
            }
            $body::<T, false>($($argument),*);
        }
    };
}

dispatched! {
    /// `y[pixel][output] = Σ x[window of pixel]·w[output]`, overwriting `y`.
    ///
    /// `packed` holds blocks of [`LANES`] outputs, each `[segment][operand][lane]`.
    convolve, convolve_body,
    (x: &[T], window: &Window<'_>, packed: &[T], outputs: usize, y: &mut [T])
}

#[inline(always)]
fn convolve_body<T: Element, const FMA: bool>(
    x: &[T],
    window: &Window<'_>,
    packed: &[T],
    outputs: usize,
    y: &mut [T],
) {
    let pixels = window.bases.len();
    for (block, weights) in packed.chunks_exact(window.block_length()).enumerate() {
        let first = block * LANES;
        let lanes = LANES.min(outputs - first);
        let mut pixel = 0;
        while pixel < pixels {
            // The last group repeats its last pixel, and stores it once.
            let p: [usize; PIXELS] = std::array::from_fn(|r| (pixel + r).min(pixels - 1));
            let mut acc = [[T::default(); LANES]; PIXELS];
            let rows = weights.chunks_exact(window.segment_length * LANES);
            for (segment, row) in rows.enumerate() {
                let [x0, x1, x2, x3] = p.map(|p| window.operands(x, p, segment));
                let operands = x0.iter().zip(x1).zip(x2).zip(x3);
                for (w, (((a, b), c), d)) in row.as_chunks::<LANES>().0.iter().zip(operands) {
                    for (acc, &x) in acc.iter_mut().zip([a, b, c, d]) {
                        for l in 0..LANES {
                            acc[l] = acc[l].plus_product::<FMA>(x, w[l]);
                        }
                    }
                }
            }
            for (r, sums) in acc.iter().enumerate().take(pixels - pixel) {
                let at = (pixel + r) * outputs + first;
                y[at..at + lanes].copy_from_slice(&sums[..lanes]);
            }
            pixel += PIXELS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Element for i32 {
        fn plus_product<const FMA: bool>(self, a: i32, b: i32) -> i32 {
            self + a * b
        }
    }

    /// Two images of 5 x 6 pixels and 3 channels, kernel 3 x 2, 17 outputs.
    fn case() -> (Vec<i32>, Vec<u32>, usize) {
        let x = (0..2 * 5 * 6 * 3).map(|i| (i * 37 % 23) - 11).collect();
        let bases = (0..2)
            .flat_map(|n| (0..3).flat_map(move |y| (0..5).map(move |x| (n * 5 + y) * 18 + x * 3)))
            .collect();
        (x, bases, 17)
    }

    #[test]
    fn the_loop_equals_its_definition() {
        let (x, bases, outputs) = case();
        let window = Window {
            bases: &bases,
            segments: 3,
            segment_stride: 18,
            segment_length: 6,
        };
        let packed: Vec<i32> = (0..2 * window.block_length() as i32)
            .map(|i| (i * 29 % 31) - 15)
            .collect();
        let weight = |o: usize, s: usize, k: usize| {
            packed[(o / LANES) * window.block_length() + (s * 6 + k) * LANES + o % LANES]
        };
        let mut y = vec![0; bases.len() * outputs];
        convolve(&x, &window, &packed, outputs, &mut y);
        let operand = |p: usize, s: usize, k: usize| x[bases[p] as usize + s * 18 + k];
        for p in 0..bases.len() {
            for o in 0..outputs {
                let expected: i32 = (0..3)
                    .flat_map(|s| (0..6).map(move |k| (s, k)))
                    .map(|(s, k)| operand(p, s, k) * weight(o, s, k))
                    .sum();
                assert_eq!(y[p * outputs + o], expected, "pixel {p}, output {o}");
            }
        }
    }
}
