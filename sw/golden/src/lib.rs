//! The golden model: from images to logits, without knowing any hardware description.
//!
//! A weight is born in [`train`], which draws on [`data`] and differentiates the
//! layers of [`network`]; [`attack`] flips its bits on purpose; [`export`](mod@export)
//! makes an integer [`model`] of it; [`infer`] runs that model over a weight image that
//! the specification's fault function has disturbed and its code has corrected;
//! [`mod@evaluate`] does that for many chips and rates; [`energy`] prices what was read.
//! [`state_dict`] is the door to PyTorch, both ways.
//! What is kept goes through [`files`], whole or not at all.
//!
//! Every formula that the hardware shares (rounding, saturation, codes, faults,
//! layout, shapes) is called from `brownout-spec`, never written again here, but for
//! the vectors of [`infer`]'s kernels, which are proved equal to it. The
//! floating-point half ends at export: [`infer`] contains integers only.

pub mod attack;
pub mod csv;
pub mod data;
pub mod energy;
pub mod evaluate;
pub mod export;
pub mod files;
pub mod float;
mod foreign;
pub mod infer;
pub mod model;
pub mod network;
pub mod quantize;
pub mod quantized;
mod signature;
pub mod state_dict;
pub mod train;

#[cfg(test)]
mod test_data;
