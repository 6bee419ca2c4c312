//! Where the checks look: over the whole ranges of seeds, addresses and passes.

use brownout_spec::config::WEIGHT_ADDRESS_BITS;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words that a chip can have.
pub const ADDRESSES: usize = 1 << WEIGHT_ADDRESS_BITS;
/// Half of a pass number's and most of an address's bits are below this.
pub const HIGH: u32 = 1 << 16;

/// Words of one chip.
#[derive(Clone, Copy)]
pub struct Block {
    pub seed: u64,
    pub first: u32,
}

/// Blocks of `words` words, each of a chip of its own: seeds of 64 random bits,
/// and random addresses of the whole space. `stream` keeps checks apart.
pub fn blocks(stream: u64, words: usize) -> impl Iterator<Item = Block> {
    let mut rng = ChaCha8Rng::seed_from_u64(stream);
    std::iter::repeat_with(move || Block {
        seed: rng.random(),
        first: rng.random_range(0..=ADDRESSES - words) as u32,
    })
}

/// The first address of `words` words around 2¹⁶.
pub const fn around_2_16(words: usize) -> u32 {
    HIGH - words as u32 / 2
}
