//! Layers with weights: `Conv`, or `Gemm` where the kernel is the whole map.

use super::dialect::Dialect;
use super::message::Attribute;
use super::metadata::LayerMetadata;
use super::writer::{Writer, window_attributes};
use brownout_spec::program::Residual;
use ndarray::Axis;

/// Binary digits behind the point of a channel's bias whose weights are zero: such a channel's
/// step is free, and a runtime that rounds biases to multiples of it keeps as many.
const DIGITS_OF_DEAD: i32 = 12;

impl Writer<'_> {
    /// The sums of products, and the constants.
    pub(super) fn convolution(
        &mut self,
        index: usize,
        dense: bool,
        metadata: &mut LayerMetadata,
    ) -> Result<String, String> {
        let (integers, steps) = self.stored(index, metadata)?;
        let (o, i, h, w) = integers.dim();
        let values = integers.as_slice().unwrap_or_default();
        let dims = [o, i, h, w];
        let dims = if dense {
            vec![o, i * h * w]
        } else {
            dims.to_vec()
        };
        let bits = self.model.weight_bits;
        let name = self.name(index, "weight");
        let named = (&steps[..], bits);
        let names = self
            .dialect
            .weights(&mut self.graph, &name, (&dims, values), named);
        let [weights, stored, scale] = names;
        metadata.weight = Some(stored);
        metadata.scale = Some(scale);
        let sums = self.name(index, "sums");
        let sums = self.graph.take_name(&sums);
        let source = self.read(index, 0, dense);
        let operands = [&source[..], &weights];
        let node = self.output(index).to_owned();
        let (operator, attributes) = match dense {
            true => ("Gemm", vec![("transB", Attribute::Int(1))]),
            false => {
                let shapes = &self.shapes[index];
                let mut attributes = window_attributes(&shapes.window);
                attributes.push(("group", Attribute::Int(shapes.groups as i64)));
                ("Conv", attributes)
            }
        };
        let node = (operator, &node[..]);
        self.graph.node_of("", node, &operands, &sums, &attributes);
        Ok(self.biased(index, &sums, dense))
    }

    /// The sums with the constant of each output channel, in a node of its own.
    ///
    /// onnxruntime 1.32 rounds what is an input of `Conv` or `Gemm` to multiples of the product of
    /// both scales, which moves one value in a hundred by a step.
    fn biased(&mut self, index: usize, sums: &str, flat: bool) -> String {
        let (rounding, step) = (self.rounding(index), self.steps[index + 1]);
        let last = self.is_last(index);
        let channels = self.model.layers[index].channels.iter();
        let units = channels.map(|&channel| match last {
            true => rounding.wide(channel),
            false => rounding.constant(channel),
        });
        let values: Vec<f32> = units.map(|units| (units * step) as f32).collect();
        let dims = [1, values.len(), 1, 1];
        let dims = if flat { &dims[..2] } else { &dims[..] };
        let bias = self.graph.floats(&self.name(index, "bias"), dims, &values);
        let name = self.name(index, "biased");
        self.graph.node("Add", &name, &[sums, &bias], &[])
    }

    /// The weights with the signs of their multipliers, and the step of each output channel. Of
    /// channels without a multiplier they are zero, and the metadata keep them.
    fn stored(
        &self,
        index: usize,
        metadata: &mut LayerMetadata,
    ) -> Result<(ndarray::Array4<i8>, Vec<f32>), String> {
        let layer = self.layer(index);
        let refuse = |problem: String| format!("layer {index} ({}): {problem}", layer.name);
        let Some(weights) = &self.model.layers[index].weights else {
            return Err(refuse("it has no weights".to_owned()));
        };
        let unit = self.factor(index, layer.source());
        let dead =
            self.steps[index + 1] / self.steps[layer.source()] * f64::from(-DIGITS_OF_DEAD).exp2();
        let lowest = self.model.weight_bits.range().0;
        let mut integers = weights.integers.clone();
        let mut steps = Vec::with_capacity(metadata.multipliers.len());
        for (channel, &multiplier) in metadata.multipliers.iter().enumerate() {
            let mut of = integers.index_axis_mut(Axis(0), channel);
            match multiplier {
                0 => {
                    let lost: Vec<i8> = of.iter().copied().collect();
                    if lost.iter().any(|&w| w != 0) {
                        metadata.unseen.insert(channel, super::metadata::hex(&lost));
                    }
                    of.fill(0);
                    steps.push(dead as f32);
                    continue;
                }
                ..0 => {
                    if of.iter().any(|&w| w == lowest) {
                        return Err(refuse(format!(
                            "output channel {channel} has a negative multiplier and a weight of {lowest}; a scale of ONNX is positive, and the opposite of {lowest} has no place in {} bits, so allowed in such a channel are weights from {} on: turn the signs of its weights and of its multiplier (its batch norm's gain) and round the network again",
                            self.model.weight_bits.bits(),
                            lowest + 1
                        )));
                    }
                    of.mapv_inplace(|w| -w);
                }
                _ => {}
            }
            steps.push((f64::from(multiplier.unsigned_abs()) * unit) as f32);
        }
        Ok((integers, steps))
    }

    /// The sums with a residual operand: every `stride`-th pixel, missing channels zero.
    pub(super) fn with_operand(&mut self, index: usize, sums: &str, residual: Residual) -> String {
        let tensor = self.layer(index).reads[1];
        let mut operand = self.map(index, 1);
        if residual.stride != 1 {
            let name = self.name(index, "every_second");
            let stride = residual.stride as i64;
            let bounds = [[0; 2], [i64::MAX; 2], [2, 3], [stride; 2]];
            let parts = ["starts", "ends", "axes", "steps"].into_iter().zip(bounds);
            let parts =
                parts.map(|(part, values)| self.graph.longs(&format!("{name}.{part}"), &values));
            let parts: Vec<String> = parts.collect();
            let operands = std::iter::once(&operand).chain(&parts).map(String::as_str);
            let operands: Vec<&str> = operands.collect();
            let every = self.graph.node("Slice", &name, &operands, &[]);
            let names = &self.tensors[tensor].names;
            operand = Dialect::moved(&mut self.graph, &name, names, every);
        }
        let channels = match tensor.checked_sub(1) {
            None => self.model.network.input.channels,
            Some(layer) => self.shapes[layer].output.channels,
        };
        let missing = self.shapes[index].output.channels - channels;
        if missing > 0 {
            let name = self.name(index, "widened");
            let pads = [0, 0, 0, 0, 0, missing as i64, 0, 0];
            let pads = self.graph.longs(&format!("{name}.pads"), &pads);
            let zero = self.graph.floats(&format!("{name}.with"), &[], &[0.0]);
            operand = self
                .graph
                .node("Pad", &name, &[&operand, &pads, &zero], &[]);
        }
        let factor = self.operand_factor(index);
        let operand = self.times(&self.name(index, "operand"), operand, factor);
        let name = self.name(index, "added");
        self.graph.node("Add", &name, &[sums, &operand], &[])
    }
}
