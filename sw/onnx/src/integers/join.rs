//! What reads tensors and multiplies or adds them: convolutions, dense layers, sums, and channels
//! side by side.

use super::build::{Building, MISSING, spread};
use super::value::{Learned, Open, Stored, Sum, Value, View};
use crate::lower::join;
use crate::lower::shape;
use crate::network::{Convolution, Dense, Weights};
use crate::quantization::of_channel;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Operation, Padding, Residual, Shape, Steps, Window};

/// A tensor of the integer network as a layer multiplies it: factor · (x − zero point) + offset.
#[derive(Clone, Debug)]
pub(super) struct Term {
    pub tensor: usize,
    /// One for each channel of the tensor, as the offset.
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
    pub view: View,
}

impl Term {
    /// The factor that all channels have.
    fn uniform(&self) -> Option<f64> {
        let first = *self.factor.first()?;
        self.factor.iter().all(|f| *f == first).then_some(first)
    }

    fn has_offset(&self) -> bool {
        self.offset.iter().any(|&offset| offset != 0.0)
    }
}

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
        &grid.scale.iter().copied().map(f64::from).collect::<Vec<_>>(),
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
    /// The tensor behind a value.
    pub fn term(&mut self, value: Value<'n>) -> Result<Term, String> {
        let open = match value {
            Value::Parts(..) => {
                let stored = self.committed(value)?;
                self.opened(Value::Stored(stored), "")?
            }
            other => self.opened(other, "")?,
        };
        let Open { sum, view, .. } = *open;
        let unclipped = open.low.iter().all(|&low| low == f64::NEG_INFINITY)
            && open.high.iter().all(|&high| high == f64::INFINITY);
        let line = open.is_line && unclipped && sum.then.is_empty() && sum.copied.is_some();
        match (line, sum.reads.as_slice()) {
            (true, &[tensor]) => Ok(Term {
                tensor,
                factor: open.factor,
                offset: open.offset,
                view,
            }),
            _ => Err(format!(
                "it reads what {} computes as it comes, in more than 8 bits; {MISSING}",
                sum.name
            )),
        }
    }

    /// The tensor with layers for what is only looked at in another way.
    pub fn plain(&mut self, term: Term, name: &str) -> Result<Term, String> {
        let Term {
            mut tensor,
            mut factor,
            mut offset,
            view,
        } = term;
        if view.has_zeros() && offset.iter().any(|&o| o != 0.0) {
            return Err("it reads zeros beside what has a summand; allowed is a factor".to_owned());
        }
        if view.stride != Steps::ONE {
            let window = Window {
                stride: view.stride,
                ..Window::square(1, 1, 0)
            };
            let every = View {
                stride: view.stride,
                ..View::PLAIN
            };
            let shape = every.viewed(self.shape(tensor));
            tensor = self.moving(name, Operation::MaxPool { window }, vec![tensor], shape)?;
        }
        if view.padding != Padding::NONE {
            let padding = view.padding;
            let around = View {
                padding,
                ..View::PLAIN
            };
            let shape = around.viewed(self.shape(tensor));
            tensor = self.moving(name, Operation::Pad { padding }, vec![tensor], shape)?;
        }
        if view.zeros != [0; 2] {
            tensor = self.with_zeros(tensor, view.zeros, name)?;
            let [front, behind] = view.zeros;
            // Any factor does for zeros.
            let first = factor.first().copied().unwrap_or(1.0);
            let around = |values: Vec<f64>, of: f64| {
                let zeros = |count| std::iter::repeat_n(of, count);
                let values = zeros(front).chain(values).chain(zeros(behind));
                values.collect::<Vec<f64>>()
            };
            factor = around(factor, first);
            offset = around(offset, 0.0);
        }
        let flat = view.flat;
        Ok(Term {
            tensor,
            factor,
            offset,
            view: View {
                flat,
                ..View::PLAIN
            },
        })
    }

    /// The integers of a value, as they are or as a vector.
    pub fn committed(&mut self, value: Value<'n>) -> Result<Stored, String> {
        match value {
            Value::Stored(stored) if stored.view.is_plain() => Ok(stored),
            Value::Stored(stored) => {
                let grid = stored.grid.clone();
                let channels = self.shape(stored.tensor).channels;
                if stored.view.zeros != [0; 2] && grid.scale.len() > 1 {
                    return Err(
                        "it reads channels of zeros beside others with scales of their own; allowed is one scale for all"
                            .to_owned(),
                    );
                }
                let term = Term {
                    tensor: stored.tensor,
                    factor: spread(&grid.scale, channels)?,
                    offset: vec![0.0; channels],
                    view: stored.view,
                };
                let term = self.plain(term, "zeros")?;
                Ok(Stored {
                    tensor: term.tensor,
                    grid,
                    view: term.view,
                })
            }
            Value::Parts(parts, flat) => {
                let mut stored = Vec::with_capacity(parts.len());
                for part in parts {
                    stored.push(self.committed(part)?);
                }
                let zero = stored.first().map_or(0, |part| self.zero(part.tensor));
                let grids = stored.iter().map(|part| &part.grid);
                let mut scale = Vec::new();
                let uniform = grids.clone().all(|grid| {
                    grid.scale.len() == 1 && *grid == stored[0].grid
                });
                for part in &stored {
                    let channels = self.shape(part.tensor).channels;
                    if part.grid.zero != stored[0].grid.zero || self.zero(part.tensor) != zero {
                        return Err(format!(
                            "it reads channels side by side whose zero points differ; {MISSING}"
                        ));
                    }
                    scale.extend(spread(&part.grid.scale, channels)?);
                }
                let mut shape = self.shape(stored[0].tensor);
                shape.channels = scale.len();
                let reads: Vec<usize> = stored.iter().map(|part| part.tensor).collect();
                let tensor = self.side_by_side(reads, shape)?;
                let mut grid = stored[0].grid.clone();
                if !uniform {
                    grid.scale = scale;
                }
                Ok(Stored {
                    tensor,
                    grid,
                    view: View {
                        flat,
                        ..View::PLAIN
                    },
                })
            }
            Value::Open(open) => Err(format!(
                "it reads what {} computes as it comes, in more than 8 bits; {MISSING}",
                open.sum.name
            )),
            Value::Image(_) => Err(format!("it reads the image as it is; {MISSING}")),
        }
    }

    /// Channels after each other, whatever their grids are.
    pub fn concat(&mut self, index: usize) -> Result<Value<'n>, String> {
        let reads = self.network.layers[index].reads.iter();
        let mut parts = Vec::new();
        for &tensor in reads {
            let value = self.value(tensor)?;
            if value.flat().is_some() {
                return Err("it joins vectors that were maps; allowed are maps".to_owned());
            }
            match value {
                Value::Image(_) => return Err(format!("it reads the image as it is; {MISSING}")),
                Value::Parts(more, _) => parts.extend(more),
                other => parts.push(other),
            }
        }
        Ok(Value::Parts(parts, None))
    }

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
        let (scale, offset) =
            scales_of(&convolution.weights, convolution.bias.as_ref(), outputs)?;
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

    /// A sum of two: part of a convolution that nothing has rounded yet, or a layer of its own.
    pub fn add(&mut self, index: usize) -> Result<Value<'n>, String> {
        let layer = &self.network.layers[index];
        let &[first, second] = &layer.reads[..] else {
            let count = layer.reads.len();
            return Err(format!("it adds {count} tensors; allowed are two"));
        };
        let (a, b) = (self.value(first)?, self.value(second)?);
        let flat = a.flat();
        if flat != b.flat() {
            return Err("it adds a map and a vector; allowed are two of a kind".to_owned());
        }
        let waits = |value: &Value<'_>| match value {
            Value::Open(open) => open.sum.learned.is_some(),
            _ => false,
        };
        let made = match (waits(&a), waits(&b)) {
            (true, false) => self.host(a, b)?,
            (false, true) => self.host(b, a)?,
            _ => self.sum(index, a, b)?,
        };
        Ok(made.flattened(flat))
    }

    /// The convolution that has not been rounded, with the other tensor added.
    fn host(&mut self, host: Value<'n>, other: Value<'n>) -> Result<Value<'n>, String> {
        let Value::Open(mut open) = host else {
            return Err(MISSING.to_owned());
        };
        let mut term = self.term(other)?;
        let unclipped = open.low.iter().all(|&low| low == f64::NEG_INFINITY)
            && open.high.iter().all(|&high| high == f64::INFINITY);
        let free = open.is_line
            && unclipped
            && open.operand.is_none()
            && open.view.is_plain()
            && open.sum.then.is_empty();
        if !free {
            return Err(format!(
                "it adds to what {} computes, in more than 8 bits and not only summed; {MISSING}",
                open.sum.name
            ));
        }
        let stride = term.view.stride;
        let square = stride.rows == stride.columns && stride.rows <= 2;
        if !square || term.view.padding != Padding::NONE {
            term = self.plain(term, "operand")?;
        }
        let Some(factor) = term.uniform() else {
            return Err(
                "it adds a tensor with a scale for each channel; allowed in an integer model is one for all"
                    .to_owned(),
            );
        };
        if term.has_offset() && term.view.zeros != [0; 2] {
            return Err("it adds zeros beside what has a summand; allowed is a factor".to_owned());
        }
        for (own, other) in open.offset.iter_mut().zip(&term.offset) {
            *own += other;
        }
        open.sum.operation = open.sum.operation.with_residual(Residual {
            stride: term.view.stride.rows,
            scale: ResidualScale::default(),
        });
        open.sum.reads.push(term.tensor);
        open.sum.front = term.view.zeros[0];
        open.operand = Some(factor);
        Ok(Value::Open(open))
    }

    fn sum(&mut self, index: usize, a: Value<'n>, b: Value<'n>) -> Result<Value<'n>, String> {
        let network = self.network;
        let layer = &network.layers[index];
        let (a, b) = (self.term(a)?, self.term(b)?);
        let (a, b) = (self.plain(a, &layer.name)?, self.plain(b, &layer.name)?);
        let offset: Vec<f64> = a.offset.iter().zip(&b.offset).map(|(a, b)| a + b).collect();
        if self.shape(a.tensor) != self.shape(b.tensor) {
            return Err(format!(
                "it adds {} and {}; allowed are two of one shape",
                self.shape(a.tensor),
                self.shape(b.tensor)
            ));
        }
        if a.tensor == b.tensor {
            // Twice the same is a factor.
            let grid = super::value::Grid {
                scale: vec![1.0],
                zero: i64::from(self.zero(a.tensor)),
            };
            let stored = Stored {
                tensor: a.tensor,
                grid,
                view: View::PLAIN,
            };
            let mut open = self.opened(Value::Stored(stored), &layer.name)?;
            open.factor = a.factor.iter().zip(&b.factor).map(|(a, b)| a + b).collect();
            open.offset = offset;
            let uniform = a.uniform().is_some() && b.uniform().is_some();
            let line = crate::network::Function::Affine(open.factor[0], open.offset[0]);
            open.expression = uniform.then(|| crate::network::Expression::of(line).into());
            return Ok(Value::Open(open));
        }
        // The scale of the second is one for all channels.
        let (a, b, operand) = match (a.uniform(), b.uniform()) {
            (_, Some(operand)) => (a, b, operand),
            (Some(operand), None) => (b, a, operand),
            (None, None) => {
                return Err(
                    "it adds two tensors with a scale for each channel; allowed in an integer model is one such"
                        .to_owned(),
                );
            }
        };
        let sum = Sum {
            name: layer.name.clone(),
            operation: Operation::Add {
                scale: ResidualScale::default(),
            },
            reads: vec![a.tensor, b.tensor],
            learned: None,
            front: 0,
            shape: self.shape(a.tensor),
            copied: None,
            then: Vec::new(),
        };
        let mut made = sum.waiting(a.factor, offset);
        if let Value::Open(open) = &mut made {
            open.operand = Some(operand);
        }
        Ok(made)
    }
}
