//! The inner loops of integer inference, for three sets of instructions.
//!
//! Direct convolution over maps `[row][column][channel]`: the input is copied into a
//! padded buffer, where the operands of one kernel row are contiguous, and tiles of
//! neighbouring pixels × 16 output channels are kept in registers from the first product
//! to the activation that leaves. A depthwise convolution multiplies channel by channel: with VNNI its
//! padded input keeps the order of its pixels, with columns in planes where a step skips some, or it is
//! read where it is; else it has 16 channels of each pixel together. Weights are packed once a network. A map,
//! its padded copy and a block of weights stay in the first-level cache.
//!
//! A zero point costs nothing: padding holds it, and accumulators start at −zx·Σw, of the weights
//! as they were read.
//!
//! The specification's formula for activations is written here a second and a third time,
//! in vectors; tests prove each equal to it, and [`portable`] calls it.

mod aligned;
#[cfg(target_arch = "x86_64")]
mod avx2;
mod blocked;
mod epilogue;
mod instructions;
mod packed;
mod pixels;
mod portable;
#[cfg(target_arch = "x86_64")]
mod vnni;
mod window;
#[cfg(target_arch = "x86_64")]
mod words;

pub use aligned::Aligned;
pub use epilogue::{Epilogue, Operand, Second, Target, neighbours};
pub use instructions::Instructions;
pub use pixels::{Accumulate, concat};
pub use window::Frame;

use blocked::Blocked;
use brownout_spec::arithmetic::{ChannelParameters, OutputScale};
use brownout_spec::program::LayerShapes;
use epilogue::Lanes;
use packed::Packed;
#[cfg(target_arch = "x86_64")]
use window::Order;
use window::Window;

/// A convolution with its weights, ready to run.
#[derive(Clone, Debug)]
pub struct Convolution {
    kernel: Kernel,
    frame: Frame,
    zero: i8,
}

/// Weights as the instructions read them; a machine has the instructions of what it holds.
#[derive(Clone, Debug)]
enum Kernel {
    Portable(Window, Packed<i16, { portable::GROUP }>),
    PortableDepthwise(Blocked, portable::depthwise::Weights),
    #[cfg(target_arch = "x86_64")]
    Avx2(Window, Packed<i16, { portable::GROUP }>),
    #[cfg(target_arch = "x86_64")]
    Avx2Depthwise(Blocked, avx2::depthwise::Weights),
    #[cfg(target_arch = "x86_64")]
    Vnni(Window, Packed<i8, { vnni::GROUP }>),
    #[cfg(target_arch = "x86_64")]
    VnniDepthwise(Box<vnni::depthwise::Depthwise>),
}

/// A buffer for a padded input. Convolutions of the same frame can share it.
#[derive(Clone, Debug)]
pub enum Padded {
    /// For products of bytes.
    Bytes(Aligned<u8>),
    /// For products of 16 bits.
    Words(Vec<i16>),
}

impl Convolution {
    /// Packs a flattened tensor `[output][input of the group][kernel row][kernel column]` of the
    /// layer's size, for an input with this zero point.
    ///
    /// # Panics
    /// If this machine lacks the instructions.
    pub fn new(instructions: Instructions, shapes: &LayerShapes, zero: i8, tensor: &[i8]) -> Self {
        assert!(
            instructions.is_available(),
            "this machine has no {instructions}"
        );
        let channels = (shapes.input.channels, shapes.output.channels);
        let depthwise = shapes.groups > 1 && channels == (shapes.groups, shapes.groups);
        let kernel = match depthwise {
            true => Kernel::depthwise(instructions, shapes, zero, tensor),
            false => Kernel::packed(instructions, shapes, zero, tensor),
        };
        Self {
            frame: kernel.frame(),
            kernel,
            zero,
        }
    }

    /// All that a padded buffer depends on.
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// The output channels of its blocks.
    fn lanes(&self) -> Vec<Lanes> {
        let of = |window: &Window| neighbours(window.output.channels, window.group_outputs());
        let all = |geometry: &Blocked| {
            let channels = geometry.output.channels;
            neighbours(channels, channels)
        };
        match &self.kernel {
            Kernel::Portable(window, _) => of(window),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2(window, _) | Kernel::Vnni(window, _) => of(window),
            Kernel::PortableDepthwise(geometry, _) => all(geometry),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2Depthwise(geometry, _) => all(geometry),
            #[cfg(target_arch = "x86_64")]
            Kernel::VnniDepthwise(depthwise) => depthwise.lanes(),
        }
    }

    /// The epilogue of outputs with these parameters, whose accumulators are at most `bound`.
    ///
    /// # Panics
    /// If there are not as many channels.
    pub fn epilogue(
        &self,
        channels: &[ChannelParameters],
        output: OutputScale,
        second: Second,
        bound: i64,
    ) -> Epilogue {
        let lanes = self.lanes();
        let epilogue = Epilogue::new(channels, &lanes, output, second, bound);
        match &self.kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::VnniDepthwise(..) => epilogue.with_words(&lanes, bound),
            _ => epilogue,
        }
    }

    /// A buffer for the padded input, its borders the input's zero point.
    pub fn padded(&self) -> Padded {
        let length = self.frame.length;
        match self.frame.bytes {
            #[cfg(target_arch = "x86_64")]
            true => {
                let padding = match self.frame.order {
                    Order::Border => self.zero.cast_unsigned(),
                    _ => vnni::offset(self.zero),
                };
                Padded::Bytes(Aligned::new(padding, length))
            }
            _ => Padded::Words(vec![self.zero.into(); length]),
        }
    }

    /// Convolves a map `[row][column][channel]`.
    ///
    /// # Panics
    /// If `padded` was made for another frame, or a size is wrong.
    pub fn run(&self, source: &[i8], padded: &mut Padded, mut target: Target) {
        let target = &mut target;
        match (&self.kernel, padded) {
            (Kernel::Portable(window, weights), Padded::Words(padded)) => {
                portable::convolve(window, weights, source, padded, target);
            }
            (Kernel::PortableDepthwise(geometry, weights), Padded::Words(padded)) => {
                portable::depthwise::convolve(geometry, weights, source, padded, target);
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx2(window, weights), Padded::Words(padded)) => {
                // SAFETY: weights are packed only for instructions that the machine has.
                unsafe { avx2::convolve(window, weights, source, padded, target) };
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::Avx2Depthwise(geometry, weights), Padded::Words(padded)) => {
                // SAFETY: as above.
                unsafe { avx2::depthwise::convolve(geometry, weights, source, padded, target) };
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::Vnni(window, weights), Padded::Bytes(padded)) => {
                // SAFETY: as above.
                unsafe { vnni::convolve(window, weights, source, padded, target) };
            }
            #[cfg(target_arch = "x86_64")]
            (Kernel::VnniDepthwise(depthwise), Padded::Bytes(padded)) => {
                // SAFETY: as above.
                unsafe { depthwise.convolve(source, padded, target) };
            }
            _ => panic!("the padded buffer is one of other instructions"),
        }
    }
}

impl Kernel {
    fn packed(instructions: Instructions, shapes: &LayerShapes, zero: i8, tensor: &[i8]) -> Self {
        let window = Window::new(shapes, zero);
        let taps = shapes.window.taps();
        let words = |window: &Window| Packed::new(window, taps, tensor, zero.into());
        match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => {
                let weights = words(&window);
                Self::Avx2(window, weights)
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512Vnni => {
                let weights = vnni::pack(&window, taps, tensor, zero);
                Self::Vnni(window, weights)
            }
            _ => {
                let weights = words(&window);
                Self::Portable(window, weights)
            }
        }
    }

    fn depthwise(
        instructions: Instructions,
        shapes: &LayerShapes,
        zero: i8,
        tensor: &[i8],
    ) -> Self {
        match instructions {
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx512Vnni => {
                let depthwise = vnni::depthwise::Depthwise::new(shapes, zero, tensor);
                Self::VnniDepthwise(Box::new(depthwise))
            }
            #[cfg(target_arch = "x86_64")]
            Instructions::Avx2 => {
                let geometry = Blocked::new(shapes, zero);
                let weights = avx2::depthwise::Weights::new(&geometry, tensor, zero);
                Self::Avx2Depthwise(geometry, weights)
            }
            _ => {
                let geometry = Blocked::new(shapes, zero);
                let weights = portable::depthwise::Weights::new(&geometry, tensor, zero);
                Self::PortableDepthwise(geometry, weights)
            }
        }
    }

    fn frame(&self) -> Frame {
        match self {
            Self::Portable(window, _) => window.frame(portable::GROUP, false),
            Self::PortableDepthwise(geometry, _) => geometry.frame(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(window, _) => window.frame(portable::GROUP, false),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2Depthwise(geometry, _) => geometry.frame(),
            #[cfg(target_arch = "x86_64")]
            Self::Vnni(window, _) => window.frame(vnni::GROUP, true),
            #[cfg(target_arch = "x86_64")]
            Self::VnniDepthwise(depthwise) => depthwise.frame(),
        }
    }
}

/// Scales the accumulators of one pixel into its activations; channels that the operand
/// lacks read as its zero point.
///
/// # Panics
/// If this machine lacks the instructions, or the epilogue has fewer channels.
pub fn requantize(
    instructions: Instructions,
    epilogue: &Epilogue,
    accumulators: &[i32],
    operand: Option<&[i8]>,
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
        _ => epilogue.activations(0, accumulators, operand.unwrap_or_default(), output),
    }
}

#[cfg(test)]
mod depthwise_tests;
#[cfg(test)]
mod tests;
