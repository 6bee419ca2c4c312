//! What a file really is, by its first bytes: for messages about files that are something else.

use crate::signature::Signature;
use std::io::{self, Cursor, Read};

/// Bytes by which a file is told.
const HEAD: usize = 64;

/// The first bytes of a stream, and the stream as it was.
///
/// An error while reading them comes up again when the stream is read.
pub(super) fn peek<R: Read>(mut reader: R) -> (Vec<u8>, io::Chain<Cursor<Vec<u8>>, R>) {
    let mut head = Vec::new();
    // What has been read by then is in `head`, also after an error.
    let _ = reader.by_ref().take(HEAD as u64).read_to_end(&mut head);
    (head.clone(), Cursor::new(head).chain(reader))
}

/// What a file is that begins with these bytes, with what to do about it; `None` if they are
/// nothing that is known here.
pub(super) fn describe(head: &[u8]) -> Option<&'static str> {
    if let [0x80, 2..=5, ..] = head {
        return Some("a Python pickle; the binary form of the data has the same images");
    }
    Some(match Signature::of(head)? {
        Signature::Gzip => {
            "a gzip file; the name of one has to end in .gz, or unpack it with gunzip"
        }
        Signature::Xz => "an xz file; the name of one has to end in .xz, or unpack it with unxz",
        Signature::Zip => "a zip archive; unpack it with unzip",
        Signature::Bzip2 => "a bzip2 file; unpack it with bunzip2",
        Signature::Zstd => "a zstd file; unpack it with unzstd",
        Signature::GitLfs => "a pointer of Git LFS; `git lfs pull` fetches the file",
        Signature::Png => "a PNG picture",
        Signature::Jpeg => "a JPEG picture",
        Signature::Numpy => "a NumPy array",
        Signature::Hdf5 => "an HDF5 file",
        Signature::Page => {
            "an HTML or XML page, perhaps what a server said in place of the file; download it again"
        }
        Signature::Json => "JSON text, perhaps what a server said in place of the file",
        Signature::Gguf | Signature::Elf => return None,
    })
}

/// What an IDX file holds by its magic number: two bytes of zero, the type of its values, and
/// the number of its dimensions.
pub(super) fn idx_content(magic: u32) -> Option<String> {
    let [0, 0, kind, dimensions] = magic.to_be_bytes() else {
        return None;
    };
    let kind = match kind {
        0x08 => "unsigned bytes",
        0x09 => "signed bytes",
        0x0b => "16-bit integers",
        0x0c => "32-bit integers",
        0x0d => "32-bit floating-point numbers",
        0x0e => "64-bit floating-point numbers",
        _ => return None,
    };
    Some(match dimensions {
        1 => format!("{kind} in 1 dimension"),
        _ => format!("{kind} in {dimensions} dimensions"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_whole_after_its_first_bytes_were_looked_at() {
        for length in [0, 3, HEAD, HEAD + 1, 5 * HEAD] {
            let bytes: Vec<u8> = (0..length).map(|i| i as u8).collect();
            let (head, mut rest) = peek(&bytes[..]);
            assert_eq!(head, bytes[..length.min(HEAD)]);
            let mut whole = Vec::new();
            rest.read_to_end(&mut whole).unwrap();
            assert_eq!(whole, bytes);
        }
    }

    #[test]
    fn an_idx_header_is_read_as_type_and_dimensions() {
        for (magic, content) in [
            (2051, Some("unsigned bytes in 3 dimensions")),
            (2049, Some("unsigned bytes in 1 dimension")),
            (3074, Some("32-bit integers in 2 dimensions")),
            (
                0x0d02,
                Some("32-bit floating-point numbers in 2 dimensions"),
            ),
            (0x0a01, None),
            (0x0001_0803, None),
        ] {
            assert_eq!(idx_content(magic).as_deref(), content, "{magic}");
        }
    }

    #[test]
    fn pages_and_archives_are_told_by_their_first_bytes() {
        for (head, part) in [
            (&b"\n <!DOCTYPE html>"[..], "HTML"),
            (b"\x1f\x8b\x08", ".gz"),
            (b"PK\x03\x04", "unzip"),
            (b"\xfd7zXZ\0", "unxz"),
            (
                b"version https://git-lfs.github.com/spec/v1",
                "git lfs pull",
            ),
            (b"\x80\x02}q", "pickle"),
        ] {
            let found = describe(head).unwrap_or_default();
            assert!(found.contains(part), "{found:?} lacks {part:?}");
        }
        assert_eq!(describe(&[0, 0, 8, 3]), None);
        assert_eq!(describe(&[]), None);
    }
}
