//! Layer by layer: what each makes of the values that it reads.

use super::node::Node;
use super::target::{RECENTRED, Target};
use super::value::{Grid, Image, Moved, Open, Stored, Sum, Value, View};
use crate::lower::join;
use crate::lower::shape;
use crate::network::{
    self, Affine, Expression, Function, Network, Operator, Pool, QuantizedForm, TensorId,
};
use crate::quantization::Linear;
use crate::tensor::Element;
use brownout_golden::model::{InputQuantizer, MOST_CHANNELS, Normalization};
use brownout_spec::program::{Divisors, Operation, Padding, Shape, Steps, Window};
use std::sync::Arc;

/// What a sentence allows where a quantizer is missing.
pub(super) const MISSING: &str =
    "allowed in an integer model is a quantizer (QuantizeLinear, Quant) between two layers";

/// The first quantizer: factors and summands in front of it, step, zero point and bounds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct First {
    pub factor: Vec<f64>,
    pub offset: Vec<f64>,
    pub step: f64,
    pub zero: i8,
    pub bounds: (i8, i8),
}

impl First {
    /// Whether all channels have one factor and one summand.
    pub fn is_uniform(&self) -> bool {
        let same = |values: &[f64]| values.iter().all(|v| *v == values[0]);
        same(&self.factor) && same(&self.offset)
    }

    /// The map from pixels that it is, where pixels mean that.
    pub fn map(&self, pixels: Normalization, channels: usize) -> Result<InputQuantizer, String> {
        let single = |values: &[f64]| values.iter().map(|&v| v as f32).collect::<Vec<_>>();
        let (mut factors, mut summands) = (single(&self.factor), single(&self.offset));
        if self.is_uniform() {
            factors.truncate(1);
            summands.truncate(1);
        }
        let own = factors.len();
        if own > 1 && (own != channels || own > MOST_CHANNELS) {
            return Err(format!(
                "its input has a factor or a summand for each of {own} channels; allowed are such for images of up to {MOST_CHANNELS}"
            ));
        }
        let longest = factors.len().max(summands.len());
        factors.resize(longest, factors[0]);
        summands.resize(longest, summands[0]);
        let lines = (&factors[..], &summands[..]);
        InputQuantizer::new(pixels, lines, (self.step as f32, self.zero, self.bounds))
    }
}

/// A network on its way to integers.
pub(super) struct Building<'n> {
    pub network: &'n Network,
    pub values: Vec<Option<Value<'n>>>,
    pub nodes: Vec<Node<'n>>,
    /// Shape of the network's input.
    pub input: Shape,
    /// Shape of the images.
    pub image: Shape,
    pub first: Option<First>,
    pub remarks: Vec<String>,
}

impl<'n> Building<'n> {
    pub fn new(network: &'n Network) -> Self {
        let mut values = vec![None; network.tensors.len()];
        values[network.input] = Some(Value::Image(Image {
            factor: vec![1.0],
            offset: vec![0.0],
            flat: None,
        }));
        let image = shape(network.tensors[network.input].shape);
        Self {
            network,
            values,
            nodes: Vec::new(),
            input: image,
            image,
            first: None,
            remarks: Vec::new(),
        }
    }

    /// The value of a tensor that a layer reads.
    pub fn value(&self, tensor: TensorId) -> Result<Value<'n>, String> {
        let value = self.values.get(tensor).and_then(Option::as_ref);
        value
            .cloned()
            .ok_or_else(|| "it reads a tensor that no layer in front of it writes".to_owned())
    }

    /// The shape of a tensor of the integer network.
    pub fn shape(&self, tensor: usize) -> Shape {
        match tensor {
            0 => self.input,
            k => self.nodes[k - 1].shape,
        }
    }

    /// The zero point of a tensor of the integer network.
    pub fn zero(&self, tensor: usize) -> i8 {
        match tensor {
            0 => self.first.as_ref().map_or(0, |first| first.zero),
            k => self.nodes[k - 1].zero,
        }
    }

    /// What a layer makes.
    pub fn layer(&mut self, index: usize) -> Result<Value<'n>, String> {
        let network = self.network;
        let layer = &network.layers[index];
        let value = self.value(layer.reads[0])?;
        match &layer.operator {
            Operator::Convolution(convolution) => self.convolution(index, convolution),
            Operator::Dense(dense) => self.dense(index, dense),
            Operator::BatchNorm(norm) => self.affine(value, &join::folded(norm), &layer.name),
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
                self.quantize(value, &target, layer.writes)
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
                        "it pads integers whose zero point is not 0; allowed are numbers".to_owned(),
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

    /// A copy of a tensor that waits for its quantizer.
    pub fn opened(&self, value: Value<'n>, name: &str) -> Result<Box<Open<'n>>, String> {
        match value {
            Value::Open(open) => Ok(open),
            Value::Stored(Stored { tensor, grid, view }) => {
                let shape = self.shape(tensor);
                let factor = spread(&grid.scale, shape.channels)?;
                let zero = i64::from(self.zero(tensor));
                // The copy takes the tensor's own zero point off.
                let offset = factor.iter().map(|f| f * (zero - grid.zero) as f64);
                Ok(Box::new(Open {
                    offset: offset.collect(),
                    low: vec![f64::NEG_INFINITY; shape.channels],
                    high: vec![f64::INFINITY; shape.channels],
                    factor,
                    operand: None,
                    expression: Some(Arc::new(Expression::X)),
                    is_line: true,
                    view,
                    sum: Sum {
                        name: name.to_owned(),
                        operation: Operation::AveragePool {
                            window: Window::square(1, 1, 0),
                            counted: Padding::NONE,
                        },
                        reads: vec![tensor],
                        learned: None,
                        front: 0,
                        shape,
                        copied: Some(grid),
                        then: Vec::new(),
                    },
                }))
            }
            Value::Image(_) => Err(format!("it reads the image as it is; {MISSING}")),
            Value::Parts(..) => Err(format!(
                "it reads parts side by side whose integers differ; {MISSING}"
            )),
        }
    }

    /// The same for something that `keeps` zeros as they are, or else reads those around a tensor.
    fn opened_over(
        &mut self,
        value: Value<'n>,
        name: &str,
        keeps: bool,
    ) -> Result<Box<Open<'n>>, String> {
        match value {
            Value::Stored(stored) if stored.view.has_zeros() && !keeps => {
                let stored = self.committed(Value::Stored(stored))?;
                self.opened(Value::Stored(stored), name)
            }
            other => {
                let open = self.opened(other, name)?;
                open.check_zeros(keeps)?;
                Ok(open)
            }
        }
    }

    /// A factor and a summand.
    pub fn affine(
        &mut self,
        value: Value<'n>,
        affine: &Affine,
        name: &str,
    ) -> Result<Value<'n>, String> {
        let each = affine.scale.len().max(affine.offset.len());
        if each > 1 && value.flat().is_some() {
            return Err(
                "it has a factor or a summand for each value of what was a map; allowed are such for each channel, in front of what makes a vector of it"
                    .to_owned(),
            );
        }
        let of = |values: &[f64], channel: usize| match values {
            [one] => *one,
            all => all.get(channel).copied().unwrap_or_default(),
        };
        match value {
            Value::Image(mut image) => {
                let count = each.max(image.factor.len());
                let channels = 0..count;
                let pairs = channels.map(|c| {
                    let scale = of(&affine.scale, c);
                    let offset = of(&image.offset, c) * scale + of(&affine.offset, c);
                    (of(&image.factor, c) * scale, offset)
                });
                (image.factor, image.offset) = pairs.unzip();
                Ok(Value::Image(image))
            }
            Value::Parts(parts, flat) => {
                let mut from = 0;
                let mut made = Vec::with_capacity(parts.len());
                for part in parts {
                    let channels = self.channels(&part);
                    let cut = |values: &[f64]| match values {
                        [one] => vec![*one],
                        all => all.iter().skip(from).take(channels).copied().collect(),
                    };
                    let (scale, offset) = (cut(&affine.scale), cut(&affine.offset));
                    made.push(self.affine(part, &Affine { scale, offset }, name)?);
                    from += channels;
                }
                Ok(Value::Parts(made, flat))
            }
            other => {
                let keeps = affine.offset.iter().all(|&offset| offset == 0.0);
                let mut open = self.opened_over(other, name, keeps)?;
                let channels = open.offset.len();
                open.check_order(affine.scale.iter().all(|&scale| scale > 0.0))?;
                for (at, factor) in open.factor.iter_mut().enumerate() {
                    *factor *= of(&affine.scale, at % channels);
                }
                let uniform = affine.scale.iter().all(|s| *s == affine.scale[0]);
                open.operand = match open.operand {
                    Some(operand) if uniform => Some(operand * affine.scale[0]),
                    Some(_) => {
                        return Err(
                            "it has a factor for each channel behind a sum; allowed is one for all"
                                .to_owned(),
                        );
                    }
                    None => None,
                };
                for channel in 0..channels {
                    let (scale, offset) = (of(&affine.scale, channel), of(&affine.offset, channel));
                    open.offset[channel] = open.offset[channel] * scale + offset;
                    let ends = (open.low[channel], open.high[channel]);
                    (open.low[channel], open.high[channel]) = match scale {
                        0.0 => (f64::NEG_INFINITY, f64::INFINITY),
                        s if s > 0.0 => (ends.0 * s + offset, ends.1 * s + offset),
                        s => (ends.1 * s + offset, ends.0 * s + offset),
                    };
                }
                open.expression = match (affine.scale.as_slice(), affine.offset.as_slice()) {
                    (&[scale], &[offset]) => {
                        behind(open.expression, Function::Affine(scale, offset))
                    }
                    _ => None,
                };
                Ok(Value::Open(open))
            }
        }
    }

    /// A clip, which narrows the range that there is.
    fn clip(
        &mut self,
        value: Value<'n>,
        (low, high): (f32, f32),
        name: &str,
    ) -> Result<Value<'n>, String> {
        if low > high || low.is_nan() || high.is_nan() {
            return Err(format!(
                "it clips to {low} .. {high}; allowed are ends in that order"
            ));
        }
        if let Value::Parts(parts, flat) = value {
            let parts = parts.into_iter();
            let made = parts.map(|part| self.clip(part, (low, high), name));
            return Ok(Value::Parts(made.collect::<Result<_, String>>()?, flat));
        }
        let mut open = self.opened_over(value, name, (low..=high).contains(&0.0))?;
        let into = |end: &mut f64| *end = end.max(f64::from(low)).min(f64::from(high));
        open.low.iter_mut().for_each(into);
        open.high.iter_mut().for_each(into);
        open.expression = behind(open.expression, Function::Clip(low, high));
        Ok(Value::Open(open))
    }

    /// A function of each number.
    fn function(
        &mut self,
        value: Value<'n>,
        function: &Expression,
        name: &str,
    ) -> Result<Value<'n>, String> {
        if let Value::Parts(parts, flat) = value {
            let parts = parts.into_iter();
            let made = parts.map(|part| self.function(part, function, name));
            return Ok(Value::Parts(made.collect::<Result<_, String>>()?, flat));
        }
        let mut open = self.opened_over(value, name, function.apply(0.0) == 0.0)?;
        open.check_order(false)?;
        let Some(inner) = open.expression.take() else {
            return Err(format!(
                "it is a function of what {} computes, which has more than one value for each of 256; {MISSING}",
                open.sum.name
            ));
        };
        if inner.size() + function.size() > MOST_FUNCTIONS {
            return Err(format!(
                "it and the functions in front of it have more than {MOST_FUNCTIONS} steps; {MISSING}"
            ));
        }
        open.expression = Some(function.after(&inner));
        open.is_line = false;
        Ok(Value::Open(open))
    }

    /// The numbers behind integers.
    fn dequantize(
        &mut self,
        value: Value<'n>,
        linear: &Linear,
        name: &str,
    ) -> Result<Value<'n>, String> {
        let wide: Vec<f64> = linear.scale.iter().copied().map(f64::from).collect();
        match value {
            Value::Image(image) => {
                let (low, high, recentred) = match linear.element {
                    Element::U8 => (0, 255, RECENTRED),
                    Element::I8 => (-128, 127, 0),
                    other => {
                        return Err(format!(
                            "the network's input are integers of {other}; allowed are bytes"
                        ));
                    }
                };
                let as_it_is = image.factor == [1.0] && image.offset == [0.0];
                let &[zero] = &linear.zero_point[..] else {
                    return Err("it has several zero points; allowed is one".to_owned());
                };
                let stored = i8::try_from(zero - recentred);
                let (true, Ok(zero)) = (as_it_is, stored) else {
                    return Err(
                        "it reads an image that is no integers any more; allowed are integers"
                            .to_owned(),
                    );
                };
                // The bytes of images themselves, which are stored less 128.
                self.remarks.push(format!(
                    "its input are integers from {low} to {high}: pixels less {}",
                    128 - recentred
                ));
                let bounds = (i8::MIN, i8::MAX);
                self.begin(First {
                    factor: vec![255.0],
                    offset: vec![(low - low.max(0)) as f64],
                    step: 1.0,
                    zero,
                    bounds,
                })?;
                Ok(Value::Stored(Stored {
                    tensor: 0,
                    grid: Grid {
                        scale: wide,
                        zero: i64::from(zero),
                    },
                    view: View {
                        flat: image.flat,
                        ..View::PLAIN
                    },
                }))
            }
            Value::Stored(mut stored) if stored.grid.scale == [1.0] => {
                let mut zeros = linear.zero_point.iter();
                let zero = zeros.next().copied().unwrap_or_default();
                if zeros.any(|&other| other != zero) {
                    return Err(
                        "its zero point differs from channel to channel; allowed in an integer model is one for all"
                            .to_owned(),
                    );
                }
                if wide.len() > 1 && stored.view.flat.is_some() {
                    return Err(
                        "it has a scale for each value of what was a map; allowed is one for all"
                            .to_owned(),
                    );
                }
                stored.grid = Grid {
                    scale: wide,
                    zero: stored.grid.zero.saturating_add(zero),
                };
                Ok(Value::Stored(stored))
            }
            other => {
                let zeros = linear.zero_point.iter().map(|&zero| zero as f64);
                let offset = zeros.cycle().zip(&wide).map(|(zero, scale)| -zero * scale);
                let offset = offset.collect();
                let scale = wide.clone();
                self.affine(other, &Affine { scale, offset }, name)
            }
        }
    }

    /// Remembers the first quantizer.
    pub fn begin(&mut self, first: First) -> Result<(), String> {
        match &self.first {
            Some(other) if *other != first => Err(
                "it quantizes the image in another way than an earlier node does; allowed is one quantizer of the image"
                    .to_owned(),
            ),
            _ => {
                self.first = Some(first);
                Ok(())
            }
        }
    }

    fn pool(&mut self, index: usize, pool: &Pool) -> Result<Value<'n>, String> {
        let layer = &self.network.layers[index];
        let extents = |tensor: TensorId| shape(self.network.tensors[tensor].shape);
        let (input, output) = (extents(layer.reads[0]), extents(layer.writes));
        let value = self.value(layer.reads[0])?;
        if value.flat().is_some() {
            return Err("it pools a vector that was a map; allowed are maps".to_owned());
        }
        let windowed = |of: &network::Window| {
            let window = join::window(of);
            join::single(join::reaching(window, input, output), input, output)
        };
        let operation = match pool {
            Pool::GlobalMax => Operation::MaxPool {
                window: Window::whole(input),
            },
            Pool::Max(of) => Operation::MaxPool {
                window: windowed(of),
            },
            Pool::GlobalAverage => Operation::GlobalAveragePool,
            Pool::Average(of, counts) => {
                let window = windowed(of);
                let counted = match counts {
                    true => join::window(of).padding,
                    false => Padding::NONE,
                };
                match window == Window::whole(input) {
                    true => Operation::GlobalAveragePool,
                    false => Operation::AveragePool { window, counted },
                }
            }
        };
        if let Operation::MaxPool { .. } = operation {
            return self.moved(value, &layer.name, operation, output);
        }
        let term = self.term(value)?;
        let term = self.plain(term, &layer.name)?;
        let divisors = match operation {
            Operation::AveragePool { window, counted } => Divisors::new(&window, input, counted)
                .map(|divisors| divisors.in_order())
                .ok_or_else(|| {
                    format!(
                        "the divisor of its window {window} over a map of {}x{} varies; allowed is one for all windows, or by the first, the last and all rows and columns in between",
                        input.height, input.width
                    )
                })?,
            _ => vec![input.pixels()],
        };
        if term.offset.iter().any(|&o| o != 0.0) {
            return Err("it averages what has a summand in front of it; allowed is a factor".to_owned());
        }
        let sets = divisors.iter().map(|&divisor| divisor as f64);
        let factor = sets.flat_map(|divisor| term.factor.iter().map(move |f| f / divisor));
        let factor = factor.collect();
        let sum = Sum {
            name: layer.name.clone(),
            operation,
            reads: vec![term.tensor],
            learned: None,
            front: 0,
            shape: output,
            copied: None,
            then: Vec::new(),
        };
        Ok(sum.waiting(factor, vec![0.0; output.channels]))
    }

    /// A layer that only moves values: at once, or behind the quantizer that is still to come,
    /// since no rounding changes an order.
    fn moved(
        &mut self,
        value: Value<'n>,
        name: &str,
        operation: Operation,
        shape: Shape,
    ) -> Result<Value<'n>, String> {
        if value.flat().is_some() {
            return Err("it reads a vector that was a map; allowed are maps".to_owned());
        }
        match value {
            Value::Open(mut open) => {
                if !open.view.is_plain() {
                    return Err(format!("it reads numbers that are padded or left out; {MISSING}"));
                }
                let name = name.to_owned();
                open.sum.then.push(Moved {
                    name,
                    operation,
                    shape,
                });
                Ok(Value::Open(open))
            }
            other => {
                let stored = self.committed(other)?;
                let tensor = self.moving(name, operation, vec![stored.tensor], shape)?;
                Ok(Value::Stored(Stored {
                    tensor,
                    grid: stored.grid,
                    view: View::PLAIN,
                }))
            }
        }
    }

    /// Channels of a value.
    pub fn channels(&self, value: &Value<'_>) -> usize {
        match value {
            Value::Image(_) => self.input.channels,
            Value::Stored(stored) => stored.view.viewed(self.shape(stored.tensor)).channels,
            Value::Open(open) => open.view.viewed(open.sum.shape).channels,
            Value::Parts(parts, _) => parts.iter().map(|part| self.channels(part)).sum(),
        }
    }
}

/// Most functions of a table.
const MOST_FUNCTIONS: usize = 256;

/// The function behind an expression, if there is one.
fn behind(of: Option<Arc<Expression>>, function: Function) -> Option<Arc<Expression>> {
    let of = of.filter(|of| of.size() < MOST_FUNCTIONS)?;
    Some(Arc::new(Expression::Of(function, of)))
}

/// One value for each channel.
pub(super) fn spread(values: &[f64], channels: usize) -> Result<Vec<f64>, String> {
    match values {
        [one] => Ok(vec![*one; channels]),
        all if all.len() == channels => Ok(all.to_vec()),
        all => Err(format!(
            "it has scales of {} channels beside {channels}; allowed is one for all or one for each",
            all.len()
        )),
    }
}

impl Open<'_> {
    /// Refuses what does not keep the zeros that the view has.
    fn check_zeros(&self, keeps: bool) -> Result<(), String> {
        match keeps || !self.view.has_zeros() {
            true => Ok(()),
            false => Err(
                "it makes other numbers of the zeros that were put around its tensor; allowed is it in front of them"
                    .to_owned(),
            ),
        }
    }

    /// Refuses what does not keep the order that a maximum behind the rounding needs.
    fn check_order(&self, keeps: bool) -> Result<(), String> {
        let maximum = |moved: &Moved| matches!(moved.operation, Operation::MaxPool { .. });
        match keeps || !self.sum.then.iter().any(maximum) {
            true => Ok(()),
            false => Err(format!(
                "it changes the order of what a maximum in front of it was taken of; {MISSING}"
            )),
        }
    }
}

impl<'n> Sum<'n> {
    /// The sum, as long as nothing else is known of it.
    pub fn waiting(self, factor: Vec<f64>, offset: Vec<f64>) -> Value<'n> {
        let channels = offset.len();
        Value::Open(Box::new(Open {
            sum: self,
            factor,
            operand: None,
            offset,
            low: vec![f64::NEG_INFINITY; channels],
            high: vec![f64::INFINITY; channels],
            expression: None,
            is_line: true,
            view: View::PLAIN,
        }))
    }
}
