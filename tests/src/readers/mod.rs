//! One function for each thing that comes from outside: bytes in, a sentence or
//! what they mean out.
//!
//! The fuzz targets in `tests/fuzz` and `make test` call the same functions.
//! [`mutate`] damages good files, [`harness`] runs readers on them and watches
//! panics, time, memory ([`allocation`]) and the refusals' wording;
//! [`registers`] does the same to the register interface of the hardware.

pub mod allocation;
pub mod harness;
pub mod images;
mod laws;
pub mod mutate;
pub mod registers;
pub mod seeds;
mod shells;

use brownout_golden::data::{cifar, idx};
use brownout_golden::float::{Checkpoint, FloatModel};
use brownout_golden::model::IntegerModel;
use brownout_golden::state_dict::state_dict_from;
use brownout_golden::train::Run;
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMap;
use brownout_spec::image::WeightImage;
pub use images::{npz, picture};
use mutate::Format;
use std::path::Path;

/// What must hold for what a reader accepted; it panics where it does not.
pub type Law = Box<dyn FnOnce()>;

/// What came of the bytes: the law of an accepted file, or why they were refused.
pub type Verdict = Result<Law, String>;

/// A reader, what it reads, and what it may cost.
#[derive(Clone, Copy, Debug)]
pub struct Reader {
    /// What it reads.
    pub name: &'static str,
    /// The fuzz target in `tests/fuzz` that calls it.
    pub target: &'static str,
    /// Reads the bytes of a file.
    pub read: fn(&[u8]) -> Verdict,
    /// How files are damaged.
    pub format: Format,
    /// Good files.
    pub seeds: fn() -> Vec<Vec<u8>>,
    /// Most bytes of memory that a byte of the file may cost.
    pub memory_per_byte: usize,
    /// Bytes of memory that any file may cost.
    pub memory_free: usize,
}

/// Every reader of files.
pub const READERS: [Reader; 20] = [
    Reader {
        name: "IDX images",
        target: "idx_images",
        read: idx_images,
        format: Format::Binary { header: 16 },
        seeds: seeds::idx_images,
        memory_per_byte: 3,
        memory_free: 20 << 10,
    },
    Reader {
        name: "IDX labels",
        target: "idx_labels",
        read: idx_labels,
        format: Format::Binary { header: 8 },
        seeds: seeds::idx_labels,
        memory_per_byte: 3,
        memory_free: 20 << 10,
    },
    Reader {
        name: "IDX images, gzip",
        target: "idx_images_gzip",
        read: idx_images_gzip,
        format: Format::Gzip { header: 16 },
        seeds: seeds::idx_images,
        // Twice the inflation that is allowed, since a growing buffer moves.
        memory_per_byte: 200,
        memory_free: 128 << 10,
    },
    Reader {
        name: "IDX labels, gzip",
        target: "idx_labels_gzip",
        read: idx_labels_gzip,
        format: Format::Gzip { header: 8 },
        seeds: seeds::idx_labels,
        memory_per_byte: 200,
        memory_free: 128 << 10,
    },
    Reader {
        name: "CIFAR-10 batch",
        target: "cifar_batch",
        read: cifar_batch,
        format: Format::Binary { header: 1 },
        seeds: seeds::cifar_batches,
        memory_per_byte: 3,
        memory_free: 20 << 10,
    },
    Reader {
        name: "CIFAR-10 batch, xz",
        target: "cifar_batch_xz",
        read: cifar_batch_xz,
        format: Format::Xz { header: 1 },
        seeds: seeds::cifar_batches,
        memory_per_byte: 200,
        // The dictionary that a file may announce, and the decoder's tables.
        memory_free: 66 << 20,
    },
    Reader {
        name: "CIFAR-100 batch",
        target: "cifar100_batch",
        read: cifar100_batch,
        format: Format::Binary { header: 2 },
        seeds: seeds::cifar100_batches,
        memory_per_byte: 3,
        memory_free: 20 << 10,
    },
    Reader {
        name: "NumPy archive",
        target: "npz",
        read: npz,
        format: Format::Npz,
        seeds: images::archives,
        // Deflate makes 1032 bytes of one; these may be half of a number, and move twice.
        memory_per_byte: 8 << 10,
        memory_free: 256 << 10,
    },
    Reader {
        name: "PNG picture",
        target: "picture",
        read: picture,
        format: Format::Png,
        seeds: images::pngs,
        // As many bytes of pixels for one of the file as are allowed, each in four places.
        memory_per_byte: 4400,
        memory_free: 4 << 20,
    },
    Reader {
        name: "JPEG picture",
        target: "picture",
        read: picture,
        format: Format::Binary { header: 620 },
        seeds: images::jpegs,
        // Likewise, with coefficients of two bytes.
        memory_per_byte: 8800,
        memory_free: 4 << 20,
    },
    Reader {
        name: "safetensors model",
        target: "model",
        read: model,
        format: Format::Safetensors,
        seeds: seeds::models,
        memory_per_byte: 16,
        memory_free: 16 << 10,
    },
    Reader {
        name: "checkpoint",
        target: "checkpoint",
        read: checkpoint,
        format: Format::Safetensors,
        seeds: seeds::checkpoints,
        memory_per_byte: 16,
        memory_free: 64 << 10,
    },
    Reader {
        name: "quantized checkpoint",
        target: "quantized_checkpoint",
        read: quantized_checkpoint,
        format: Format::Safetensors,
        seeds: seeds::quantized_checkpoints,
        memory_per_byte: 32,
        memory_free: 64 << 10,
    },
    Reader {
        name: "training state",
        target: "training_state",
        read: training_state,
        format: Format::Safetensors,
        seeds: seeds::training_states,
        memory_per_byte: 64,
        // The run that goes on: the activations of two chunks.
        memory_free: 512 << 10,
    },
    Reader {
        name: "state dict",
        target: "state_dict",
        read: state_dict,
        format: Format::Safetensors,
        seeds: seeds::state_dicts,
        memory_per_byte: 16,
        memory_free: 64 << 10,
    },
    Reader {
        name: "ONNX",
        target: "onnx",
        read: onnx,
        format: Format::Binary { header: 64 },
        seeds: seeds::onnx_models,
        // An empty node is two bytes in the file and some hundred in memory.
        memory_per_byte: 600,
        // What folding may make of a few bytes, and of what it made once more.
        memory_free: 64 << 20,
    },
    Reader {
        name: "weight image",
        target: "weight_image",
        read: weight_image,
        format: Format::Checksummed { header: 64 },
        seeds: seeds::weight_images,
        memory_per_byte: 16,
        memory_free: 16 << 10,
    },
    Reader {
        name: "TOML configuration",
        target: "configuration",
        read: configuration,
        format: Format::Text,
        seeds: seeds::configurations,
        memory_per_byte: 160,
        memory_free: 64 << 10,
    },
    Reader {
        name: "voltage table",
        target: "configuration",
        read: configuration,
        format: Format::Text,
        seeds: seeds::voltage_tables,
        memory_per_byte: 160,
        memory_free: 64 << 10,
    },
    Reader {
        name: "fault map",
        target: "fault_map",
        read: fault_map,
        format: Format::Text,
        seeds: seeds::fault_maps,
        memory_per_byte: 16,
        memory_free: 4 << 10,
    },
];

/// An IDX file of images.
pub fn idx_images(bytes: &[u8]) -> Verdict {
    let images = idx::images_from(bytes, Path::new("images")).map_err(text)?;
    let pixels = bytes[16..].to_vec();
    Ok(Box::new(move || laws::images(&images, Some(&pixels))))
}

/// A compressed IDX file of images.
pub fn idx_images_gzip(bytes: &[u8]) -> Verdict {
    let images = idx::images_from(bytes, Path::new("images.gz")).map_err(text)?;
    Ok(Box::new(move || laws::images(&images, None)))
}

/// An IDX file of labels.
pub fn idx_labels(bytes: &[u8]) -> Verdict {
    let labels = idx::labels_from(bytes, Path::new("labels")).map_err(text)?;
    let stored = bytes[8..].to_vec();
    Ok(Box::new(move || laws::labels(&labels, Some(&stored))))
}

/// A compressed IDX file of labels.
pub fn idx_labels_gzip(bytes: &[u8]) -> Verdict {
    let labels = idx::labels_from(bytes, Path::new("labels.gz")).map_err(text)?;
    Ok(Box::new(move || laws::labels(&labels, None)))
}

/// A batch of CIFAR-10.
pub fn cifar_batch(bytes: &[u8]) -> Verdict {
    let batch = cifar::batch_from(bytes, Path::new("batch.bin")).map_err(text)?;
    let stored = bytes.to_vec();
    Ok(Box::new(move || laws::cifar_batch(&batch, Some(&stored))))
}

/// A file of CIFAR-100.
pub fn cifar100_batch(bytes: &[u8]) -> Verdict {
    let batch = cifar::HUNDRED
        .batch_from(bytes, Path::new("train.bin"))
        .map_err(text)?;
    let stored = bytes.to_vec();
    Ok(Box::new(move || laws::cifar100_batch(&batch, &stored)))
}

/// A compressed batch of CIFAR-10.
pub fn cifar_batch_xz(bytes: &[u8]) -> Verdict {
    let batch = cifar::batch_from(bytes, Path::new("batch.bin.xz")).map_err(text)?;
    Ok(Box::new(move || laws::cifar_batch(&batch, None)))
}

/// A model file.
pub fn model(bytes: &[u8]) -> Verdict {
    let model = IntegerModel::from_bytes(bytes, Path::new("model")).map_err(text)?;
    Ok(Box::new(move || laws::model(&model)))
}

/// A checkpoint in floating point.
pub fn checkpoint(bytes: &[u8]) -> Verdict {
    let model = FloatModel::from_bytes(bytes, Path::new("checkpoint")).map_err(text)?;
    Ok(Box::new(move || laws::float_model(&model)))
}

/// A checkpoint of a network whose weights are stored integers.
pub fn quantized_checkpoint(bytes: &[u8]) -> Verdict {
    let checkpoint = Checkpoint::from_bytes(bytes, Path::new("checkpoint")).map_err(text)?;
    Ok(Box::new(move || laws::checkpoint(checkpoint)))
}

/// The state of the training run that its seeds are of.
pub fn training_state(bytes: &[u8]) -> Verdict {
    let (data, options) = seeds::training();
    Run::resume(bytes, seeds::start(&data), &data, &options).map_err(text)?;
    let bytes = bytes.to_vec();
    Ok(Box::new(move || laws::training_state(&bytes)))
}

/// A state dict of the network that its seeds are of.
pub fn state_dict(bytes: &[u8]) -> Verdict {
    let path = Path::new("state_dict");
    let model = state_dict_from(bytes, path, &seeds::importing()).map_err(text)?;
    Ok(Box::new(move || laws::imported(&model)))
}

/// A network as an ONNX file.
pub fn onnx(bytes: &[u8]) -> Verdict {
    let network = brownout_onnx::network_of(bytes.to_vec(), Path::new("net.onnx")).map_err(text)?;
    Ok(Box::new(move || laws::onnx(&network)))
}

/// A weight image file.
pub fn weight_image(bytes: &[u8]) -> Verdict {
    let image = WeightImage::from_bytes(bytes).map_err(text)?;
    let bytes = bytes.to_vec();
    Ok(Box::new(move || laws::weight_image(&image, &bytes)))
}

/// A configuration file, its voltage table included.
pub fn configuration(bytes: &[u8]) -> Verdict {
    let configuration = Configuration::from_toml(utf8(bytes)?).map_err(text)?;
    Ok(Box::new(move || laws::configuration(&configuration)))
}

/// A fault map file.
pub fn fault_map(bytes: &[u8]) -> Verdict {
    let map = FaultMap::from_text(utf8(bytes)?).map_err(text)?;
    Ok(Box::new(move || laws::fault_map(&map)))
}

fn utf8(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|_| "the file is not text; allowed is UTF-8".to_owned())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
