//! From a model in integers to an ONNX file that computes the same in other tools.
//!
//! Every activation is the real number that its stored integer stands for, a multiple of its
//! tensor's step. A layer's integers y = (acc·m + b + r·mr·2^(s−sr)) >> s become numbers that are
//! rounded to the step of its output, so each weight's step is |m|·2^−s·(step of the output) /
//! (step of the input). Two things differ from hardware, both by at most one step of a few
//! values: sums are in single precision there, and what is just between two integers goes to the
//! even one there and up here, in layers whose constants cannot tell it (`constant`).
//!
//! The image is `input`, `[N, channels, rows, columns]` or of a network of vectors
//! `[N, values]`, in the numbers that [`InputMap::real`] makes of pixels. The result is `output`,
//! `[N, classes]`: the sums of the last layer in real numbers, before hardware cuts off what is
//! behind the point.
//!
//! `message` puts messages together, `step` chooses steps, `constant` says what is added,
//! `dialect` how a number is rounded; `writer` goes through the layers, of which `convolution`,
//! `pool` and `moving` write each kind. [`metadata`] is what no node says, and [`restore()`] the
//! way back, to the bit.
//!
//! [`InputMap::real`]: brownout_golden::model::InputMap::real

mod constant;
mod convolution;
mod dialect;
mod message;
pub mod metadata;
mod moving;
mod pool;
mod restore;
mod step;
mod writer;

pub use dialect::Dialect;
pub use restore::{Restored, restore};

use crate::schema::ModelProto;
use brownout_golden::model::IntegerModel;
use message::About;
use prost::Message;
use writer::{INPUT, OUTPUT, Writer, extents};

/// A file, and what is in it.
#[derive(Clone, Debug)]
pub struct Written {
    /// All of it.
    pub bytes: Vec<u8>,
    /// Number of its nodes.
    pub nodes: usize,
    /// Extents of an image behind the batch: channels, rows and columns, or values.
    pub image: Vec<usize>,
    /// What a unit of the hardware's results is in the file's.
    pub unit: f64,
    /// The value that is each layer's output.
    pub names: Vec<String>,
}

/// The file of a model. The same model always gives the same bytes.
///
/// # Errors
/// A sentence naming the layer and channel that no such file can say, or what makes the model
/// none.
pub fn write(model: &IntegerModel, dialect: Dialect) -> Result<Written, String> {
    let (proto, written) = model_proto(model, dialect)?;
    Ok(Written {
        bytes: proto.encode_to_vec(),
        ..written
    })
}

/// The messages of a model's file, and what is in it but for the bytes.
fn model_proto(model: &IntegerModel, dialect: Dialect) -> Result<(ModelProto, Written), String> {
    model.validate().map_err(|problem| problem.to_string())?;
    let shapes = model
        .network
        .shapes()
        .map_err(|problem| problem.to_string())?;
    let steps = step::steps(model, &shapes);
    let mut writer = Writer::new(model, &shapes, &steps, dialect);
    for layer in 0..shapes.len() {
        writer.write(layer)?;
    }
    let (graph, layers, names) = writer.into_parts();
    let input = model.network.input;
    let image = extents(input, input.pixels() == 1);
    let unit = steps[steps.len() - 1];
    let results = [shapes.last().map_or(0, |last| last.output.volume())];
    let about = About {
        name: model.origin.name.clone(),
        image: format!("{} of a pixel from 0 to 255", model.input.formula()),
        results: format!(
            "results of {}; hardware gives integers, of which one stands for {unit}",
            model.origin.name,
        ),
        metadata: metadata::entries(model, &layers, dialect),
    };
    let ends = ((INPUT, &image[..]), (OUTPUT, &results[..]));
    let proto = graph.model(ends, about);
    let written = Written {
        bytes: Vec::new(),
        nodes: proto.graph.as_ref().map_or(0, |graph| graph.node.len()),
        image,
        unit,
        names,
    };
    Ok((proto, written))
}
