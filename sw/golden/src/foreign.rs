//! What a file is that is no safetensors file, by its first bytes.

use crate::signature::Signature;
use brownout_spec::text::printable;
use safetensors::{SafeTensorError, SafeTensors};

/// What a user of PyTorch does with a file of `torch.save`.
const CONVERT: &str = "three lines of Python make a safetensors file of it:
  import torch, safetensors.torch
  saved = torch.load(\"net.pth\", map_location=\"cpu\", weights_only=True)
  safetensors.torch.save_file({k: v.clone() for k, v in saved.get(\"state_dict\", saved).items()}, \"net.safetensors\")";

/// Bytes of the length in front of the header.
const LENGTH: usize = 8;
/// Bytes that are looked at for text.
const TEXT: usize = 256;

/// The sentence for bytes that the format's own reader refuses.
pub(crate) fn not_safetensors(bytes: &[u8], error: &SafeTensorError) -> String {
    if let Some(kind) = kind(bytes) {
        return format!("this is not a safetensors file but {kind}");
    }
    if let Ok((header, metadata)) = SafeTensors::read_metadata(bytes) {
        let (found, announced) = (bytes.len(), LENGTH + header + metadata.data_len());
        if found < announced {
            return format!("it ends after {found} of the {announced} bytes that it announces");
        }
        if found > announced {
            return format!("it has {} bytes more than it announces", found - announced);
        }
    }
    format!(
        "this is not a safetensors file: {}",
        printable(&error.to_string())
    )
}

fn kind(bytes: &[u8]) -> Option<String> {
    let torch = |writer: &str| Some(format!("one of torch.save{writer}; {CONVERT}"));
    if bytes.is_empty() {
        return Some("an empty one".to_owned());
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return match first_of_zip(bytes) {
            Some(name) if name.ends_with(b".npy") => Some("arrays of numpy (npz)".to_owned()),
            Some(b"metadata.json" | b"config.json") => Some("a model of Keras".to_owned()),
            // torch's archives have everything in a folder, `NAME/data.pkl` first.
            Some(name) if name.contains(&b'/') => torch(""),
            _ => Some("a zip archive".to_owned()),
        };
    }
    // A safetensors file begins with its header's length, eight bytes of which at most the
    // first four are not zero: then none of what follows is meant.
    let cut = bytes.get(4..8) == Some(&[0; 4]);
    // The opcode PROTO of a pickle and its protocol; from 4 on, FRAME and a length.
    let pickle = match bytes {
        [0x80, 2 | 3, ..] => !cut,
        [0x80, 4 | 5, 0x95, length, ..] => *length >= 8,
        _ => false,
    };
    if pickle {
        return torch(" before PyTorch 1.6, or another pickle");
    }
    if cut {
        return None;
    }
    if bytes.get(4..8) == Some(b"TFL3") {
        return Some("a model of TensorFlow Lite".to_owned());
    }
    // A protobuf whose first field is ONNX's version, whose next is a name or the opset.
    if let [0x08, 1..=20, 0x12 | 0x3a | 0x42, ..] = bytes {
        return Some("a model of ONNX".to_owned());
    }
    let known = Signature::of(bytes).map(|signature| match signature {
        Signature::Gzip => "a gzip archive, which must be unpacked first",
        Signature::Xz => "an xz archive, which must be unpacked first",
        Signature::Bzip2 => "a bzip2 archive, which must be unpacked first",
        Signature::Zstd => "a zstd archive, which must be unpacked first",
        Signature::Zip => "a zip archive",
        Signature::GitLfs => {
            "a pointer of Git LFS; `git lfs pull` fetches the file that it stands for"
        }
        Signature::Numpy => "an array of numpy (npy)",
        Signature::Hdf5 => "an HDF5 file, as Keras writes",
        Signature::Gguf => "a GGUF file",
        Signature::Page => "a page of HTML or XML, as a download that failed leaves",
        Signature::Json => "JSON",
        Signature::Png | Signature::Jpeg => "a picture",
        Signature::Elf => "a program",
    });
    let known = known.map(str::to_owned);
    known.or_else(|| is_text(bytes).then(|| "a text".to_owned()))
}

/// Whether it begins as a text does, with printable ASCII.
fn is_text(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(TEXT)];
    (start.iter()).all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
}

/// The name of a zip archive's first file (APPNOTE.TXT, 4.3.7).
fn first_of_zip(bytes: &[u8]) -> Option<&[u8]> {
    let length = bytes.get(26..28)?;
    let length = usize::from(u16::from_le_bytes([length[0], length[1]]));
    bytes.get(30..30 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        not_safetensors(bytes, &SafeTensors::deserialize(bytes).unwrap_err())
    }

    fn zip(name: &str) -> Vec<u8> {
        let mut bytes = b"PK\x03\x04".to_vec();
        bytes.resize(26, 0);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend([0, 0]);
        bytes.extend(name.as_bytes());
        bytes
    }

    #[test]
    fn each_kind_of_file_that_is_mistaken_for_one_is_named() {
        let onnx = b"\x08\x08\x12\x07pytorch\x1a\x062.1.0";
        for (bytes, expected) in [
            (&zip("archive/data.pkl")[..], "torch.save"),
            (&zip("net/data.pkl"), "save_file"),
            (&zip("arr_0.npy"), "numpy"),
            (&zip("metadata.json"), "Keras"),
            (b"PK\x03\x04", "zip archive"),
            (
                b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.",
                "torch.save before",
            ),
            (b"\x80\x04\x95\x10\0\0\0\0\0\0\0}", "torch.save"),
            (b"\x89HDF\r\n\x1a\n\0\0\0", "HDF5"),
            (b"GGUF\x03\0\0\0\x01", "GGUF"),
            (b"\x1c\0\0\0TFL3\x14", "TensorFlow Lite"),
            (onnx, "ONNX"),
            (b"\n<!DOCTYPE html><html>", "HTML"),
            (b"{\"metadata\": {}}", "JSON"),
            (
                b"version https://git-lfs.github.com/spec/v1\n",
                "git lfs pull",
            ),
            (b"\x1f\x8b\x08\0", "gzip"),
            (b"", "an empty one"),
            (b"no tensors", "a text"),
            (b"\x01\x02\x03", "not a safetensors file: "),
        ] {
            let message = message(bytes);
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
            assert!(message.starts_with("this is not a safetensors file"));
        }
    }

    #[test]
    fn a_cut_or_damaged_safetensors_file_is_not_taken_for_another_kind() {
        for length in [0x80_u64, 0x280, 0x3c, 0x7b, 0x5b, 0x8b1f, 0x120808] {
            let mut bytes = length.to_le_bytes().to_vec();
            bytes.extend(b"{\"a");
            let message = message(&bytes);
            assert!(message.contains("file: "), "{length:x}: {message}");
        }
    }
}
