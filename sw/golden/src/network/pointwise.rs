//! What is done to each value between two convolutions, in one pass over an image.
//!
//! Channels are taken in blocks whose coefficients and sums stay in registers: 16 at a
//! time, then 8, then single ones.

use super::Bounds;
use super::level::{LANES, dispatched, multiply_add};
use crate::quantize::ActivationGrid;

/// Clipping and rounding of a tensor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Clip {
    /// What is below becomes this.
    pub low: f32,
    /// What is above becomes this.
    pub high: f32,
    /// Then rounded to this grid.
    pub grid: Option<ActivationGrid>,
    /// The layer's own bounds, within which its range is observed.
    pub bounds: Bounds,
}

impl Clip {
    /// To a layer's own bounds, and to what its grid holds.
    pub fn new(bounds: Bounds, grid: Option<ActivationGrid>) -> Self {
        let (low, high) = (bounds.low(), bounds.high());
        Self {
            low: grid.map_or(low, |grid| low.max(f32::from(grid.low) * grid.step)),
            high: grid.map_or(high, |grid| high.min(grid.range())),
            grid,
            bounds,
        }
    }

    /// Whether it is the grid that cuts off what is above.
    pub fn is_cut_by_grid(self) -> bool {
        self.grid.is_some_and(|grid| grid.range() <= self.high)
    }

    /// Whether nothing is changed, and every gradient passes.
    pub fn is_none(self) -> bool {
        self.low == f32::NEG_INFINITY && self.high == f32::INFINITY
    }

    /// Whether a gradient passes at this value: strictly between the ends.
    #[inline(always)]
    pub fn passes(self, y: f32) -> bool {
        y > self.low && y < self.high
    }

    /// The value clipped and rounded.
    #[inline(always)]
    pub fn rounded(self, y: f32) -> f32 {
        self.apply::<true>(y)
    }

    #[inline(always)]
    fn apply<const ROUND: bool>(self, y: f32) -> f32 {
        // Comparisons in this order keep a NaN, which must reach the loss.
        let y = if y < self.low { self.low } else { y };
        let y = if y > self.high { self.high } else { y };
        match self.grid {
            Some(grid) if ROUND => round(y, grid),
            _ => y,
        }
    }
}

/// Rounds to the grid, halves upwards as the requantizer does.
#[inline(always)]
fn round(y: f32, grid: ActivationGrid) -> f32 {
    /// Where the distance of two numbers is one.
    const UNITS: f32 = (1 << 23) as f32;
    let (low, levels) = (f32::from(grid.low), f32::from(grid.high - grid.low));
    let shifted = y * (1.0 / grid.step) + (0.5 - low);
    let shifted = if shifted < 0.0 { 0.0 } else { shifted };
    let shifted = if shifted > levels { levels } else { shifted };
    // The floor, without a library function where there is no instruction for it.
    let nearest = (shifted + UNITS) - UNITS;
    let floor = if nearest > shifted {
        nearest - 1.0
    } else {
        nearest
    };
    (floor + low) * grid.step
}

dispatched! {
    /// Clips and rounds the values of a layer without weights; the result is the largest magnitude
    /// within the layer's own bounds. `pass` becomes as [`activate`]'s.
    finish = [finish_body, finish_body, finish_body],
    (y: &mut [f32], clip: Clip, pass: Option<&mut [u8]>) -> f32
}

#[inline(always)]
fn finish_body<const FMA: bool>(y: &mut [f32], clip: Clip, pass: Option<&mut [u8]>) -> f32 {
    if let Some(pass) = pass {
        let pairs = pass.iter_mut().zip(&*y);
        pairs.for_each(|(pass, &y)| *pass = u8::from(y > clip.low) & u8::from(y < clip.high));
    }
    let within = Clip::new(clip.bounds, None);
    let mut best = [0.0; LANES];
    for group in y.chunks(LANES) {
        for (b, &y) in best.iter_mut().zip(group) {
            let magnitude = within.apply::<false>(y).abs();
            *b = if magnitude > *b { magnitude } else { *b };
        }
    }
    match clip.grid {
        Some(_) => y.iter_mut().for_each(|y| *y = clip.apply::<true>(*y)),
        None if clip.is_none() => {}
        None => y.iter_mut().for_each(|y| *y = clip.apply::<false>(*y)),
    }
    best.into_iter().fold(0.0, f32::max)
}

/// Stops the gradients of values that were cut off.
pub(super) fn stop(g: &mut [f32], pass: &[u8]) {
    let pairs = g.iter_mut().zip(pass);
    pairs.for_each(|(g, &pass)| *g = if pass != 0 { *g } else { 0.0 });
}

/// The sum of an image's output gradients, the operand added, where the output `y` was cut off at
/// the largest value of its grid.
pub(super) fn ceiling(
    pass: &[u8],
    y: &[f32],
    g: &[f32],
    operand: Option<&[f32]>,
    clip: Clip,
) -> f32 {
    if !clip.is_cut_by_grid() {
        return 0.0;
    }
    // What was cut off at the lowest value is below the middle.
    let middle = 0.5 * (clip.low + clip.high);
    let cut = pass
        .iter()
        .zip(y)
        .map(|(&pass, &y)| pass == 0 && y > middle);
    let cut = cut.enumerate().filter_map(|(i, cut)| cut.then_some(i));
    cut.map(|i| g[i] + operand.map_or(0.0, |o| o[i])).sum()
}

/// Calls `$body::<$width, ..>(first channel, ..)` for every block of channels.
macro_rules! blocks {
    ($channels:expr, |$first:ident, $lanes:ident| $body:expr) => {{
        let channels = $channels;
        let mut $first = 0;
        while $first + $crate::network::level::LANES <= channels {
            const $lanes: usize = $crate::network::level::LANES;
            $body;
            $first += $crate::network::level::LANES;
        }
        while $first + 8 <= channels {
            const $lanes: usize = 8;
            $body;
            $first += 8;
        }
        while $first < channels {
            const $lanes: usize = 1;
            $body;
            $first += 1;
        }
    }};
}
pub(super) use blocks;

/// The block of `L` channels from `first` on.
#[inline(always)]
pub(super) fn block<const L: usize, T>(pixel: &[T], first: usize) -> &[T; L] {
    pixel[first..]
        .first_chunk()
        .expect("a block is inside its pixel")
}

#[inline(always)]
pub(super) fn block_mut<const L: usize, T>(pixel: &mut [T], first: usize) -> &mut [T; L] {
    pixel[first..]
        .first_chunk_mut()
        .expect("a block is inside its pixel")
}

dispatched! {
    /// `y = clip(z·scale + shift [+ operand])`, channels last; the result is the largest
    /// value within the layer's own bounds, where these leave negative ones the largest magnitude. `pass` becomes one where y was strictly inside the clip's
    /// range, which is where the straight-through gradient flows, and zero elsewhere.
    activate = [activate_body, activate_body, activate_body],
    (
        z: &[f32],
        affine: (&[f32], &[f32]),
        operand: Option<&[f32]>,
        clip: Clip,
        y: &mut [f32],
        pass: Option<&mut [u8]>,
    ) -> f32
}

#[inline(always)]
fn activate_body<const FMA: bool>(
    z: &[f32],
    affine: (&[f32], &[f32]),
    operand: Option<&[f32]>,
    clip: Clip,
    y: &mut [f32],
    pass: Option<&mut [u8]>,
) -> f32 {
    let kinds = (operand, clip.grid, clip.bounds.low() < 0.0);
    // Operand, rounding, magnitudes.
    macro_rules! kind {
        ($operand:literal, $round:literal, $magnitude:literal, $values:expr) => {
            activate_kind::<FMA, $operand, $round, $magnitude>(z, affine, $values, clip, y, pass)
        };
    }
    match kinds {
        (None, None, false) => kind!(false, false, false, z),
        (None, Some(_), false) => kind!(false, true, false, z),
        (Some(operand), None, false) => kind!(true, false, false, operand),
        (Some(operand), Some(_), false) => kind!(true, true, false, operand),
        (None, None, true) => kind!(false, false, true, z),
        (None, Some(_), true) => kind!(false, true, true, z),
        (Some(operand), None, true) => kind!(true, false, true, operand),
        (Some(operand), Some(_), true) => kind!(true, true, true, operand),
    }
}

#[inline(always)]
fn activate_kind<const FMA: bool, const OPERAND: bool, const ROUND: bool, const MAGNITUDE: bool>(
    z: &[f32],
    (scale, shift): (&[f32], &[f32]),
    operand: &[f32],
    clip: Clip,
    y: &mut [f32],
    mut pass: Option<&mut [u8]>,
) -> f32 {
    let channels = scale.len();
    let within = Clip::new(clip.bounds, None);
    let mut most = f32::MIN;
    blocks!(channels, |first, L| {
        let (scale, shift) = (*block::<L, _>(scale, first), *block::<L, _>(shift, first));
        let mut best = [f32::MIN; L];
        let pixels = z.chunks_exact(channels).zip(operand.chunks_exact(channels));
        let pixels = pixels.zip(y.chunks_exact_mut(channels));
        // Not in a closure: it would not be compiled for the instructions at hand.
        macro_rules! value {
            ($z:ident, $operand:ident) => {{
                let (z, operand) = (block::<L, _>($z, first), block::<L, _>($operand, first));
                let mut t = [0.0; L];
                for l in 0..L {
                    t[l] = multiply_add::<FMA>(z[l], scale[l], shift[l]);
                    if OPERAND {
                        t[l] += operand[l];
                    }
                    let seen = if MAGNITUDE {
                        within.apply::<false>(t[l]).abs()
                    } else {
                        t[l]
                    };
                    best[l] = if seen > best[l] { seen } else { best[l] };
                }
                t
            }};
        }
        match &mut pass {
            None => {
                for ((z, operand), y) in pixels {
                    let t = value!(z, operand);
                    let y = block_mut::<L, _>(y, first);
                    for l in 0..L {
                        y[l] = clip.apply::<ROUND>(t[l]);
                    }
                }
            }
            Some(pass) => {
                for (((z, operand), y), pass) in pixels.zip(pass.chunks_exact_mut(channels)) {
                    let t = value!(z, operand);
                    let (y, pass) = (block_mut::<L, _>(y, first), block_mut::<L, _>(pass, first));
                    for l in 0..L {
                        pass[l] = u8::from(t[l] > clip.low) & u8::from(t[l] < clip.high);
                    }
                    for l in 0..L {
                        y[l] = clip.apply::<ROUND>(t[l]);
                    }
                }
            }
        }
        most = best.into_iter().fold(most, f32::max);
    });
    match MAGNITUDE {
        true => most,
        false => most.min(within.high),
    }
}

dispatched! {
    /// The gradient in front of the clipping: `g = pass·(g [+ operand])`; per channel, Σ g and
    /// Σ g·(z − centre) go to `sums`, the second behind the first.
    gate = [gate_body, gate_body, gate_body],
    (
        g: &mut [f32],
        operand: Option<&[f32]>,
        pass: Option<&[u8]>,
        z: &[f32],
        centre: &[f32],
        sums: &mut [f32],
    )
}

#[inline(always)]
fn gate_body<const FMA: bool>(
    g: &mut [f32],
    operand: Option<&[f32]>,
    pass: Option<&[u8]>,
    z: &[f32],
    centre: &[f32],
    sums: &mut [f32],
) {
    let none: &[u8] = &[];
    match (operand, pass) {
        (None, None) => gate_kind::<FMA, false, false>(g, z, none, z, centre, sums),
        (None, Some(pass)) => gate_kind::<FMA, false, true>(g, z, pass, z, centre, sums),
        (Some(operand), None) => gate_kind::<FMA, true, false>(g, operand, none, z, centre, sums),
        (Some(operand), Some(pass)) => {
            gate_kind::<FMA, true, true>(g, operand, pass, z, centre, sums);
        }
    }
}

#[inline(always)]
fn gate_kind<const FMA: bool, const OPERAND: bool, const PASS: bool>(
    g: &mut [f32],
    operand: &[f32],
    pass: &[u8],
    z: &[f32],
    centre: &[f32],
    sums: &mut [f32],
) {
    let channels = centre.len();
    let (plain, centred) = sums.split_at_mut(channels);
    blocks!(channels, |first, L| {
        let centre = *block::<L, _>(centre, first);
        let (mut sum, mut product) = ([0.0; L], [0.0; L]);
        let pixels = g.chunks_exact_mut(channels).zip(z.chunks_exact(channels));
        let pixels = pixels.zip(operand.chunks_exact(channels));
        macro_rules! one {
            ($g:ident, $z:ident, $operand:ident, $pass:expr) => {{
                let (g, z) = (block_mut::<L, _>($g, first), block::<L, _>($z, first));
                let operand = block::<L, _>($operand, first);
                for l in 0..L {
                    let whole = if OPERAND { g[l] + operand[l] } else { g[l] };
                    g[l] = if $pass(l) { whole } else { 0.0 };
                    sum[l] += g[l];
                    product[l] = multiply_add::<FMA>(g[l], z[l] - centre[l], product[l]);
                }
            }};
        }
        if PASS {
            for (((g, z), operand), pass) in pixels.zip(pass.chunks_exact(channels)) {
                let pass = block::<L, _>(pass, first);
                one!(g, z, operand, |l: usize| pass[l] != 0);
            }
        } else {
            for ((g, z), operand) in pixels {
                one!(g, z, operand, |_| true);
            }
        }
        *block_mut::<L, _>(plain, first) = sum;
        *block_mut::<L, _>(centred, first) = product;
    });
}

dispatched! {
    /// `d = g·c₀ + z·c₁ + c₂`: the gradient of a normalisation's input. Rows of `length`
    /// values go to `d` at `first`, `first` + `stride`, and so on.
    spread = [spread_body, spread_body, spread_body],
    (
        g: &[f32],
        z: &[f32],
        coefficients: [&[f32]; 3],
        length: usize,
        rows: (usize, usize),
        d: &mut [f32],
    )
}

#[inline(always)]
fn spread_body<const FMA: bool>(
    g: &[f32],
    z: &[f32],
    coefficients: [&[f32]; 3],
    length: usize,
    (start, stride): (usize, usize),
    d: &mut [f32],
) {
    let channels = coefficients[0].len();
    blocks!(channels, |first, L| {
        let [c0, c1, c2] = coefficients.map(|c| *block::<L, _>(c, first));
        let rows = g.chunks_exact(length).zip(z.chunks_exact(length));
        for ((g, z), d) in rows.zip(d[start..].chunks_mut(stride)) {
            let pixels = g.chunks_exact(channels).zip(z.chunks_exact(channels));
            for ((g, z), d) in pixels.zip(d.chunks_exact_mut(channels)) {
                let (g, z) = (block::<L, _>(g, first), block::<L, _>(z, first));
                let d = block_mut::<L, _>(d, first);
                for l in 0..L {
                    let rest = multiply_add::<FMA>(z[l], c1[l], c2[l]);
                    d[l] = multiply_add::<FMA>(g[l], c0[l], rest);
                }
            }
        }
    });
}

dispatched! {
    /// Σ (z − pivot) and Σ (z − pivot)² of each channel, with the first pixel as pivot, so
    /// that nothing cancels where a channel varies little; the second behind the first.
    deviations = [deviations_body, deviations_body, deviations_body],
    (z: &[f32], channels: usize, sums: &mut [f32])
}

#[inline(always)]
fn deviations_body<const FMA: bool>(z: &[f32], channels: usize, sums: &mut [f32]) {
    let (plain, squares) = sums.split_at_mut(channels);
    blocks!(channels, |first, L| {
        let pivot = *block::<L, _>(z, first);
        // Four chains of sums, since each waits for its last addition.
        let (mut sum, mut square) = ([[0.0; L]; 4], [[0.0; L]; 4]);
        let quads = z.chunks_exact(4 * channels);
        let rest = quads.remainder().chunks_exact(channels);
        for quad in quads {
            for i in 0..4 {
                let z = block::<L, _>(&quad[i * channels..], first);
                for l in 0..L {
                    let d = z[l] - pivot[l];
                    sum[i][l] += d;
                    square[i][l] = multiply_add::<FMA>(d, d, square[i][l]);
                }
            }
        }
        for z in rest {
            let z = block::<L, _>(z, first);
            for l in 0..L {
                let d = z[l] - pivot[l];
                sum[0][l] += d;
                square[0][l] = multiply_add::<FMA>(d, d, square[0][l]);
            }
        }
        let (plain, squares) = (
            block_mut::<L, _>(plain, first),
            block_mut::<L, _>(squares, first),
        );
        for l in 0..L {
            plain[l] = (sum[0][l] + sum[1][l]) + (sum[2][l] + sum[3][l]);
            squares[l] = (square[0][l] + square[1][l]) + (square[2][l] + square[3][l]);
        }
    });
}
