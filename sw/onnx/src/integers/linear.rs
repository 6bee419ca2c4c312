//! Convolutions and dense layers, whose weights are the file's integers.

use super::building::{Building, spread};
use super::value::{Learned, Sum, Value};
use crate::lower::join;
use crate::lower::shape;
use crate::network::{Convolution, Dense, Weights};
use crate::quantization::of_channel;
use brownout_spec::program::{Operation, Padding, Shape, Steps, Window};

/// The scale of each output's weights, and the biases, in double precision.
fn scales_of(
    weights: &Weights,
    bias: Option<&Weights>,
    outputs: usize,
) -> Result<(Vec<f64>, Vec<f64>), String> {
    let Some(grid) = weights.grid() else {
        return Err(
            "its weights are no integers; allowed in an integer model are weights on a grid (DequantizeLinear of stored integers, Quant, BipolarQuant)"
                .to_owned(),
        );
    };
    if let Some(zero) = grid.zero_point.iter().find(|&&zero| zero != 0.0) {
        return Err(format!(
            "its weights have the zero point {zero}; asymmetric weights have no integer model, allowed is 0"
        ));
    }
    let integers = grid.integers.integers();
    if let Some(weight) = integers.iter().find(|&&w| i8::try_from(w).is_err()) {
        return Err(format!(
            "it has a weight of {weight} steps; allowed in an integer model are -128 to 127"
        ));
    }
    let scale = spread(
        &grid
            .scale
            .iter()
            .copied()
            .map(f64::from)
            .collect::<Vec<_>>(),
        outputs,
    )?;
    let bias = match bias {
        None => vec![0.0; outputs],
        // Integers of 32 bits are more than single precision holds.
        Some(Weights::Grid(grid)) => {
            let integers = grid.integers.integers();
            let each = (0..outputs).map(|output| {
                let steps = of_channel(&integers, output) as f64;
                let zero = f64::from(of_channel(&grid.zero_point, output));
                (steps - zero) * f64::from(of_channel(&grid.scale, output))
            });
            each.collect()
        }
        Some(numbers) => join::bias(Some(numbers), outputs),
    };
    Ok((scale, bias))
}

impl<'n> Building<'n> {
    /// A convolution; zeros around what it reads become its own padding where they can.
    pub fn convolution(
        &mut self,
        index: usize,
        convolution: &'n Convolution,
    ) -> Result<Value<'n>, String> {
        let network = self.network;
        let layer = &network.layers[index];
        let value = self.value(layer.reads[0])?;
        if value.flat().is_some() {
            return Err("it convolves a vector that was a map; allowed are maps".to_owned());
        }
        let mut term = self.term(value)?;
        let mut window = join::window(&convolution.window);
        let (reach, own, around) = (window.reach(), window.padding, term.view.padding);
        let whole = Padding {
            top: own.top + around.top,
            left: own.left + around.left,
            bottom: own.bottom + around.bottom,
            right: own.right + around.right,
        };
        let fits = whole.top.max(whole.bottom) < reach.0 && whole.left.max(whole.right) < reach.1;
        if fits && term.view.stride == Steps::ONE && term.view.zeros == [0; 2] {
            (window.padding, term.view.padding) = (whole, Padding::NONE);
        }
        let term = self.plain(term, &layer.name)?;
        if term.has_offset() {
            return Err(
                "it reads what has a summand in front of it; allowed is a factor".to_owned(),
            );
        }
        let output = shape(network.tensors[layer.writes].shape);
        let input = self.shape(term.tensor);
        let padded = Shape {
            height: input.height + window.padding.top + window.padding.bottom,
            width: input.width + window.padding.left + window.padding.right,
            ..input
        };
        let free = Window {
            padding: Padding::NONE,
            ..window
        };
        window.stride = join::single(free, padded, output).stride;
        let (outputs, groups) = (convolution.weights.shape()[0], convolution.groups);
        self.wait(outputs)?;
        let (scale, offset) = scales_of(&convolution.weights, convolution.bias.as_ref(), outputs)?;
        let depthwise = groups == input.channels && groups > 0;
        let factor = match (term.uniform(), depthwise) {
            (Some(factor), _) => scale.iter().map(|s| s * factor).collect(),
            (None, true) => {
                let each = (outputs / groups).max(1);
                let of = |output: usize| of_channel(&term.factor, output / each);
                let scales = scale.iter().enumerate();
                scales.map(|(output, s)| s * of(output)).collect()
            }
            (None, false) => {
                return Err(
                    "it reads a tensor with a scale for each channel; allowed in an integer model is one for all in front of a convolution"
                        .to_owned(),
                );
            }
        };
        let sum = Sum {
            name: layer.name.clone(),
            operation: Operation::Convolution {
                window,
                groups,
                output_channels: outputs,
                residual: None,
            },
            reads: vec![term.tensor],
            learned: Some(Learned {
                weights: &convolution.weights,
                layer: index,
                flat: None,
                image: None,
            }),
            front: 0,
            shape: output,
            copied: None,
            then: Vec::new(),
        };
        Ok(sum.waiting(factor, offset))
    }

    /// A dense layer: a convolution whose kernel is the whole map.
    pub fn dense(&mut self, index: usize, dense: &'n Dense) -> Result<Value<'n>, String> {
        let network = self.network;
        let layer = &network.layers[index];
        let value = self.value(layer.reads[0])?;
        let term = self.term(value)?;
        let term = self.plain(term, &layer.name)?;
        if term.has_offset() {
            return Err(
                "it reads what has a summand in front of it; allowed is a factor".to_owned(),
            );
        }
        let Some(factor) = term.uniform() else {
            return Err(
                "it reads a tensor with a scale for each channel; allowed in an integer model is one for all in front of a dense layer"
                    .to_owned(),
            );
        };
        let flat = term.view.flat;
        let mut map = self.shape(term.tensor);
        let mut image = None;
        if term.tensor == 0 && flat.is_some() && map.pixels() == 1 {
            // Another layer has made a vector of the image already.
            image = Some(self.image);
        } else if term.tensor == 0 && self.nodes.is_empty() && map.pixels() > 1 {
            // A layer that sees the whole image reads its values one after the other.
            image = Some(map);
            map = Shape {
                height: 1,
                width: 1,
                channels: map.volume(),
            };
            self.input = map;
        }
        let outputs = dense.weights.shape()[0];
        self.wait(outputs)?;
        let (scale, offset) = scales_of(&dense.weights, dense.bias.as_ref(), outputs)?;
        let sum = Sum {
            name: layer.name.clone(),
            operation: Operation::dense(map, outputs),
            reads: vec![term.tensor],
            learned: Some(Learned {
                weights: &dense.weights,
                layer: index,
                flat: Some(flat.unwrap_or(true)),
                image,
            }),
            front: 0,
            shape: Shape {
                height: 1,
                width: 1,
                channels: outputs,
            },
            copied: None,
            then: Vec::new(),
        };
        Ok(sum.waiting(scale.iter().map(|s| s * factor).collect(), offset))
    }
}
