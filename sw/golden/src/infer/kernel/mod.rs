//! The inner loops of integer inference, for three sets of instructions.
//!
//! Direct convolution over maps `[row][column][channel]`: the input is copied into a
//! padded buffer, where the operands of one kernel row are contiguous, and tiles of
//! neighbouring pixels × 16 output channels are kept in registers from the first product
//! to the activation that leaves. Weights are packed once a network. A map, its padded copy
//! and a block of weights stay in the first-level cache.
//!
//! The specification's formula for activations is written here a second and a third time,
//! in vectors; tests prove each equal to it, and [`portable`] calls it.

#[cfg(target_arch = "x86_64")]
mod avx2;
mod epilogue;
mod instructions;
mod packed;
mod pool;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod window;

pub use epilogue::{Epilogue, Operand, Target};
pub use instructions::Instructions;
pub use pool::{average_pool, max_pool};

use brownout_spec::program::{LayerShapes, Padding, Shape};
use packed::Packed;
use window::Window;

/// A convolution with its weights, ready to run.
#[derive(Clone, Debug)]
pub struct Convolution {
    window: Window,
    weights: Weights,
}

/// Weights as the instructions read them; a machine has the instructions of what it holds.
#[derive(Clone, Debug)]
enum Weights {
    Portable(Packed<i16, { portable::GROUP }>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Packed<i16, { portable::GROUP }>),
    #[cfg(target_arch = "x86_64")]
    Vnni(vnni::Weights),
}

/// A buffer for a padded input. Convolutions of the same frame can share it.
#[derive(Clone, Debug)]
pub enum Padded {
    /// For products of bytes.
    Bytes(Vec<u8>),
    /// For products of 16 bits.
    Words(Vec<i16>),
}

impl Convolution {
    /// Packs a flattened tensor `[output][input][kernel row][kernel column]` of the layer's size.
    ///
    /// # Panics
    /// If this machine lacks the instructions.
    pub fn new(instructions: Instructions, shapes: &LayerShapes, tensor: &[i8]) -> Self {
        assert!(
            instructions.is_available(),
            "this machine has no {instructions}"
        );
        let window = Window::new(shapes);
        let taps = shapes.window.taps();
        let weights = match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => Weights::Avx2(Packed::new(&window, taps, tensor)),
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512Vnni => Weights::Vnni(vnni::Weights::new(&window, taps, tensor)),
            _ => Weights::Portable(Packed::new(&window, taps, tensor)),
        };
        Self { window, weights }
    }

    /// Shape and padding of the input: all that a padded buffer depends on.
    pub fn frame(&self) -> (Shape, Padding) {
        self.window.frame()
    }

    /// A buffer for the padded input, its borders zero.
    pub fn padded(&self) -> Padded {
        match self.weights {
            #[cfg(target_arch = "x86_64")]
            Weights::Vnni(_) => {
                Padded::Bytes(vec![vnni::ZERO; self.window.padded_length(vnni::GROUP)])
            }
            _ => Padded::Words(vec![0; self.window.padded_length(portable::GROUP)]),
        }
    }

    /// Convolves a map `[row][column][channel]`.
    ///
    /// # Panics
    /// If `padded` was made for another frame or other instructions, or a size is wrong.
    pub fn run(&self, source: &[i8], padded: &mut Padded, mut target: Target) {
        let (window, target) = (&self.window, &mut target);
        match (&self.weights, padded) {
            (Weights::Portable(weights), Padded::Words(padded)) => {
                portable::convolve(window, weights, source, padded, target);
            }
            #[cfg(target_arch = "x86_64")]
            (Weights::Avx2(weights), Padded::Words(padded)) => {
                // SAFETY: weights are packed only for instructions that the machine has.
                unsafe { avx2::convolve(window, weights, source, padded, target) };
            }
            #[cfg(target_arch = "x86_64")]
            (Weights::Vnni(weights), Padded::Bytes(padded)) => {
                // SAFETY: as above.
                unsafe { vnni::convolve(window, weights, source, padded, target) };
            }
            _ => panic!("the padded buffer is one of other instructions"),
        }
    }
}

/// Scales the accumulators of one pixel into its activations; channels that the operand
/// lacks read as zero.
///
/// # Panics
/// If this machine lacks the instructions, or the epilogue has fewer channels.
pub fn requantize(
    instructions: Instructions,
    epilogue: &Epilogue,
    accumulators: &[i32],
    operand: &[i8],
    output: &mut [i8],
) {
    assert!(
        instructions.is_available(),
        "this machine has no {instructions}"
    );
    match instructions {
        // SAFETY: the machine has the instructions, as asserted.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx2 => unsafe { avx2::requantize(epilogue, accumulators, operand, output) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Instructions::Avx512Vnni => unsafe {
            vnni::requantize(epilogue, accumulators, operand, output);
        },
        _ => portable::requantize(epilogue, accumulators, operand, output),
    }
}

#[cfg(test)]
mod tests;
