//! The networks that can be chosen by name.

use super::{Architecture, ArchitectureError, Builder};
use brownout_spec::program::Shape;
use std::fmt;
use std::str::FromStr;

/// What a name may be, for messages.
pub(super) const ALLOWED: &str = "mlp, cnn, resnet20, resnet32, resnet44, resnet56 (each also with -b for projection shortcuts), simplenet, simplenet:WIDTH and simplenet-bn:WIDTH, where WIDTH is even, 2 to 512";
/// Widths that SimpleNet may have: the largest has 32 · 512 = 16,384 channels in a layer.
const MOST_WIDTH: usize = 512;
/// Channels of the first stage of a ResNet for CIFAR.
const RESNET_WIDTH: usize = 16;

/// SimpleNet's layers for images of three channels: convolutions by the multiple of the
/// width that they have as channels, 0 for a pool.
const COLOUR: &[usize] = &[1, 2, 2, 2, 0, 2, 2, 4, 0, 4, 4, 0, 8, 0, 32, 4, 0, 4];
/// The same for images of one channel.
const GREY: &[usize] = &[1, 2, 2, 2, 0, 2, 2, 4, 0, 8, 32, 4, 0, 4];
/// The multiple of SimpleNet's widest layer; it and the one after it have kernels of 1 × 1.
const WIDEST: usize = 32;

/// A network by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Builtin {
    /// Input, 100 hidden units, classes.
    Mlp,
    /// Two convolutions with pooling and two dense layers.
    Cnn,
    /// The residual network for CIFAR.
    Resnet(Depth, Shortcut),
    /// A plain network of 3 × 3 convolutions.
    SimpleNet {
        /// Channels of the first layer; `None` is 64 for three input channels, 32 for one.
        width: Option<usize>,
        /// Batch norm, which can be exported, instead of group norm.
        batch_norm: bool,
    },
}

/// Layers of a ResNet for CIFAR: 6n + 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Three blocks a stage.
    Twenty,
    /// Five blocks a stage.
    ThirtyTwo,
    /// Seven blocks a stage.
    FortyFour,
    /// Nine blocks a stage.
    FiftySix,
}

/// What adds a stage's input to its first block's output, where their shapes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shortcut {
    /// Every second pixel, missing channels zero: no parameters (option A).
    Plain,
    /// A 1 × 1 convolution of stride 2 with batch norm (option B).
    Projection,
}

impl Depth {
    /// Every depth.
    pub const ALL: [Self; 4] = [
        Self::Twenty,
        Self::ThirtyTwo,
        Self::FortyFour,
        Self::FiftySix,
    ];

    /// Blocks of a stage, n.
    pub fn blocks(self) -> usize {
        match self {
            Self::Twenty => 3,
            Self::ThirtyTwo => 5,
            Self::FortyFour => 7,
            Self::FiftySix => 9,
        }
    }

    /// Layers with weights, shortcuts aside: 6n + 2.
    pub fn layers(self) -> usize {
        6 * self.blocks() + 2
    }
}

impl FromStr for Builtin {
    type Err = ArchitectureError;

    fn from_str(name: &str) -> Result<Self, ArchitectureError> {
        let unknown = || ArchitectureError::Unknown(name.to_owned());
        if let Some(rest) = name.strip_prefix("resnet") {
            let (depth, shortcut) = match rest.strip_suffix("-b") {
                Some(depth) => (depth, Shortcut::Projection),
                None => (rest, Shortcut::Plain),
            };
            let depth = Depth::ALL
                .into_iter()
                .find(|d| d.layers().to_string() == depth);
            return Ok(Self::Resnet(depth.ok_or_else(unknown)?, shortcut));
        }
        let (kind, width) = match name.split_once(':') {
            Some((kind, width)) => (kind, Some(width)),
            None => (name, None),
        };
        let width = width.map(|w| {
            // As it is written back: no sign, no leading zeros.
            let width = w.parse().ok().filter(|n: &usize| n.to_string() == w);
            width
                .filter(|w| (2..=MOST_WIDTH).contains(w) && w.is_multiple_of(2))
                .ok_or_else(unknown)
        });
        let width = width.transpose()?;
        match (kind, width) {
            ("mlp", None) => Ok(Self::Mlp),
            ("cnn", None) => Ok(Self::Cnn),
            ("simplenet" | "simplenet-bn", width) => Ok(Self::SimpleNet {
                width,
                batch_norm: kind == "simplenet-bn",
            }),
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for Builtin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Mlp => f.pad("mlp"),
            Self::Cnn => f.pad("cnn"),
            Self::Resnet(depth, shortcut) => {
                let end = match shortcut {
                    Shortcut::Plain => "",
                    Shortcut::Projection => "-b",
                };
                write!(f, "resnet{}{end}", depth.layers())
            }
            Self::SimpleNet { width, batch_norm } => {
                f.write_str(if batch_norm {
                    "simplenet-bn"
                } else {
                    "simplenet"
                })?;
                width.map_or(Ok(()), |width| write!(f, ":{width}"))
            }
        }
    }
}

impl Architecture {
    /// The built-in network of that kind, for images of a shape and a number of classes.
    ///
    /// # Errors
    /// When the network has no form for such images.
    pub fn builtin(kind: Builtin, input: Shape, classes: usize) -> Result<Self, ArchitectureError> {
        match kind {
            Builtin::Mlp => Self::mlp(input, classes),
            Builtin::Cnn => Self::cnn(input, classes),
            Builtin::Resnet(depth, shortcut) => Self::resnet(depth, shortcut, input, classes),
            Builtin::SimpleNet { width, batch_norm } => {
                Self::simple_net(width, batch_norm, input, classes)
            }
        }
    }

    /// The multi-layer perceptron: 784-100-10 for 28 × 28 images of ten classes.
    ///
    /// # Errors
    /// When the input does not suit the specification's limits.
    pub fn mlp(input: Shape, classes: usize) -> Result<Self, ArchitectureError> {
        // The first dense layer sees the image as a flat 1 x 1 map: its kernel may
        // then be larger than 15 x 15, and all rows of the array are in use.
        let flat = Shape {
            height: 1,
            width: 1,
            channels: input.volume(),
        };
        Builder::new("mlp", flat)
            .dense("hidden", 100, true)
            .dense("logits", classes, false)
            .build()
    }

    /// The convolutional network: two convolutions with pooling, two dense layers.
    ///
    /// The first convolution has stride 2, because with one input channel it
    /// fills one row of the array only and would dominate the cycles.
    ///
    /// # Errors
    /// When the input is too small for its layers.
    pub fn cnn(input: Shape, classes: usize) -> Result<Self, ArchitectureError> {
        Builder::new("cnn", input)
            .convolution("conv1", 8, 3, 2, 1, true)
            .max_pool("pool1", 2, 2)
            .convolution("conv2", 16, 3, 1, 1, true)
            .max_pool("pool2", 2, 2)
            .dense("hidden", 64, true)
            .dense("logits", classes, false)
            .build()
    }

    /// The residual network for CIFAR of He et al. ("Deep residual learning for image
    /// recognition", 2016, section 4.2): a 3 × 3 convolution, three stages of n basic
    /// blocks with 16, 32 and 64 channels, the mean over the map, a dense layer.
    ///
    /// # Errors
    /// When the input is too large for the mean over its last map.
    pub fn resnet(
        depth: Depth,
        shortcut: Shortcut,
        input: Shape,
        classes: usize,
    ) -> Result<Self, ArchitectureError> {
        let name = Builtin::Resnet(depth, shortcut).to_string();
        let stem = Builder::new(&name, input).convolution("conv1", RESNET_WIDTH, 3, 1, 1, true);
        let body = (0..3).fold(stem, |network, stage| {
            let channels = RESNET_WIDTH << stage;
            (0..depth.blocks()).fold(network, |network, block| {
                let name = format!("layer{}.{block}", stage + 1);
                match (stage, block, shortcut) {
                    (1.., 0, Shortcut::Projection) => network.projection_block(&name, channels, 2),
                    (1.., 0, Shortcut::Plain) => network.basic_block(&name, channels, 2),
                    _ => network.basic_block(&name, channels, 1),
                }
            })
        });
        body.global_average_pool("pool")
            .dense("linear", classes, false)
            .build()
    }

    /// SimpleNet as Stutz et al. use it ("Bit error robustness for energy-efficient DNN
    /// accelerators", MLSys 2021, appendix): convolutions with bias, norm and ReLU,
    /// maximum pools, the mean over the map, a dense layer.
    ///
    /// # Errors
    /// When the images have neither one nor three channels, or are too small.
    pub fn simple_net(
        width: Option<usize>,
        batch_norm: bool,
        input: Shape,
        classes: usize,
    ) -> Result<Self, ArchitectureError> {
        let name = Builtin::SimpleNet { width, batch_norm }.to_string();
        let (layers, usual) = match input.channels {
            1 => (GREY, 32),
            3 => (COLOUR, 64),
            _ => {
                return Err(ArchitectureError::Input {
                    network: name,
                    input,
                    allowed: "one or three channels",
                });
            }
        };
        let width = width.unwrap_or(usual);
        let mut network = Builder::new(&name, input);
        let (mut convolutions, mut pools, mut before) = (0, 0, 0);
        let (mut height, mut columns) = (input.height, input.width);
        for &multiple in layers {
            if multiple == 0 {
                network = network.max_pool(&format!("pool{pools}"), 2, 2);
                pools += 1;
                (height, columns) = (height / 2, columns / 2);
                continue;
            }
            let channels = multiple * width;
            let kernel = match multiple == WIDEST || before == WIDEST {
                true => 1,
                false => 3,
            };
            let groups = (!batch_norm).then(|| groups(channels, height.saturating_mul(columns)));
            let name = format!("conv{convolutions}");
            network = network.biased_convolution(&name, channels, kernel, groups);
            convolutions += 1;
            before = multiple;
        }
        network
            .global_average_pool("mean")
            .dense("logits", classes, false)
            .build()
    }
}

/// Fewest values that a group norm may have in a group: of one nothing but zero is left, of
/// two nothing but their order, and no gradient passes either.
const LEAST_IN_A_GROUP: usize = 4;

/// Groups of a group norm: as in the papers' code the first of 32, 24, 16 and 8, each at most half
/// of the channels, that divides them; one group if none does. Groups that maps of so many
/// pixels would leave with less than four values are larger, which concerns the last
/// convolution of networks narrower than half of the papers'.
fn groups(channels: usize, pixels: usize) -> usize {
    let divides = |g: &usize| channels.is_multiple_of(*g);
    let most = (channels.saturating_mul(pixels.max(1)) / LEAST_IN_A_GROUP).max(1);
    let published = [32, 24, 16, 8].map(|g: usize| g.min(channels / 2).max(1));
    match published.into_iter().find(divides).unwrap_or(1) {
        enough if enough <= most => enough,
        _ => (1..=most).rev().find(divides).unwrap_or(1),
    }
}

#[cfg(test)]
#[path = "builtin_tests.rs"]
mod tests;
