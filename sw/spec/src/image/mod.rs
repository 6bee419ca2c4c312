//! The weight image: where every bit of every weight is stored.
//!
//! Bit *k* of weight *i* has one address, the same in the trainer's fault
//! model, the packed file, the SRAM word and the RTL. A layer's weights are cut
//! into tiles of rows (input channels) × columns (output channels), one kernel
//! tap at a time, in the order in which the sequencer consumes them: output
//! tile, kernel row, kernel column, input tile; inside a tile row, column. A
//! tile is flattened row by row and cut into words. Rows and columns beyond a
//! layer's channels are padding: zeros that are stored, disturbed, decoded and
//! counted like all other weights. Groups of channels are blocks of such tiles,
//! and depthwise weights lie side by side, as `tiling` says.
//!
//! `shape` names weights in a tensor, `tiling` cuts them, `layout` gives each layer its words,
//! `cells` maps bits to cells and back, `store` encodes and decodes, `file` writes and reads.

mod cells;
mod file;
mod layout;
mod shape;
mod store;
mod tiling;

pub use cells::{Cell, CheckHome, WeightBit, WordWeights};
pub use file::{FILE_MAGIC, FILE_VERSION, FileError};
pub use layout::{LayerLayout, Layout, LayoutError};
pub use shape::{Coordinates, LayerShape, MAX_EXTENT, MAX_NAME_BYTES};
pub use store::{DecodedImage, EncodeImageError, ReadCounts, WeightImage};
pub use tiling::{Grid, Tiling};
