//! What makes one number of each: factors, clips, functions, and numbers of integers.

use super::building::{Building, MISSING};
use super::value::{Grid, Image, Moved, Normed, Open, Stored, Value};
use crate::lower::scale;
use crate::network::{Affine, BatchNorm, Expression, Function};
use crate::quantization::{Linear, of_channel};
use brownout_spec::program::Operation;
use std::sync::Arc;

/// Most functions of a table.
const MOST_FUNCTIONS: usize = 256;

impl<'n> Building<'n> {
    /// A copy of a tensor that waits for its quantizer, for something that `keeps` zeros as they are, or else reads those around a tensor.
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

    /// A value of which so many numbers find their channels: behind channels of zeros those of the
    /// tensor have other places.
    pub fn aligned(&mut self, value: Value<'n>, each: usize) -> Result<Value<'n>, String> {
        match value {
            Value::Stored(stored) if each > 1 && stored.view.zeros != [0; 2] => {
                Ok(Value::Stored(self.committed(Value::Stored(stored))?))
            }
            Value::Open(open) if each > 1 && open.view.zeros != [0; 2] => Err(format!(
                "it has a number for each channel behind channels of zeros that {} does not compute; {MISSING}",
                open.sum.name
            )),
            other => Ok(other),
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
        match self.aligned(value, each)? {
            Value::Image(mut image) => {
                let count = each.max(image.factor.len());
                let channels = 0..count;
                let pairs = channels.map(|c| {
                    let scale = of(&affine.scale, c);
                    let offset = of(&image.offset, c) * scale + of(&affine.offset, c);
                    (of(&image.factor, c) * scale, offset)
                });
                (image.factor, image.offset) = pairs.unzip();
                image.check_ends(&affine.scale, &affine.offset)?;
                let (scale, offset) = (affine.scale[0], affine.offset[0]);
                image.ends = ends_behind(image.ends, scale, offset);
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
                    (open.low[channel], open.high[channel]) = ends_behind(ends, scale, offset);
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

    /// A norm as factors and summands; of sums of products that nothing else has been done to it is
    /// remembered that they are one.
    pub fn norm(
        &mut self,
        value: Value<'n>,
        norm: &BatchNorm,
        name: &str,
    ) -> Result<Value<'n>, String> {
        let before = match &value {
            Value::Open(open) if open.is_bare() => Some((open.factor.clone(), open.offset.clone())),
            _ => None,
        };
        let mut made = self.affine(value, &scale::folded(norm), name)?;
        if let (Value::Open(open), Some((factor, offset))) = (&mut made, before) {
            let channels = offset.len();
            let each = |values: &[f32]| {
                let of = |channel| f64::from(of_channel(values, channel));
                (0..channels).map(of).collect()
            };
            open.norm = Some(Arc::new(Normed {
                factor,
                offset,
                mean: each(&norm.mean),
                variance: each(&norm.variance),
                epsilon: norm.epsilon,
            }));
        }
        Ok(made)
    }

    /// A clip, which narrows the range that there is.
    pub fn clip(
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
        if let Value::Stored(stored) = &value
            && self.lies_within(stored, (low, high))
        {
            return Ok(value);
        }
        if let Value::Image(mut image) = value {
            // Its quantizer has the ends that these are rounded to.
            let into = |end: f64| end.max(f64::from(low)).min(f64::from(high));
            image.ends = (into(image.ends.0), into(image.ends.1));
            return Ok(Value::Image(image));
        }
        let mut open = self.opened_over(value, name, (low..=high).contains(&0.0))?;
        let into = |end: &mut f64| *end = end.max(f64::from(low)).min(f64::from(high));
        open.low.iter_mut().for_each(into);
        open.high.iter_mut().for_each(into);
        open.expression = behind(open.expression, Function::Clip(low, high));
        Ok(Value::Open(open))
    }

    /// Whether all that stored integers can stand for is between two ends.
    fn lies_within(&self, stored: &Stored, (low, high): (f32, f32)) -> bool {
        let (first, last) = self.bounds(stored.tensor);
        let zeros = stored.view.has_zeros().then_some(0.0);
        let ends = [first, last].map(|end| (i64::from(end) - stored.grid.zero) as f64);
        let scales = stored.grid.scale.iter();
        let mut values = scales
            .flat_map(|scale| ends.map(|end| end * scale))
            .chain(zeros);
        values.all(|value| (f64::from(low)..=f64::from(high)).contains(&value))
    }

    /// A function of each number.
    pub fn function(
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
    pub fn dequantize(
        &mut self,
        value: Value<'n>,
        linear: &Linear,
        name: &str,
    ) -> Result<Value<'n>, String> {
        let wide: Vec<f64> = linear.scale.iter().copied().map(f64::from).collect();
        match value {
            Value::Image(image) => self.taken(image, linear, wide),
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
}

/// The function behind an expression, if there is one.
fn behind(of: Option<Arc<Expression>>, function: Function) -> Option<Arc<Expression>> {
    let of = of.filter(|of| of.size() < MOST_FUNCTIONS)?;
    Some(Arc::new(Expression::Of(function, of)))
}

/// Where ends lie behind a factor and a summand.
fn ends_behind((low, high): (f64, f64), scale: f64, offset: f64) -> (f64, f64) {
    match scale {
        0.0 => (f64::NEG_INFINITY, f64::INFINITY),
        s if s > 0.0 => (low * s + offset, high * s + offset),
        s => (high * s + offset, low * s + offset),
    }
}

impl Image {
    /// Whether nothing cuts it off.
    pub fn is_unclipped(&self) -> bool {
        self.ends == (f64::NEG_INFINITY, f64::INFINITY)
    }

    /// Refuses factors and summands of channels behind a clip, whose ends would differ.
    fn check_ends(&self, scale: &[f64], offset: &[f64]) -> Result<(), String> {
        let same = |values: &[f64]| values.iter().all(|value| *value == values[0]);
        match self.is_unclipped() || (same(scale) && same(offset)) {
            true => Ok(()),
            false => Err(
                "it has a factor or a summand for each channel behind a clip of the image; allowed is one for all there"
                    .to_owned(),
            ),
        }
    }
}

impl Open<'_> {
    /// Whether these are sums of products that nothing has been done to.
    fn is_bare(&self) -> bool {
        let unclipped = self.low.iter().all(|&low| low == f64::NEG_INFINITY)
            && self.high.iter().all(|&high| high == f64::INFINITY);
        self.sum.learned.is_some()
            && self.is_line
            && unclipped
            && self.norm.is_none()
            && self.operand.is_none()
            && self.sum.then.is_empty()
    }

    /// Refuses what does not keep the zeros that the view has.
    pub fn check_zeros(&self, keeps: bool) -> Result<(), String> {
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
