//! One picture: a PNG or JPEG file as rows of pixels.
//!
//! What it is, is told by its first bytes, whatever its name. Values of 16 bits keep their high
//! byte, values of 1, 2 and 4 bits are spread over 0 to 255, colours of a palette are looked up,
//! and transparency is left out without a background. A JPEG's orientation (EXIF) and colour
//! profiles are not applied. All that is as torchvision loads a picture with Pillow, but for grey
//! of 16 bits, which Pillow clips to white from 256 on.

use crate::words;
use image::error::ImageError;
use image::{ColorType, ImageDecoder, ImageFormat, ImageReader, Limits};
use std::io::Cursor;

/// Largest side of a picture in pixels.
const MOST_SIDE: u32 = 1 << 15;
/// Most bytes of pixels that a byte of a file may become: deflate reaches 1032.
const MOST_INFLATION: u64 = 1100;
/// Bytes of pixels that any file may become.
const FREE_BYTES: u64 = 1 << 20;
/// What decoders may hold beyond the pixels: tables, and chunks of text.
const DECODER_BYTES: u64 = 1 << 20;

/// Pixels in rows, each with its channels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
    /// `[row][column][channel]`.
    pub pixels: Vec<u8>,
}

impl Picture {
    /// Decodes the bytes of a file.
    ///
    /// # Errors
    /// What was found and what is allowed.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let format = match bytes {
            [0x89, b'P', b'N', b'G', ..] => ImageFormat::Png,
            [0xff, 0xd8, ..] => ImageFormat::Jpeg,
            [] => return Err("it is empty; allowed are PNG and JPEG pictures".into()),
            _ => return Err("it is neither a PNG nor a JPEG picture, which are allowed".into()),
        };
        if format == ImageFormat::Jpeg && !is_complete(bytes) {
            return Err("it is cut short: no end of image follows its values".into());
        }
        if format == ImageFormat::Png {
            check_palette(bytes)?;
        }
        let problem = |error: ImageError| format!("its picture cannot be read: {}", said(&error));
        let reader = ImageReader::with_format(Cursor::new(bytes), format);
        let mut decoder = reader.into_decoder().map_err(problem)?;
        let ((width, height), color) = (decoder.dimensions(), decoder.color_type());
        for (what, side) in [("wide", width), ("high", height)] {
            if !(1..=MOST_SIDE).contains(&side) {
                return Err(format!(
                    "it is {side} pixels {what}; allowed is 1 to {MOST_SIDE}"
                ));
            }
        }
        let size = decoder.total_bytes();
        if size > FREE_BYTES + MOST_INFLATION * bytes.len() as u64 {
            return Err(format!(
                "it announces {width} x {height} pixels, which its {} bytes cannot hold; allowed is {MOST_INFLATION} bytes of pixels for each of them",
                bytes.len()
            ));
        }
        let mut limits = Limits::no_limits();
        limits.max_alloc = Some(size + DECODER_BYTES);
        decoder.set_limits(limits).map_err(problem)?;
        let mut values = vec![0; size as usize];
        decoder.read_image(&mut values).map_err(problem)?;
        let (channels, kept, bytes_each) = match color {
            ColorType::L8 => (1, 1, 1),
            ColorType::La8 => (2, 1, 1),
            ColorType::Rgb8 => (3, 3, 1),
            ColorType::Rgba8 => (4, 3, 1),
            ColorType::L16 => (1, 1, 2),
            ColorType::La16 => (2, 1, 2),
            ColorType::Rgb16 => (3, 3, 2),
            ColorType::Rgba16 => (4, 3, 2),
            _ => return Err("its colours are none of grey and RGB, which are allowed".into()),
        };
        // The decoder gives values of 16 bits in this machine's order.
        let high = usize::from(bytes_each == 2 && cfg!(target_endian = "little"));
        let pixels = values
            .chunks_exact(channels * bytes_each)
            .flat_map(|pixel| {
                let values = pixel.iter().skip(high).step_by(bytes_each);
                values.copied().take(kept)
            });
        Ok(Self {
            width: width as usize,
            height: height as usize,
            channels: kept,
            pixels: pixels.collect(),
        })
    }

    /// The same picture with 1 channel or 3: grey becomes three equal colours, and colours the
    /// luma of ITU-R BT.601, in units of 2⁻¹⁶ as Pillow has it.
    pub fn with_channels(self, channels: usize) -> Self {
        let pixels = match (self.channels, channels) {
            (1, 3) => self.pixels.iter().flat_map(|&value| [value; 3]).collect(),
            (3, 1) => {
                let (pixels, _) = self.pixels.as_chunks::<3>();
                pixels.iter().map(luma).collect()
            }
            _ => return self,
        };
        Self {
            channels,
            pixels,
            ..self
        }
    }
}

fn luma(&[red, green, blue]: &[u8; 3]) -> u8 {
    let sum = 19_595 * u32::from(red) + 38_470 * u32::from(green) + 7_471 * u32::from(blue);
    // The weights are 2¹⁶ in all, so the result is a byte.
    ((sum + (1 << 15)) >> 16) as u8
}

/// Whether an end of image follows the first scan of a JPEG file. Such bytes cannot be part of
/// the values; before them they can, in a thumbnail.
fn is_complete(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xda;
    let mut at = 2;
    while let Some(&[0xff, marker, high, low]) = bytes.get(at..at + 4) {
        let length = usize::from(u16::from_be_bytes([high, low]));
        match marker {
            // Bytes of padding before a marker.
            0xff => at += 1,
            SCAN => {
                let scan = bytes.get(at + 2 + length..).unwrap_or_default();
                return scan.windows(2).any(|pair| pair == [0xff, 0xd9]);
            }
            _ => at += 2 + length,
        }
    }
    // It has no scan, of which the decoder says more.
    true
}

/// A decoder's complaint as a sentence of one line.
fn said(error: &ImageError) -> String {
    match error {
        ImageError::Limits(_) => "it wants more memory than its pixels take".to_owned(),
        other => words(other),
    }
}

/// Checks the palette of a PNG file, of which the decoder takes any length for a good one.
fn check_palette(bytes: &[u8]) -> Result<(), String> {
    let mut rest = bytes.get(8..).unwrap_or_default();
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = u32::from_be_bytes(*length) as usize;
        match after.first_chunk::<4>() {
            Some(b"PLTE") if length == 0 || length > 768 || !length.is_multiple_of(3) => {
                return Err(format!(
                    "its palette has {length} bytes; allowed are 3 for each of 1 to 256 colours"
                ));
            }
            Some(_) => {}
            None => break,
        }
        rest = after.get(4 + length + 4..).unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_whole_picture_is_refused_in_a_sentence() {
        let zeros: &[u8] = &[0xff, 0xd8, 0xff, 0xda, 0, 2, 7, 7];
        for (bytes, reason) in [
            (&b""[..], "it is empty"),
            (b"GIF89a", "neither a PNG nor a JPEG"),
            (zeros, "cut short"),
            (b"\x89PNG\r\n\x1a\n", "cannot be read"),
            (b"\xff\xd8\xff\xd9", "cannot be read"),
        ] {
            let message = Picture::decode(bytes).unwrap_err();
            assert!(message.contains(reason), "{message:?} lacks {reason:?}");
        }
    }

    #[test]
    fn a_palette_of_a_length_that_is_none_is_refused() {
        let file = |length: u32| {
            let palette = vec![7; length as usize];
            let chunk = [&length.to_be_bytes()[..], b"PLTE", &palette, &[0; 4]].concat();
            [b"\x89PNG\r\n\x1a\n", &chunk[..]].concat()
        };
        for (length, allowed) in [(0, false), (1, false), (3, true), (768, true), (771, false)] {
            assert_eq!(check_palette(&file(length)).is_ok(), allowed, "{length}");
        }
        assert!(
            Picture::decode(&file(4))
                .unwrap_err()
                .contains("4 bytes; allowed")
        );
    }

    #[test]
    fn a_thumbnail_does_not_make_a_picture_complete() {
        let thumbnail = [0xff, 0xd8, 0xff, 0xe1, 0, 4, 0xff, 0xd9];
        let scan = [0xff, 0xda, 0, 2, 1, 2, 3];
        let mut file = [&thumbnail[..], &scan].concat();
        assert!(!is_complete(&file));
        file.extend([0xff, 0xd9, 0]);
        assert!(is_complete(&file));
    }

    #[test]
    fn grey_is_the_luma_of_its_colours_and_equal_colours_are_grey() {
        let grey: Vec<u8> = (0..=255).collect();
        let picture = Picture {
            width: 16,
            height: 16,
            channels: 1,
            pixels: grey,
        };
        let there_and_back = picture.clone().with_channels(3).with_channels(1);
        assert_eq!(there_and_back, picture);
        // 0.299, 0.587 and 0.114 of 255.
        for (colour, value) in [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29)] {
            assert_eq!(luma(&colour), value);
        }
    }
}
