//! Golden model and RTL side by side: equal, or a mismatch that says where.
//!
//! For every image, logits and counters must be equal and the cycles those of
//! the specification's formula. At a difference the image is run again, up to
//! each layer in turn, and what that layer wrote is read back and compared: the
//! report names the first wrong layer, pixel and channel.

use crate::driver::{Counters, Driver, DriverError, ImageRun};
use crate::link::Link;
use brownout_golden::infer::{IntegerNetwork, Memory, Reading, TensorError, Truth, Workspace};
use brownout_golden::model::IntegerModel;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::{busy_cycles, program_cycles};
use brownout_spec::image::ReadCounts;
use brownout_spec::program::{Program, Shape};
use brownout_spec::quantity::Pass;
use std::fmt;
use thiserror::Error;

/// What differs between golden model and RTL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A result of the last layer.
    Logit {
        /// Which.
        index: usize,
        /// The golden model's.
        golden: i32,
        /// The RTL's.
        rtl: i32,
    },
    /// A counter; cycles and busy cycles are those of the specification's formula.
    Counter {
        /// Which.
        name: &'static str,
        /// The golden model's.
        golden: u64,
        /// The RTL's.
        rtl: u64,
    },
    /// An activation that a layer wrote, although logits and counters agree.
    Activation,
}

/// The first activation that differs, in order of layer, row, column and channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Index of the layer.
    pub layer: usize,
    /// Name of the layer.
    pub name: String,
    /// Row of the pixel.
    pub y: usize,
    /// Column of the pixel.
    pub x: usize,
    /// Channel; a number beyond the layer's channels is a padding lane, which must be zero.
    pub channel: usize,
    /// The golden model's value.
    pub golden: i32,
    /// The RTL's value.
    pub rtl: i32,
}

/// A difference between golden model and RTL.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub struct Mismatch {
    /// Number of the image.
    pub image: usize,
    /// What differs at the end of the pass.
    pub difference: Difference,
    /// Where it begins; absent where only counters differ.
    pub place: Option<Place>,
    /// Where a waveform of its layer is, or why there is none.
    pub waveform: Option<String>,
    /// A command that runs this image again and writes a waveform of the whole pass.
    pub reproduce: Option<String>,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Logit { index, golden, rtl } => {
                write!(
                    f,
                    "logit {index} is {golden} in the golden model and {rtl} in the RTL"
                )
            }
            Self::Counter { name, golden, rtl } => {
                write!(
                    f,
                    "the number of {name} is {golden} in the golden model and {rtl} in the RTL"
                )
            }
            Self::Activation => write!(f, "logits and counters agree, but not all activations"),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "layer {} ({}), pixel (y {}, x {}), channel {}: golden {}, RTL {}",
            self.layer, self.name, self.y, self.x, self.channel, self.golden, self.rtl
        )
    }
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "image {}: {}", self.image, self.difference)?;
        match &self.place {
            Some(place) => write!(f, "; first difference in {place}")?,
            None => write!(f, "; all activations are equal")?,
        }
        if let Some(waveform) = &self.waveform {
            write!(f, "; {waveform}")?;
        }
        match &self.reproduce {
            Some(command) => write!(f, "; with a waveform of the whole pass: {command}"),
            None => Ok(()),
        }
    }
}

/// Why an image could not be compared at all.
#[derive(Debug, Error)]
pub enum CompareError {
    /// The accelerator does not answer as one does.
    #[error(transparent)]
    Driver(#[from] DriverError),
    /// The weight image is another model's.
    #[error(transparent)]
    Tensors(#[from] TensorError),
}

/// The golden model of one pass: the weights that the pass reads, and what it counts.
pub struct GoldenPass<'m> {
    network: IntegerNetwork<'m>,
    counts: ReadCounts,
    truth: Truth,
    cycles: u64,
    busy: u64,
}

impl<'m> GoldenPass<'m> {
    /// Reads the weight memory as the hardware does in this pass.
    ///
    /// # Errors
    /// When the memory holds another model's image.
    pub fn new(
        model: &'m IntegerModel,
        configuration: &Configuration,
        program: &Program,
        memory: &Memory,
        pass: Pass,
        policy: Policy,
    ) -> Result<Self, TensorError> {
        let Reading {
            tensors,
            counts,
            truth,
        } = memory.read(pass, policy);
        Ok(Self {
            network: IntegerNetwork::new(model, &tensors)?,
            counts,
            truth,
            cycles: program_cycles(configuration, program),
            busy: busy_cycles(program),
        })
    }

    /// Layers and weights.
    pub fn network(&self) -> &IntegerNetwork<'m> {
        &self.network
    }

    /// What the hardware will count.
    pub fn counters(&self) -> Counters {
        Counters::predicted(self.cycles, self.busy, &self.counts)
    }

    /// What the hardware cannot know.
    pub fn truth(&self) -> Truth {
        self.truth
    }

    /// The first difference, for an image that `workspace` has just run.
    pub fn difference(&self, workspace: &Workspace, run: &ImageRun) -> Option<Difference> {
        let logits = workspace.logits().iter().zip(&run.logits).enumerate();
        for (index, (&golden, &rtl)) in logits {
            if golden != rtl {
                return Some(Difference::Logit { index, golden, rtl });
            }
        }
        let counters = self.counters().named();
        for ((name, golden), (_, rtl)) in counters.into_iter().zip(run.counters.named()) {
            if golden != rtl {
                return Some(Difference::Counter { name, golden, rtl });
            }
        }
        None
    }
}

/// One image on both sides.
pub struct Trial<'a, 'm> {
    /// The golden side.
    pub golden: &'a GoldenPass<'m>,
    /// The model.
    pub model: &'m IntegerModel,
    /// Number of the image, for reports.
    pub image: usize,
    /// The image as activations, `[row][column][channel]`.
    pub input: &'a [i8],
    /// Number of the pass; `None` without fault emulation.
    pub pass: Option<Pass>,
}

impl Trial<'_, '_> {
    /// Runs the image on both sides and compares logits and counters.
    ///
    /// # Errors
    /// When the accelerator cannot be driven; a difference is no error.
    pub fn run<L: Link>(
        &self,
        driver: &mut Driver<L>,
        workspace: &mut Workspace,
    ) -> Result<(ImageRun, Option<Mismatch>), CompareError> {
        self.golden.network.run(self.input, workspace);
        self.prepare(driver)?;
        let run = driver.run_image(self.input)?;
        let Some(difference) = self.golden.difference(workspace, &run) else {
            return Ok((run, None));
        };
        let mismatch = Mismatch {
            image: self.image,
            difference,
            place: self
                .locate(driver, workspace)?
                .or_else(|| self.last_layer(difference)),
            waveform: None,
            reproduce: None,
        };
        Ok((run, Some(mismatch)))
    }

    /// Compares what every layer but the last writes, padding lanes included.
    ///
    /// # Errors
    /// When the accelerator cannot be driven; a difference is no error.
    pub fn run_layers<L: Link>(
        &self,
        driver: &mut Driver<L>,
        workspace: &mut Workspace,
    ) -> Result<Option<Mismatch>, CompareError> {
        self.golden.network.run(self.input, workspace);
        let place = self.locate(driver, workspace)?;
        Ok(place.map(|place| Mismatch {
            image: self.image,
            difference: Difference::Activation,
            place: Some(place),
            waveform: None,
            reproduce: None,
        }))
    }

    fn prepare<L: Link>(&self, driver: &mut Driver<L>) -> Result<(), DriverError> {
        self.pass.map_or(Ok(()), |pass| driver.set_pass(pass))
    }

    fn locate<L: Link>(
        &self,
        driver: &mut Driver<L>,
        workspace: &Workspace,
    ) -> Result<Option<Place>, DriverError> {
        let mut layer = 0;
        while let Some(golden) = workspace.activations(layer) {
            self.prepare(driver)?;
            let (shape, rtl) = driver.run_to_layer(self.input, layer)?;
            let channels = self.golden.network.shapes()[layer].output.channels;
            if let Some(place) = self.first_difference(layer, shape, channels, golden, &rtl) {
                return Ok(Some(place));
            }
            layer += 1;
        }
        Ok(None)
    }

    /// `rtl` has the channels of `shape`, `golden` only `channels` of them; the others are zero.
    fn first_difference(
        &self,
        layer: usize,
        shape: Shape,
        channels: usize,
        golden: &[i8],
        rtl: &[i8],
    ) -> Option<Place> {
        let pixels = golden
            .chunks_exact(channels)
            .zip(rtl.chunks_exact(shape.channels));
        for (pixel, (golden, rtl)) in pixels.enumerate() {
            let golden = golden.iter().copied().chain(std::iter::repeat(0));
            let differs = golden.zip(rtl).enumerate().find(|(_, (g, r))| g != *r);
            if let Some((channel, (golden, &rtl))) = differs {
                return Some(Place {
                    layer,
                    name: self.model.network.layers[layer].name.clone(),
                    y: pixel / shape.width,
                    x: pixel % shape.width,
                    channel,
                    golden: golden.into(),
                    rtl: rtl.into(),
                });
            }
        }
        None
    }

    /// A wrong logit after right activations comes from the last layer.
    fn last_layer(&self, difference: Difference) -> Option<Place> {
        let Difference::Logit { index, golden, rtl } = difference else {
            return None;
        };
        let layer = self.model.network.layers.len() - 1;
        let map = self.golden.network.shapes()[layer].output;
        let (pixel, channel) = (index / map.channels, index % map.channels);
        Some(Place {
            layer,
            name: self.model.network.layers[layer].name.clone(),
            y: pixel / map.width,
            x: pixel % map.width,
            channel,
            golden,
            rtl,
        })
    }
}
