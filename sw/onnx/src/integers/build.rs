//! Layer by layer: what each makes of the values that it reads.

use super::building::{Building, MISSING};
use super::target::Target;
use super::value::{Value, View};
use crate::lower::shape;
use crate::network::{Operator, QuantizedForm, TensorId};
use brownout_spec::program::{Operation, Padding, Steps};

impl<'n> Building<'n> {
    /// What all layers make.
    pub fn all_layers(&mut self) -> Result<(), String> {
        let network = self.network;
        for (index, layer) in network.layers.iter().enumerate() {
            let made = self.layer(index);
            let made = made.map_err(|problem| format!("{}: {problem}", layer.name))?;
            self.values[layer.writes] = Some(made);
        }
        Ok(())
    }

    /// What a layer makes.
    pub fn layer(&mut self, index: usize) -> Result<Value<'n>, String> {
        let network = self.network;
        let layer = &network.layers[index];
        let value = self.value(layer.reads[0])?;
        match &layer.operator {
            Operator::Convolution(convolution) => self.convolution(index, convolution),
            Operator::Dense(dense) => self.dense(index, dense),
            Operator::BatchNorm(norm) => self.norm(value, norm, &layer.name),
            Operator::Affine(affine) => self.affine(value, affine, &layer.name),
            Operator::Add => self.add(index),
            Operator::Concat => self.concat(index),
            Operator::Pool(pool) => self.pool(index, pool),
            Operator::Clip(low, high) => self.clip(value, (*low, *high), &layer.name),
            Operator::Pointwise(expression) => self.function(value, expression, &layer.name),
            Operator::Resize([rows, columns]) => {
                let factors = Steps {
                    rows: *rows,
                    columns: *columns,
                };
                let made = shape(network.tensors[layer.writes].shape);
                self.moved(value, &layer.name, Operation::Resize { factors }, made)
            }
            Operator::Pad(padding, zeros) => {
                let padding = Padding {
                    top: padding.top,
                    left: padding.left,
                    bottom: padding.bottom,
                    right: padding.right,
                };
                self.viewed(value, |view| view.padded(padding, *zeros))
            }
            Operator::Subsample(steps) => match value {
                Value::Stored(stored) if stored.view.has_zeros() => {
                    let stored = self.committed(Value::Stored(stored))?;
                    self.viewed(Value::Stored(stored), |view| view.every(*steps))
                }
                other => self.viewed(other, |view| view.every(*steps)),
            },
            Operator::Reshape([from_last, to_last]) => {
                self.reshape(index, value, (*from_last, *to_last))
            }
            Operator::Quantizer(QuantizedForm::Dequantize(linear)) => {
                self.dequantize(value, linear, &layer.name)
            }
            Operator::Quantizer(form) => {
                let target = Target::new(form)?;
                // Brevitas writes widths below 8 bits as a clip of bytes.
                let narrow = self.clipped[layer.writes]
                    .and_then(|clip| Some((target.narrowed(clip.ends)?, clip.writes)));
                let (target, said) = narrow.unwrap_or((target, layer.writes));
                self.quantize(value, &target, said)
            }
        }
    }

    /// The value looked at in another way.
    fn viewed(
        &mut self,
        value: Value<'n>,
        view: impl Fn(View) -> Result<View, String>,
    ) -> Result<Value<'n>, String> {
        match value {
            Value::Stored(mut stored) => {
                stored.view = view(stored.view)?;
                let zero = i64::from(self.zero(stored.tensor));
                if stored.view.has_zeros() && stored.grid.zero != zero {
                    return Err(
                        "it pads integers whose zero point is not 0; allowed are numbers"
                            .to_owned(),
                    );
                }
                Ok(Value::Stored(stored))
            }
            Value::Open(mut open) => {
                open.view = view(open.view)?;
                Ok(Value::Open(open))
            }
            Value::Parts(..) => {
                let stored = self.committed(value)?;
                self.viewed(Value::Stored(stored), view)
            }
            Value::Image(_) => Err(format!("it reads the image as it is; {MISSING}")),
        }
    }

    /// A flattened map, or a vector that is a map after all.
    fn reshape(
        &mut self,
        index: usize,
        value: Value<'n>,
        (from_last, to_last): (bool, bool),
    ) -> Result<Value<'n>, String> {
        let layer = &self.network.layers[index];
        let extents = |tensor: TensorId| shape(self.network.tensors[tensor].shape);
        let (from, to) = (extents(layer.reads[0]), extents(layer.writes));
        if from == to && (from_last == to_last || from.pixels() == 1 || from.channels == 1) {
            return Ok(value);
        }
        if to.pixels() == 1 && value.flat().is_none() {
            let channels_last = from_last || from.pixels() == 1 || from.channels == 1;
            return Ok(value.flattened((from.pixels() > 1).then_some(channels_last)));
        }
        let is_image = match &value {
            Value::Image(image) => image.flat.is_none(),
            Value::Stored(stored) => stored.tensor == 0 && stored.view.is_plain(),
            _ => false,
        };
        let fresh = is_image && from.pixels() == 1 && self.nodes.is_empty();
        if fresh && (to_last || to.channels == 1) {
            // Images are maps with channels last from the beginning.
            (self.input, self.image) = (to, to);
            return Ok(value);
        }
        Err(format!(
            "it makes {to} of {from}; allowed are a map that becomes a vector, and a vector that becomes an image with channels last"
        ))
    }
}
