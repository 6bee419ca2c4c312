//! Bringing a picture to a size as torchvision does with Pillow.
//!
//! `Resize` is Pillow's bilinear filter: a triangle that is as wide as a pixel of the larger of
//! both pictures on either side, so that every pixel of a picture that shrinks counts. Weights are
//! whole multiples of 2⁻²², first all rows are brought to their width, rounded to bytes, then all
//! columns. `CenterCrop` cuts out the middle, where a half pixel is rounded to the even side.

use super::picture::Picture;

/// Bits of a weight behind the point.
const BITS: u32 = 22;

impl Picture {
    /// The same picture in another size.
    ///
    /// # Panics
    /// If a side is 0.
    pub fn resized(&self, height: usize, width: usize) -> Self {
        let mut result = self.clone();
        if width != result.width {
            let lines = Lines {
                count: result.height,
                length: result.width,
                stride: result.channels,
                between: result.width * result.channels,
            };
            let target = Lines {
                length: width,
                between: width * result.channels,
                ..lines
            };
            result.pixels = resample(&result.pixels, &lines, &target, result.channels);
            result.width = width;
        }
        if height != result.height {
            let lines = Lines {
                count: result.width,
                length: result.height,
                stride: result.width * result.channels,
                between: result.channels,
            };
            let target = Lines {
                length: height,
                ..lines
            };
            result.pixels = resample(&result.pixels, &lines, &target, result.channels);
            result.height = height;
        }
        result
    }

    /// The same picture with its shorter side of a length; the longer one is rounded down.
    ///
    /// # Panics
    /// If the side is 0.
    pub fn with_shorter_side(&self, side: usize) -> Self {
        let longer = |long: usize, short: usize| side * long / short;
        match self.width <= self.height {
            true => self.resized(longer(self.height, self.width), side),
            false => self.resized(side, longer(self.width, self.height)),
        }
    }

    /// The middle of the picture.
    ///
    /// # Panics
    /// If the picture is smaller.
    pub fn centre(&self, height: usize, width: usize) -> Self {
        // Half of what is left over; of two and a half, two, and of three and a half, four.
        let margin = |larger: usize, smaller: usize| {
            let left = larger - smaller;
            left / 2 + usize::from(left % 4 == 3)
        };
        let (top, left) = (margin(self.height, height), margin(self.width, width));
        let row = |y: usize| {
            let start = ((top + y) * self.width + left) * self.channels;
            &self.pixels[start..start + width * self.channels]
        };
        Self {
            width,
            height,
            channels: self.channels,
            pixels: (0..height).flat_map(row).copied().collect(),
        }
    }
}

/// Rows or columns of a picture.
#[derive(Clone, Copy)]
struct Lines {
    count: usize,
    /// Pixels of a line.
    length: usize,
    /// Values from a pixel to the next one of its line.
    stride: usize,
    /// Values from a line to the next.
    between: usize,
}

/// The pixels of a line that a pixel of the new line is made of.
struct Window {
    first: usize,
    weights: Vec<i64>,
}

/// Lines of another length.
fn resample(pixels: &[u8], from: &Lines, to: &Lines, channels: usize) -> Vec<u8> {
    let windows = windows(from.length, to.length);
    let mut result = vec![0; to.count * to.length * channels];
    for line in 0..from.count {
        for (place, window) in windows.iter().enumerate() {
            for channel in 0..channels {
                let start = line * from.between + window.first * from.stride + channel;
                let values = pixels[start..].iter().step_by(from.stride);
                let sum: i64 = values
                    .zip(&window.weights)
                    .map(|(&value, weight)| i64::from(value) * weight)
                    .sum();
                let rounded = (sum + (1 << (BITS - 1))) >> BITS;
                result[line * to.between + place * to.stride + channel] =
                    rounded.clamp(0, 255) as u8;
            }
        }
    }
    result
}

/// The window of each pixel of a new line.
fn windows(from: usize, to: usize) -> Vec<Window> {
    let scale = from as f64 / to as f64;
    let reach = scale.max(1.0);
    let window = |place: usize| {
        let centre = (place as f64 + 0.5) * scale;
        // The casts saturate at 0, and cut off what is behind the point.
        let first = (centre - reach + 0.5) as usize;
        let end = ((centre + reach + 0.5) as usize).min(from);
        let weight = |at: usize| {
            let distance = (at as f64 - centre + 0.5) * (1.0 / reach);
            (1.0 - distance.abs()).max(0.0)
        };
        let weights: Vec<f64> = (first..end).map(weight).collect();
        let sum: f64 = weights.iter().sum();
        let fixed = |weight: f64| (0.5 + weight / sum * f64::from(1 << BITS)) as i64;
        Window {
            first,
            weights: weights.into_iter().map(fixed).collect(),
        }
    };
    (0..to).map(window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(height: usize, width: usize, value: impl Fn(usize, usize) -> u8) -> Picture {
        let pixels = (0..height).flat_map(|y| (0..width).map(move |x| (y, x)));
        Picture {
            width,
            height,
            channels: 1,
            pixels: pixels.map(|(y, x)| value(y, x)).collect(),
        }
    }

    #[test]
    fn the_middle_is_that_of_pythons_round() {
        // round((larger - smaller) / 2) for 0 to 8: 0, 0, 1, 2, 2, 2, 3, 4, 4.
        for (left, margin) in [0u8, 0, 1, 2, 2, 2, 3, 4, 4].into_iter().enumerate() {
            let found = picture(1, 3 + left, |_, x| x as u8).centre(1, 3);
            assert_eq!(found.pixels, [margin, margin + 1, margin + 2], "{left}");
        }
    }

    #[test]
    fn an_even_picture_stays_even_and_a_size_of_its_own_changes_nothing() {
        let even = picture(7, 9, |_, _| 201);
        for (height, width) in [(1, 1), (3, 20), (20, 3), (7, 9)] {
            let resized = even.resized(height, width);
            assert_eq!((resized.height, resized.width), (height, width));
            assert!(resized.pixels.iter().all(|&value| value == 201));
        }
        let uneven = picture(7, 9, |y, x| (y * 31 + x * 17) as u8);
        assert_eq!(uneven.resized(7, 9), uneven);
        assert_eq!(uneven.with_shorter_side(7), uneven);
    }

    #[test]
    fn the_longer_side_is_rounded_down_and_every_pixel_counts_where_a_picture_shrinks() {
        let resized = picture(10, 7, |_, _| 0).with_shorter_side(5);
        assert_eq!((resized.height, resized.width), (7, 5));
        // One white pixel of 64 in a picture that becomes 2 x 2.
        let white = picture(8, 8, |y, x| 255 * u8::from((y, x) == (3, 2)));
        let resized = white.resized(2, 2);
        assert!(resized.pixels[0] > 0, "{:?}", resized.pixels);
    }
}
