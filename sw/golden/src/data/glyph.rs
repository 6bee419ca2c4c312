//! Digits drawn procedurally: a task with no files to download.
//!
//! Each digit is a handful of polylines and elliptic arcs in a unit box. An
//! image distorts it (scale, shear, rotation, shift, wobble of the control
//! points), draws it with a pen of random width, anti-aliased by the distance
//! to the stroke, and adds noise.
//!
//! Image `i` of a set is drawn from its own ChaCha stream: number 2i for
//! training, 2i + 1 for test. Streams of one key never overlap, so no test
//! image can be a training image's twin by construction, and an image does not
//! depend on how many others are drawn.

use super::{Dataset, Split};
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Normal};
use rayon::prelude::*;
use std::f32::consts::PI;

/// Side of an image in pixels.
pub const SIDE: usize = 28;
/// Training images that suffice for the built-in networks.
pub const TRAINING_IMAGES: usize = 12_000;
/// Held-out images that give an accuracy to about a tenth of a point.
pub const TEST_IMAGES: usize = 2_000;
const CLASSES: usize = 10;
/// Side of the box that an undistorted digit fills, in pixels.
const BOX: f32 = 19.0;

/// Draws `train` training and `test` test images. Image `i` shows digit `i mod 10`,
/// so classes are exactly balanced when the counts are multiples of ten.
pub fn split(seed: u64, train: usize, test: usize) -> Split {
    Split {
        train: draw(seed, train, 0),
        test: draw(seed, test, 1),
    }
}

fn draw(seed: u64, count: usize, parity: u64) -> Dataset {
    let mut pixels = vec![0; count * SIDE * SIDE];
    pixels
        .par_chunks_exact_mut(SIDE * SIDE)
        .enumerate()
        .for_each(|(i, image)| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(2 * i as u64 + parity);
            draw_digit(i % CLASSES, &mut random, image);
        });
    let images = Array4::from_shape_vec((count, SIDE, SIDE, 1), pixels)
        .expect("the buffer was made for this shape");
    let labels = (0..count).map(|i| (i % CLASSES) as u16).collect();
    Dataset::new("glyphs", images, labels, CLASSES)
}

type Point = (f32, f32);

/// An arc of an axis-parallel ellipse, angles in degrees, y pointing down.
fn arc(centre: Point, radii: Point, from: f32, to: f32) -> Vec<Point> {
    const STEPS: usize = 12;
    (0..=STEPS)
        .map(|i| {
            let angle = (from + (to - from) * i as f32 / STEPS as f32) * PI / 180.0;
            (
                centre.0 + radii.0 * angle.cos(),
                centre.1 + radii.1 * angle.sin(),
            )
        })
        .collect()
}

fn joined(mut first: Vec<Point>, rest: &[Point]) -> Vec<Point> {
    first.extend_from_slice(rest);
    first
}

/// The strokes of a digit in the unit box, (0, 0) at the upper left.
fn strokes(digit: usize) -> Vec<Vec<Point>> {
    match digit {
        0 => vec![arc((0.5, 0.5), (0.27, 0.42), 0.0, 360.0)],
        1 => vec![vec![(0.34, 0.27), (0.53, 0.08), (0.53, 0.92)]],
        2 => vec![joined(
            arc((0.5, 0.3), (0.26, 0.22), -170.0, 35.0),
            &[(0.24, 0.91), (0.79, 0.91)],
        )],
        3 => vec![joined(
            arc((0.47, 0.29), (0.25, 0.21), -150.0, 90.0),
            &arc((0.47, 0.7), (0.28, 0.21), -90.0, 150.0),
        )],
        4 => vec![vec![(0.63, 0.92), (0.63, 0.08), (0.2, 0.66), (0.82, 0.66)]],
        5 => vec![joined(
            vec![(0.75, 0.09), (0.32, 0.09), (0.29, 0.48)],
            &arc((0.48, 0.66), (0.28, 0.25), -135.0, 145.0),
        )],
        6 => vec![joined(
            arc((0.74, 0.68), (0.49, 0.6), 260.0, 180.0),
            &arc((0.5, 0.68), (0.25, 0.23), 180.0, -180.0),
        )],
        7 => vec![vec![(0.21, 0.09), (0.78, 0.09), (0.42, 0.92)]],
        8 => vec![
            arc((0.5, 0.29), (0.21, 0.2), 0.0, 360.0),
            arc((0.5, 0.71), (0.26, 0.21), 0.0, 360.0),
        ],
        _ => vec![joined(
            arc((0.5, 0.32), (0.24, 0.23), 0.0, 360.0),
            &[(0.72, 0.55), (0.64, 0.92)],
        )],
    }
}

/// How one image differs from the ideal digit.
struct Hand {
    turn: Point,
    shear: f32,
    scale: Point,
    shift: Point,
    wobble: Normal<f32>,
}

impl Hand {
    fn new(random: &mut ChaCha8Rng) -> Self {
        let degrees: f32 = random.random_range(-16.0..16.0);
        let angle = degrees * PI / 180.0;
        Self {
            turn: (angle.cos(), angle.sin()),
            shear: random.random_range(-0.25..0.25),
            scale: (
                BOX * random.random_range(0.72..1.15),
                BOX * random.random_range(0.78..1.12),
            ),
            shift: (
                random.random_range(-3.0..3.0),
                random.random_range(-2.5..2.5),
            ),
            wobble: Normal::new(0.0, 0.018).expect("the deviation is positive"),
        }
    }

    /// A point of the unit box in pixels.
    fn place(&self, point: Point, random: &mut ChaCha8Rng) -> Point {
        let x = point.0 - 0.5 + self.wobble.sample(random);
        let y = point.1 - 0.5 + self.wobble.sample(random);
        let (x, y) = ((x - self.shear * y) * self.scale.0, y * self.scale.1);
        let centre = SIDE as f32 / 2.0;
        (
            centre + self.shift.0 + x * self.turn.0 - y * self.turn.1,
            centre + self.shift.1 + x * self.turn.1 + y * self.turn.0,
        )
    }
}

fn draw_digit(digit: usize, random: &mut ChaCha8Rng, image: &mut [u8]) {
    let hand = Hand::new(random);
    let half_width: f32 = random.random_range(0.7..1.7);
    let ink: f32 = random.random_range(150.0..255.0);
    let noise = Normal::new(0.0, random.random_range(4.0..26.0)).expect("positive deviation");
    let mut distance = [f32::MAX; SIDE * SIDE];
    for stroke in strokes(digit) {
        let placed: Vec<Point> = stroke.iter().map(|&p| hand.place(p, random)).collect();
        for ends in placed.windows(2) {
            approach(&mut distance, ends[0], ends[1], half_width + 1.0);
        }
    }
    for (pixel, d) in image.iter_mut().zip(distance) {
        let cover = (half_width + 0.5 - d).clamp(0.0, 1.0);
        let value: f32 = ink * cover + noise.sample(random);
        // The cast saturates, so noise cannot wrap around.
        *pixel = value.round() as u8;
    }
}

/// Lowers each pixel's distance to that from the segment a..b, where it is within `reach`.
fn approach(distance: &mut [f32; SIDE * SIDE], a: Point, b: Point, reach: f32) {
    let range = |p: f32, q: f32| {
        let low = (p.min(q) - reach).floor().max(0.0) as usize;
        // A negative upper end saturates at zero, which leaves an empty range.
        let high = (p.max(q) + reach).ceil() as usize;
        low..high.min(SIDE)
    };
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length2 = (dx * dx + dy * dy).max(1e-6);
    for y in range(a.1, b.1) {
        for x in range(a.0, b.0) {
            let (px, py) = (x as f32 + 0.5 - a.0, y as f32 + 0.5 - a.1);
            let along = ((px * dx + py * dy) / length2).clamp(0.0, 1.0);
            let (ex, ey) = (px - along * dx, py - along * dy);
            let d = &mut distance[y * SIDE + x];
            *d = d.min((ex * ex + ey * ey).sqrt());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ten_classes_are_exactly_balanced() {
        let split = split(1, 200, 50);
        for (set, each) in [(&split.train, 20), (&split.test, 5)] {
            for class in 0..10 {
                assert_eq!(set.labels.iter().filter(|&&l| l == class).count(), each);
            }
        }
    }

    #[test]
    fn no_test_image_equals_a_training_image() {
        let split = split(7, 1000, 1000);
        let seen: HashSet<&[u8]> = (0..1000)
            .filter_map(|i| split.train.image(i).bytes())
            .collect();
        assert_eq!(seen.len(), 1000, "training images are all distinct");
        assert!((0..1000).all(|i| !seen.contains(split.test.image(i).bytes().unwrap())));
    }

    #[test]
    fn an_image_depends_on_the_seed_and_its_number_only() {
        let few = split(3, 20, 10);
        let many = split(3, 300, 200);
        assert_eq!(few.train, many.train.first(20));
        assert_eq!(few.test, many.test.first(10));
        assert_ne!(few.train.images, split(4, 20, 10).train.images);
    }

    #[test]
    fn digits_have_ink_that_stays_clear_of_most_of_the_frame() {
        let set = split(5, 500, 10).train;
        for i in 0..set.len() {
            let bright = set
                .image(i)
                .bytes()
                .unwrap()
                .iter()
                .filter(|&&p| p > 100)
                .count();
            assert!(
                (10..350).contains(&bright),
                "image {i} has {bright} bright pixels"
            );
        }
    }
}
