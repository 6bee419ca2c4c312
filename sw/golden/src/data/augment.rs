//! Training images, slightly different in every epoch.

use brownout_spec::program::Shape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Largest border and largest square, in pixels.
const MOST: usize = 256;
/// Keeps the streams apart from those of weights and orders, which are small numbers.
const STREAM: u64 = 1 << 63;

/// What is done to a training image before it is seen, in this order.
///
/// What happens to image *i* in epoch *e* depends on the seed, *e* and *i* alone,
/// never on the batch, the thread or the other images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Augmentation {
    /// Width of a border of neutral pixels around the image, in pixels; a window of the
    /// image's own size is cut out at a random place. 0 leaves the image where it is.
    pub crop: usize,
    /// Mirror every second image, at random, left to right.
    pub flip: bool,
    /// Side of a square of neutral pixels around a random pixel of the image; what is
    /// beyond the edge is lost (DeVries and Taylor, "Improved regularization of
    /// convolutional neural networks with cutout", 2017). 0 makes none.
    pub cutout: usize,
}

/// Which image it is, of which epoch of which run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// Seed of the training run.
    pub seed: u64,
    /// Number of the epoch.
    pub epoch: u32,
    /// Number of the image in the data set.
    pub image: u32,
}

impl Augmentation {
    /// Whether images stay as they are.
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// Checks both sizes.
    ///
    /// # Errors
    /// The size that is not allowed, and what is.
    pub fn validate(&self) -> Result<(), String> {
        for (name, size) in [("crop", self.crop), ("cutout", self.cutout)] {
            if size > MOST {
                return Err(format!("{name}:{size}; allowed is 0 to {MOST} pixels"));
            }
        }
        Ok(())
    }

    /// Writes what becomes of `source` to `target`, both `[row][column][channel]`;
    /// `neutral` is the pixel of borders and squares, a value for each channel.
    ///
    /// # Panics
    /// If either slice does not have the size of `shape`, or `neutral` not its channels.
    pub fn apply<T: Copy>(
        &self,
        draw: Draw,
        shape: Shape,
        neutral: &[T],
        source: &[T],
        target: &mut [T],
    ) {
        assert_eq!(
            (source.len(), target.len()),
            (shape.volume(), shape.volume())
        );
        let mut random = ChaCha8Rng::seed_from_u64(draw.seed);
        random.set_stream(STREAM | u64::from(draw.epoch) << 32 | u64::from(draw.image));
        // All draws are made whatever is in use, so that settings do not disturb each other.
        let top = random.random_range(0..=2 * self.crop);
        let left = random.random_range(0..=2 * self.crop);
        let mirrored = random.random::<bool>() && self.flip;
        let row = random.random_range(0..shape.height);
        let column = random.random_range(0..shape.width);
        let covers = |at: usize, centre: usize| {
            // An even square reaches one pixel farther up and left.
            at + self.cutout / 2 >= centre && at < centre + self.cutout.div_ceil(2)
        };
        let channels = shape.channels;
        for (pixel, target) in target.chunks_exact_mut(channels).enumerate() {
            let (y, x) = (pixel / shape.width, pixel % shape.width);
            let from = |at: usize, start: usize, side: usize| {
                (at + start).checked_sub(self.crop).filter(|&p| p < side)
            };
            let source_x = if mirrored { shape.width - 1 - x } else { x };
            let cut = self.cutout > 0 && covers(y, row) && covers(x, column);
            match (
                from(y, top, shape.height),
                from(source_x, left, shape.width),
            ) {
                (Some(y), Some(x)) if !cut => {
                    let at = (y * shape.width + x) * channels;
                    target.copy_from_slice(&source[at..at + channels]);
                }
                _ => {
                    target.copy_from_slice(neutral);
                }
            }
        }
    }
}

impl fmt::Display for Augmentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [
            (self.crop > 0).then(|| format!("crop:{}", self.crop)),
            self.flip.then(|| "flip".to_owned()),
            (self.cutout > 0).then(|| format!("cutout:{}", self.cutout)),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        f.pad(
            if parts.is_empty() {
                "none".into()
            } else {
                parts.join(",")
            }
            .as_str(),
        )
    }
}

impl FromStr for Augmentation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || {
            format!(
                "{text:?} is no augmentation; allowed are none, and crop:PIXELS, flip and cutout:PIXELS, separated by commas"
            )
        };
        let mut result = Self::default();
        if text == "none" {
            return Ok(result);
        }
        for part in text.split(',') {
            let size = |size: &str| size.parse().map_err(|_| refuse());
            match part.split_once(':') {
                None if part == "flip" => result.flip = true,
                Some(("crop", pixels)) => result.crop = size(pixels)?,
                Some(("cutout", pixels)) => result.cutout = size(pixels)?,
                _ => return Err(refuse()),
            }
        }
        result.validate()?;
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const SHAPE: Shape = Shape {
        height: 6,
        width: 5,
        channels: 3,
    };
    const NEUTRAL: [u8; 3] = [200, 201, 202];

    fn image() -> Vec<u8> {
        (0..SHAPE.volume() as u8).collect()
    }

    fn apply(augmentation: Augmentation, epoch: u32, image_number: u32) -> Vec<u8> {
        let mut target = vec![0; SHAPE.volume()];
        let draw = Draw {
            seed: 3,
            epoch,
            image: image_number,
        };
        augmentation.apply(draw, SHAPE, &NEUTRAL, &image(), &mut target);
        target
    }

    #[test]
    fn nothing_is_done_by_default_and_a_mirrored_image_is_mirrored() {
        assert_eq!(apply(Augmentation::default(), 0, 0), image());
        let flip = Augmentation {
            flip: true,
            ..Augmentation::default()
        };
        let mirrored: Vec<u8> = image()
            .chunks_exact(SHAPE.width * 3)
            .flat_map(|row| {
                row.chunks_exact(3)
                    .rev()
                    .flatten()
                    .copied()
                    .collect::<Vec<u8>>()
            })
            .collect();
        let results: Vec<_> = (0..400).map(|i| apply(flip, 0, i)).collect();
        let flipped = results.iter().filter(|r| **r == mirrored).count();
        assert!(results.iter().all(|r| *r == mirrored || *r == image()));
        // Within 4.5 standard deviations of half.
        assert!((155..=245).contains(&flipped), "{flipped} of 400");
    }

    #[test]
    fn every_window_of_the_border_is_cut_out_and_no_other() {
        let crop = Augmentation {
            crop: 2,
            ..Augmentation::default()
        };
        let mut windows = BTreeSet::new();
        for i in 0..2000 {
            let result = apply(crop, 1, i);
            // A pixel that survives every shift tells the shift.
            let centre = &result[(2 * SHAPE.width + 2) * 3..][..3];
            let from = usize::from(centre[0]) / 3;
            let (dy, dx) = (
                (from / SHAPE.width) as isize - 2,
                (from % SHAPE.width) as isize - 2,
            );
            for (pixel, value) in result.chunks_exact(3).enumerate() {
                let y = (pixel / SHAPE.width) as isize + dy;
                let x = (pixel % SHAPE.width) as isize + dx;
                let inside = (0..SHAPE.height as isize).contains(&y)
                    && (0..SHAPE.width as isize).contains(&x);
                match inside {
                    true => assert_eq!(isize::from(value[0]), (y * SHAPE.width as isize + x) * 3),
                    false => assert_eq!(value, NEUTRAL),
                }
            }
            windows.insert((dy, dx));
        }
        assert_eq!(windows.len(), 25);
    }

    #[test]
    fn a_square_of_the_stated_side_is_cut_and_may_hang_over_the_edge() {
        let cutout = Augmentation {
            cutout: 3,
            ..Augmentation::default()
        };
        let counts: BTreeSet<usize> = (0..500)
            .map(|i| {
                let result = apply(cutout, 0, i);
                let cut = result.chunks_exact(3).filter(|p| **p == NEUTRAL);
                cut.count()
            })
            .collect();
        // Sides of 2 at an edge and of 3 within, in both directions.
        assert_eq!(counts, BTreeSet::from([4, 6, 9]));
    }

    #[test]
    fn what_happens_depends_on_seed_epoch_and_image_alone() {
        let all = Augmentation {
            crop: 2,
            flip: true,
            cutout: 2,
        };
        assert_eq!(apply(all, 4, 5), apply(all, 4, 5));
        let distinct: BTreeSet<_> = (0..8)
            .flat_map(|e| (0..8).map(move |i| apply(all, e, i)))
            .collect();
        assert!(distinct.len() > 55, "{} of 64 differ", distinct.len());
    }

    #[test]
    fn augmentations_survive_their_names_and_others_are_refused() {
        for text in ["none", "flip", "crop:4,flip", "crop:4,flip,cutout:16"] {
            assert_eq!(text.parse::<Augmentation>().unwrap().to_string(), text);
        }
        for text in ["", "rotate", "crop", "crop:x", "flip,", "cutout:257"] {
            assert!(
                text.parse::<Augmentation>()
                    .unwrap_err()
                    .contains("allowed")
            );
        }
    }
}
