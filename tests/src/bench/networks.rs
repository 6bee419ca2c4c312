//! Networks whose speed is measured, with random weights: they cost what trained ones do.

use super::report::BenchError;
use brownout_golden::data::Dataset;
use brownout_golden::float::{FloatModel, Form};
use brownout_golden::model::InputMap;
use brownout_golden::network::{Architecture, Bounds, Builder, Norm, Parameters, Style};
use brownout_spec::program::{Operation, Shape, Window};
use ndarray::Array4;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Classes of all networks but [`MOBILENET`].
pub const CLASSES: usize = 10;
/// MobileNetV1 of width 0.25 for two classes of 96 × 96 × 3, as for visual wake words.
pub const MOBILENET: &str = "mobilenet";

/// Stride of each depthwise convolution of MobileNetV1, and channels of the pointwise one behind
/// it, a quarter of the paper's (Howard et al., 2017, table 1).
const BLOCKS: [(usize, usize); 13] = [
    (1, 16),
    (2, 32),
    (1, 32),
    (2, 64),
    (1, 64),
    (2, 128),
    (1, 128),
    (1, 128),
    (1, 128),
    (1, 128),
    (1, 128),
    (2, 256),
    (1, 256),
];

/// A network with random parameters, by its name.
pub fn model(network: &str) -> Result<FloatModel, BenchError> {
    if network != MOBILENET {
        let images = (image(network), CLASSES);
        return Ok(FloatModel::random(
            network.parse()?,
            images,
            InputMap::Centre,
            1,
        )?);
    }
    let architecture = mobilenet()?;
    Ok(FloatModel {
        network: Form::Graph(MOBILENET.to_owned()),
        image: image(MOBILENET),
        input: InputMap::Centre,
        origin: "random".to_owned(),
        parameters: Parameters::random(&architecture, 1, 0),
        architecture,
    })
}

fn mobilenet() -> Result<Architecture, BenchError> {
    let mut channels = 8;
    let mut network =
        Builder::new(MOBILENET, image(MOBILENET)).convolution("conv", channels, 3, 2, 1, true);
    for (block, (stride, outputs)) in BLOCKS.into_iter().enumerate() {
        let depthwise = Operation::Convolution {
            window: Window::square(3, stride, 1),
            output_channels: channels,
            groups: channels,
            residual: None,
        };
        let style = Style {
            norm: Norm::Batch,
            bounds: Bounds::RELU,
            ..Style::default()
        };
        network = network
            .layer(&format!("depthwise{block}"), depthwise, style)
            .convolution(&format!("pointwise{block}"), outputs, 1, 1, 0, true);
        channels = outputs;
    }
    let network = network.global_average_pool("pool");
    Ok(network.dense("logits", 2, false).build()?)
}

/// Shape of the images that a network is meant for.
pub fn image(network: &str) -> Shape {
    let (side, channels) = match network {
        "cnn" | "mlp" => (28, 1),
        MOBILENET => (96, 3),
        _ => (32, 3),
    };
    Shape {
        height: side,
        width: side,
        channels,
    }
}

/// Images and labels without meaning, of two classes: every network has as many.
pub fn noise(shape: Shape, images: usize) -> Dataset {
    let mut random = ChaCha8Rng::seed_from_u64(3);
    let size = (images, shape.height, shape.width, shape.channels);
    let pixels = Array4::<u8>::from_shape_simple_fn(size, || random.random());
    let labels = (0..images).map(|_| random.random_range(0..2)).collect();
    Dataset::new("noise", pixels, labels, 2)
}
