//! Where a bit of a weight lives, and what a cell holds.

use crate::arguments::{InfoArguments, Place};
use crate::error::Error;
use brownout_spec::image::{Cell, CheckHome, Coordinates, Layout, WeightBit};
use brownout_spec::quantity::{Lane, WordAddress};
use serde::Serialize;

/// The answer to `--locate` or `--cell`.
#[derive(Debug, Serialize)]
pub struct PlaceReport {
    /// Address of the word.
    pub address: WordAddress,
    /// Bit of the word.
    pub lane: Lane,
    /// Number among the layers with weights.
    pub weight_layer: usize,
    /// Name of that layer.
    pub layer: String,
    /// Place in the tensor: output, input, kernel row, kernel column; none beside the weights.
    pub coordinates: Option<[usize; 4]>,
    /// Index in the flattened tensor; none in padding.
    pub index: Option<usize>,
    /// Bit of the weight.
    pub bit: Option<u8>,
    /// Bit of the syndrome that it is the check bit of.
    pub check: Option<usize>,
    /// Whether the cell holds the inverse of that bit.
    pub inverted: bool,
}

/// The answers that were asked for.
///
/// # Errors
/// When there is no such weight or cell.
pub fn answers(layout: &Layout, arguments: &InfoArguments) -> Result<Vec<PlaceReport>, Error> {
    let mut answers = Vec::new();
    if let Some(place) = arguments.locate {
        answers.push(locate(layout, place)?);
    }
    if let Some((address, lane)) = arguments.cell {
        answers.push(cell(layout, address, lane)?);
    }
    Ok(answers)
}

fn locate(layout: &Layout, place: Place) -> Result<PlaceReport, Error> {
    let Place { layer, index, bit } = place;
    let (address, lane) = layout
        .locate(WeightBit { layer, index, bit })
        .ok_or_else(|| {
            let layers = layout.layers();
            let width = layout.code().weight_bits();
            let allowed = match layers.get(layer) {
                None => format!("layers 0 to {}", layers.len().saturating_sub(1)),
                Some(found) => format!(
                    "indices 0 to {} in layer {layer} ({}), bits 0 to {}",
                    found.shape.weights() - 1,
                    found.shape.name,
                    width.bits() - 1
                ),
            };
            Error::flag("--locate", format!("{layer},{index},{bit}"), allowed)
        })?;
    cell(layout, address, lane)
}

fn cell(layout: &Layout, address: WordAddress, lane: Lane) -> Result<PlaceReport, Error> {
    let cell = layout.cell(address, lane).ok_or_else(|| {
        let allowed = format!(
            "addresses 0 to {} and lanes 0 to {}",
            layout.words().saturating_sub(1),
            layout.code().n() - 1
        );
        Error::flag("--cell", format!("{},{}", address.0, lane.0), allowed)
    })?;
    let (layer, index, at, bit, check) = match cell {
        Cell::WeightBit(WeightBit { layer, index, bit }) => {
            (layer, Some(index), None, Some(bit), None)
        }
        Cell::Padding { layer, at, bit } => (layer, None, Some(at), Some(bit), None),
        Cell::CheckBit { layer, check, home } => {
            let (index, at, bit) = match home {
                CheckHome::Beside => (None, None, None),
                CheckHome::InWeight(weight) => (Some(weight.index), None, Some(weight.bit)),
                CheckHome::InPadding { at, bit } => (None, Some(at), Some(bit)),
            };
            (layer, index, at, bit, Some(check))
        }
    };
    let shape = &layout.layers()[layer].shape;
    let at = at.or_else(|| index.and_then(|index| shape.coordinates(index)));
    Ok(PlaceReport {
        address,
        lane,
        weight_layer: layer,
        layer: shape.name.clone(),
        coordinates: at.map(
            |Coordinates {
                 output,
                 input,
                 kernel_row,
                 kernel_column,
             }| [output, input, kernel_row, kernel_column],
        ),
        index,
        bit,
        check,
        inverted: layout.code().is_inverted(lane),
    })
}

impl PlaceReport {
    /// The answer as one line.
    pub fn render(&self) -> String {
        let mut text = format!("word {}, lane {}: ", self.address.0, self.lane.0);
        if let Some(check) = self.check {
            text += &format!("check bit {check}");
            text += if self.bit.is_some() { ", in " } else { " " };
        }
        match (self.bit, self.index, self.coordinates) {
            (Some(bit), index, Some([output, input, row, column])) => {
                text += &format!("bit {bit} of ");
                text += &match index {
                    Some(index) => format!("weight {index}, "),
                    None => "padding ".to_owned(),
                };
                text += &format!("[output {output}][input {input}][row {row}][column {column}]");
            }
            _ => text += "beside the weights",
        }
        text += &format!(" of weight layer {} ({})", self.weight_layer, self.layer);
        if self.inverted {
            text += ", stored inverted";
        }
        text + "\n"
    }
}
