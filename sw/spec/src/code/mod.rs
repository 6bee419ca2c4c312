//! The codes of the weight memory: a word is one code word.
//!
//! A [`Code`] is data: its parity-check columns in lane order, and which lanes
//! are check bits. The encoder, the decoder, the RTL and the documentation
//! tables are all derived from that data, so there is no second matrix to keep
//! in step. `columns` holds the data and its reasons, `matrix` what follows
//! from it, `storage` which lanes the memory holds inverted, `codec` encoding
//! and decoding, `residual` the errors that remain.
//!
//! All codes have odd-weight columns only (M. Y. Hsiao, "A class of optimal
//! minimum odd-weight-column SEC-DED codes", IBM J. Res. Dev. 14, 1970): one
//! error gives an odd syndrome, two give a non-zero even one, so every double
//! error is detected. The in-place codes follow the layout of the zero-space
//! ECC papers (Guan et al., NeurIPS 2019, and its 4-bit successor): a weight
//! restricted to the lower half of its range repeats its sign in the bit below,
//! and that bit is free to hold a check bit.

mod codec;
mod columns;
mod matrix;
mod name;
mod policy;
mod residual;
mod storage;
mod word;

pub use codec::{Decoded, EncodeError, Outcome};
pub use matrix::Code;
pub use name::CodeName;
pub use policy::Policy;
pub use residual::{BitRates, PatternCounts, Residual, WordRates, bookkeeping};
pub use storage::Storage;
pub use word::{Codeword, Weights};
