//! From a model in integers to an ONNX file that computes the same in other tools.
//!
//! Every activation is what its stored integer stands for: a real number that is a multiple of
//! its tensor's step. A layer's integers y = (acc·m + b + r·mr·2^(s−sr)) >> s become numbers that
//! are rounded to the step of its output, so each weight's step is |m|·2^−s·(step of the output) /
//! (step of the input). Two things differ from hardware, both by at most a step of a few values:
//! a half is rounded to even there and up here, and sums are in single precision there.
//!
//! [`message`] puts messages together, [`scale`] chooses steps, [`layers`] writes what a layer
//! computes, and [`dialect`] how a number is rounded.

mod dialect;
mod layers;
mod message;
mod scale;

pub use dialect::Dialect;

use brownout_golden::model::IntegerModel;
use brownout_spec::program::{LayerShapes, Shape};
use layers::Writer;
use message::Graph;
use serde::Serialize;

/// Key of the metadata that say what no node says.
pub const METADATA_KEY: &str = "brownout";

/// What a file says of the model that it was made from.
#[derive(Debug, Serialize)]
struct Metadata<'m> {
    /// Name of the network.
    network: &'m str,
    /// What it was trained on.
    dataset: &'m str,
    /// How a pixel becomes the number that the file's input is.
    pixels: String,
    /// The same as a map of Brownout.
    input: String,
    /// The code whose range the weights keep.
    code: String,
    weight_bits: usize,
    /// Seed of its training.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// By layer, the output channels whose weights are stored with the other sign, since their
    /// multipliers are negative.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    negated: Vec<(usize, Vec<usize>)>,
}

/// The bytes of the file.
///
/// The image is `[N, channels, rows, columns]`, or of a flat network `[N, values]`, in the numbers
/// that [`brownout_golden::model::InputMap::real`] makes of pixels; the result is `[N, classes]`.
///
/// # Errors
/// A sentence naming the layer and channel that no such file can say.
///
/// # Panics
/// If the model was not validated.
pub fn write(model: &IntegerModel, dialect: Dialect) -> Result<Vec<u8>, String> {
    let shapes = model
        .network
        .shapes()
        .expect("a validated model has shapes");
    let steps = scale::steps(model, &shapes);
    let mut writer = Writer::new(model, &shapes, &steps, dialect);
    writer.input();
    for layer in 0..shapes.len() {
        writer.layer(layer)?;
    }
    let result = writer.result();
    let (graph, negated): (Graph, _) = writer.into_parts();
    let origin = &model.origin;
    let metadata = Metadata {
        network: &origin.name,
        dataset: &origin.dataset,
        pixels: model.input.formula(),
        input: model.input.to_string(),
        code: model.code.to_string(),
        weight_bits: model.weight_bits.bits(),
        seed: origin.training.as_ref().map(|training| training.seed),
        negated,
    };
    let metadata = serde_json::to_string(&metadata).expect("metadata are plain data");
    let image = image(model.network.input);
    let outputs = [outputs(&shapes)];
    Ok(graph.model(
        &origin.name,
        (("image", &image), (&result, &outputs)),
        &[(METADATA_KEY, metadata)],
    ))
}

/// Extents of an image as the file has it.
fn image(input: Shape) -> Vec<usize> {
    match input.pixels() {
        1 => vec![input.channels],
        _ => vec![input.channels, input.height, input.width],
    }
}

fn outputs(shapes: &[LayerShapes]) -> usize {
    shapes.last().map_or(0, |last| last.output.volume())
}
