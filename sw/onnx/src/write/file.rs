//! A whole file.

use super::dialect::Dialect;
use super::message::About;
use super::writer::{INPUT, OUTPUT, Writer, extents};
use super::{metadata, step};
use crate::schema::ModelProto;
use brownout_golden::model::IntegerModel;
use prost::Message;

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
pub(super) fn model_proto(
    model: &IntegerModel,
    dialect: Dialect,
) -> Result<(ModelProto, Written), String> {
    model.validate().map_err(|problem| problem.to_string())?;
    let shapes = model
        .network
        .shapes()
        .map_err(|problem| problem.to_string())?;
    let steps = step::steps(model, &shapes);
    let mut writer = Writer::new(model, &shapes, &steps, dialect);
    writer.image();
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
        image: format!(
            "{} of a pixel from 0 to 255",
            model.input.meaning().formula()
        ),
        results: format!(
            "results of {}; hardware gives integers, of which one stands for {unit}",
            model.origin.name,
        ),
        metadata: metadata::entries(model, &layers, dialect),
    };
    let ends = [(INPUT, &image[..]), (OUTPUT, &results[..])];
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
