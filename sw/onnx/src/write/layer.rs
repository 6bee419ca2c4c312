//! One layer after the other, each by its kind.

use super::dialect::{Grid, Rounded};
use super::metadata::LayerMetadata;
use super::writer::{OUTPUT, Tensor, Writer, extents};
use brownout_spec::program::Operation;

impl Writer<'_> {
    /// Everything of one layer.
    ///
    /// # Errors
    /// A sentence naming the layer and channel that the file cannot say.
    pub fn write(&mut self, index: usize) -> Result<(), String> {
        let layer = &self.model.network.layers[index];
        let mut metadata = LayerMetadata::new(&self.model.layers[index]);
        let flat = self.is_flat(index);
        let value = match layer.operation {
            Operation::Convolution { residual, .. } => {
                let sums = self.convolution(index, flat, &mut metadata)?;
                match residual {
                    Some(residual) => self.with_operand(index, &sums, residual),
                    None => sums,
                }
            }
            Operation::MaxPool { .. }
            | Operation::AveragePool { .. }
            | Operation::GlobalAveragePool => self.pool(index),
            Operation::Add { .. } => self.add(index, flat),
            Operation::Concat => self.concat(index, flat),
            Operation::Resize { .. } => self.resize(index),
            Operation::Pad { padding } => {
                let source = self.map(index, 0);
                let padded = self.zeros(&self.name(index, "padded"), &source, padding);
                self.passed_on(index, padded, None)
            }
            Operation::Pointwise => self.table(index, flat),
        };
        self.metadata.push(metadata);
        let tensor = match index + 1 == self.shapes.len() {
            true => self.results(value, flat),
            false => self.rounded(index, &value, flat),
        };
        self.tensors.push(tensor);
        Ok(())
    }

    /// The output of a layer that is not the last, on its grid.
    fn rounded(&mut self, index: usize, value: &str, flat: bool) -> Tensor {
        let layer = self.layer(index);
        let step = self.steps[index + 1];
        let grid = match layer.operation {
            // They were bounded before they were looked up, or in their own layers.
            Operation::Concat | Operation::Pointwise => Grid::whole(layer.zero, step),
            _ => Grid::of(layer.output, layer.zero, step),
        };
        let named = (&self.outputs[index].clone()[..], value);
        let names = self.dialect.activation(&mut self.graph, named, &grid);
        let extents = extents(self.shapes[index].output, flat);
        self.graph.shape(&names.real, true, &extents);
        Tensor { names, flat }
    }

    /// The output of the last layer: a row of values for each image.
    fn results(&mut self, value: String, flat: bool) -> Tensor {
        if !flat {
            let name = self.name(self.shapes.len() - 1, "row");
            self.graph.node("Flatten", &name, &[&value], &[]);
        }
        self.graph.rename_last(OUTPUT);
        let names = Rounded {
            real: OUTPUT.to_owned(),
            integers: None,
        };
        Tensor { names, flat: true }
    }
}
