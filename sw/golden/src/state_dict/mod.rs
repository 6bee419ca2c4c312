//! Parameters of other programs: PyTorch state dicts as safetensors, both ways.
//!
//! Names are those of the layers here, read with or without something in front of all of
//! them (`names`: `module.`, `_orig_mod.` and other wrappers anywhere):
//!
//! | layer | tensors |
//! | --- | --- |
//! | convolution `a.conv1` | `a.conv1.weight` \[outputs, inputs, rows, columns\]; without normalisation, or with a bias in front of it, `a.conv1.bias` |
//! | its batch norm | `a.bn1.weight`, `.bias`, `.running_mean`, `.running_var` |
//! | its group norm | `a.gn1.weight`, `.bias` (or `norm1`, `bn1`) |
//! | projection `a.shortcut.0` | as a convolution, its norm `a.shortcut.1` (or `a.downsample.0`, `.1`) |
//! | dense layer `linear` | `linear.weight` \[outputs, inputs\], `linear.bias` (or `fc`) |
//!
//! What is in parentheses is read but not written. `num_batches_tracked` is ignored, and
//! written as zero, because PyTorch's own state dicts have it: it means nothing where
//! the momentum is a number, as it is unless it is set to none.
//!
//! Other forms are read where their meaning is certain (`parameter`, `values`, `read`): half
//! and double precision, masks of pruning, weight norm, a bias in front of a batch norm, which
//! is part of its mean, convolutions without bias in front of a norm, and batch norms without
//! gain and shift. Where it is not, a sentence says what was found and what would be read.
//!
//! What no tensor says (network, images, classes, pixel map, ε) is in the metadata of what is
//! written here (`metadata`); of files from elsewhere the shapes say a part (`hints`).
//!
//! A state dict's shortcut without parameters pads its operand's channels with as many
//! zeros in front as behind; here all zeros are behind. So the channels of every stage
//! are put into another order, which is exact: the same sums of the same products, in
//! another order.
//!
//! What was read is written as it was, to the bit, but for gains of group norms, which are
//! kept minus one: a gain below one half loses what its difference to one cannot hold (some
//! 3e-8) when it is read, and one near one that was trained here some 6e-8 when it is
//! written. After that it stays as it is.

mod hints;
mod layout;
mod metadata;
mod names;
mod parameter;
mod read;
#[cfg(test)]
mod test_dicts;
mod values;
mod write;

pub use hints::{Hints, hints, likely_network};
pub use metadata::{METADATA_KEY, Metadata, image_shape};
pub use read::{Imported, MAX_FILE_BYTES, Target, import, read_state_dict, state_dict_from};
pub use write::state_dict;

#[cfg(test)]
mod day_one_tests;
#[cfg(test)]
mod metadata_tests;
