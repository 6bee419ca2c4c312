//! Quantizers: what a layer makes of its sums, or of a table.

use super::building::{Building, MISSING};
use super::first::First;
use super::node::{Meaning, Node, WHOLE};
use super::target::Target;
use super::value::{Open, Stored, Value, View};
use crate::network::{Expression, Function, TensorId};
use brownout_golden::export::RealScale;
use brownout_spec::arithmetic::TABLE_ENTRIES;
use brownout_spec::program::Operation;
use std::sync::Arc;

impl<'n> Building<'n> {
    /// The integers that a quantizer makes, which are the file's tensor `said`.
    pub fn quantize(
        &mut self,
        value: Value<'n>,
        target: &Target,
        said: TensorId,
    ) -> Result<Value<'n>, String> {
        let made = match value {
            Value::Image(image) => {
                let &[step] = &target.steps[..] else {
                    return Err(
                        "it quantizes the image with several steps; allowed is one".to_owned()
                    );
                };
                if target.is_sign || target.rounding != 0.5 {
                    return Err(
                        "it quantizes the image by other than the nearest integer; allowed in an integer model are QuantizeLinear and Quant that round to it"
                            .to_owned(),
                    );
                }
                self.begin(First {
                    factor: image.factor,
                    offset: image.offset,
                    step,
                    zero: target.zero,
                    bounds: (
                        target.stored(image.ends.0, 0),
                        target.stored(image.ends.1, 0),
                    ),
                })?;
                Stored {
                    tensor: 0,
                    grid: target.meaning.clone(),
                    view: View {
                        flat: image.flat,
                        ..View::PLAIN
                    },
                }
            }
            Value::Parts(parts, flat) => {
                let mut from = 0;
                let mut made = Vec::with_capacity(parts.len());
                for part in parts {
                    let channels = self.channels(&part);
                    let target = target.part(from, channels);
                    from += channels;
                    let open = self.opened(part, &self.network.tensors[said].name)?;
                    made.push(Value::Stored(self.close(open, &target)?));
                }
                self.committed(Value::Parts(made, flat))?
            }
            other => {
                let other = self.aligned(other, target.steps.len())?;
                let open = self.opened(other, &self.network.tensors[said].name)?;
                self.close(open, target)?
            }
        };
        if stored_as(&made)
            && let Some(node) = made.tensor.checked_sub(1)
        {
            self.nodes[node]
                .said
                .get_or_insert((said, target.recentred));
        }
        Ok(Value::Stored(made))
    }

    /// The integers of what waits for a quantizer.
    fn close(&mut self, open: Box<Open<'n>>, target: &Target) -> Result<Stored, String> {
        if target.steps.len() > 1 && open.view.flat.is_some() {
            return Err(
                "it has a scale for each value of what was a map; allowed is one for all"
                    .to_owned(),
            );
        }
        let grid = target.meaning.clone();
        let view = open.view;
        if let Some(tensor) = self.unchanged(&open, target) {
            return Ok(Stored { tensor, grid, view });
        }
        let node = match (target.is_sign, open.is_line, &open.expression) {
            (true, true, _) => self.sign(&open, target)?,
            (false, true, _) => self.rounded(&open, target)?,
            (_, false, Some(_)) => self.tabled(&open, target)?,
            (_, false, None) => {
                return Err(format!(
                    "what {} computes has a function behind it, which is none of 256 values; {MISSING}",
                    open.sum.name
                ));
            }
        };
        let then = open.sum.then.clone();
        let node = Node {
            open: (open.is_line && !target.is_sign && then.is_empty()).then_some(open),
            ..node
        };
        let mut tensor = self.push(node)?;
        for moved in then {
            tensor = self.moving(&moved.name, moved.operation, vec![tensor], moved.shape)?;
        }
        Ok(Stored { tensor, grid, view })
    }

    /// The tensor that a copy copies, where nothing is done to its integers.
    fn unchanged(&self, open: &Open<'_>, target: &Target) -> Option<usize> {
        let copy = open.sum.copied.is_some() && open.is_line && open.sum.then.is_empty();
        let &[tensor] = &open.sum.reads[..] else {
            return None;
        };
        let channels = open.offset.len();
        let same = (0..channels).all(|channel| {
            open.factor[channel] == target.step(channel) && open.offset[channel] == 0.0
        });
        let zero = self.zero(tensor);
        let (low, high) = self.bounds(tensor);
        let inside = (0..channels).all(|channel| {
            let steps = |end: i8| (i16::from(end) - i16::from(zero)) as f64;
            let factor = open.factor[channel];
            open.low[channel] <= steps(low) * factor && open.high[channel] >= steps(high) * factor
        });
        let fits = target.bounds.0 <= low && target.bounds.1 >= high && !target.is_sign;
        (copy && same && inside && fits && zero == target.zero).then_some(tensor)
    }

    /// Smallest and largest integer of a tensor.
    pub fn bounds(&self, tensor: usize) -> (i8, i8) {
        match tensor {
            0 => self.first.as_ref().map_or(WHOLE, |first| first.bounds),
            k => {
                let node = &self.nodes[k - 1];
                let moves = matches!(
                    node.operation,
                    Operation::MaxPool { .. } | Operation::Resize { .. }
                );
                match (moves, &node.table) {
                    (true, _) => self.bounds(node.reads[0]),
                    _ if matches!(node.operation, Operation::Pad { .. }) => {
                        let (low, high) = self.bounds(node.reads[0]);
                        (low.min(node.zero), high.max(node.zero))
                    }
                    (_, Some(table)) => {
                        let ends = (table.iter().min(), table.iter().max());
                        (
                            ends.0.map_or(i8::MIN, |e| *e),
                            ends.1.map_or(i8::MAX, |e| *e),
                        )
                    }
                    _ => node.bounds,
                }
            }
        }
    }

    fn node(
        &self,
        open: &Open<'n>,
        target: &Target,
        real: RealScale,
        bounds: (i8, i8),
    ) -> Node<'n> {
        Node {
            name: open.sum.name.clone(),
            operation: open.sum.operation,
            reads: open.sum.reads.clone(),
            learned: open.sum.learned,
            front: open.sum.front,
            shape: open.sum.shape,
            real,
            zero: target.zero,
            bounds,
            table: None,
            said: None,
            open: None,
            meaning: Meaning {
                range: target.bounds,
                ends: open.ends(),
                norm: open.norm.clone(),
                is_sign: target.is_sign,
                ..Meaning::of(target.uniform_step())
            },
        }
    }

    /// Sums in the quantizer's steps, rounded, between bounds that all channels share.
    fn rounded(&self, open: &Open<'n>, target: &Target) -> Result<Node<'n>, String> {
        let channels = open.offset.len();
        let operand = match (open.operand, target.steps.as_slice()) {
            (None, _) => None,
            (Some(operand), [step]) => Some(operand / step),
            (Some(_), _) => {
                return Err(
                    "it has a step for each channel behind a sum of two tensors; allowed is one for all"
                        .to_owned(),
                );
            }
        };
        let factors = open.factor.iter().enumerate();
        let multipliers = factors.map(|(at, factor)| factor / target.step(at % channels));
        let (zero, rounding) = (f64::from(target.zero), target.rounding - 0.5);
        let constant =
            |channel: usize| open.offset[channel] / target.step(channel) + zero + rounding;
        let sets = open.factor.len() / channels.max(1);
        let constants = (0..sets * channels).map(|at| constant(at % channels));
        let ends = |channel: usize| {
            let end = |value: f64, otherwise: i8| match value.is_finite() {
                true => target.stored(value, channel),
                false => otherwise,
            };
            let (low, high) = target.bounds;
            (end(open.low[channel], low), end(open.high[channel], high))
        };
        let bounds = ends(0);
        if let Some(channel) = (1..channels).find(|&channel| ends(channel) != bounds) {
            return Err(format!(
                "it clips channel {channel} to other integers ({:?}) than channel 0 ({bounds:?}); allowed is one range for all",
                ends(channel)
            ));
        }
        let real = RealScale {
            multipliers: multipliers.collect(),
            constants: constants.collect(),
            residual: operand,
        };
        Ok(self.node(open, target, real, bounds))
    }

    /// Whether sums are at least 0: twice what they are beyond the smallest integer of which that
    /// is so, and one, between −1 and 1.
    fn sign(&self, open: &Open<'n>, target: &Target) -> Result<Node<'n>, String> {
        if open.operand.is_some() {
            return Err(
                "it keeps the sign of a sum of two tensors; allowed is one tensor".to_owned(),
            );
        }
        let channels = open.offset.len();
        let line = |at: usize| {
            let (factor, offset) = (open.factor[at], open.offset[at % channels]);
            let (low, high) = (open.low[at % channels], open.high[at % channels]);
            let constant = |positive: bool| (0.0, if positive { 1.0 } else { -1.0 });
            if low >= 0.0 || high < 0.0 || factor == 0.0 {
                return constant(offset.max(low).min(high) >= 0.0);
            }
            let border = -offset / factor;
            match factor > 0.0 {
                true => (2.0, 1.0 - 2.0 * border.ceil()),
                false => (-2.0, 1.0 + 2.0 * border.floor()),
            }
        };
        let lines = (0..open.factor.len()).map(line);
        let (multipliers, constants) = lines.unzip();
        let real = RealScale {
            multipliers,
            constants,
            residual: None,
        };
        Ok(self.node(open, target, real, (-1, 1)))
    }

    /// A function of a tensor of 8 bits as its 256 values.
    fn tabled(&self, open: &Open<'n>, target: &Target) -> Result<Node<'n>, String> {
        let (Some(grid), Some(expression)) = (&open.sum.copied, &open.expression) else {
            return Err(MISSING.to_owned());
        };
        let (&[scale], 1) = (&grid.scale[..], target.steps.len()) else {
            return Err(
                "it is a function of a tensor with a scale for each channel; allowed in front of and behind a table is one for all"
                    .to_owned(),
            );
        };
        let table: [i8; TABLE_ENTRIES] = std::array::from_fn(|entry| {
            let steps = entry as i64 - 128 - grid.zero;
            let x = steps as f32 * scale as f32;
            target.stored(f64::from(expression.apply(x)), 0)
        });
        let channels = open.offset.len();
        // The table is read at the integer itself.
        let own = f64::from(self.zero(open.sum.reads[0]));
        let real = RealScale {
            multipliers: vec![1.0; channels],
            constants: vec![own; channels],
            residual: None,
        };
        let mut node = self.node(open, target, real, WHOLE);
        // Of the source's steps less its zero point, whatever the file sees in its integers.
        let source = open.sum.reads[0];
        if let Some(step) = self.step(source) {
            let summand = (i64::from(self.zero(source)) - grid.zero) as f64 * scale;
            let line = Expression::of(Function::Affine(scale / step, summand));
            node.meaning.function = Some(match (scale == step, summand == 0.0) {
                (true, true) => Arc::clone(expression),
                _ => expression.after(&Arc::new(line)),
            });
        }
        Ok(Node {
            operation: Operation::Pointwise,
            table: Some(table),
            ..node
        })
    }
}

impl Open<'_> {
    /// What the first channel is clipped to: the others' integers are clipped alike, where they are
    /// rounded between the same bounds.
    fn ends(&self) -> (f64, f64) {
        let first = |ends: &[f64], none: f64| ends.first().copied().unwrap_or(none);
        (
            first(&self.low, f64::NEG_INFINITY),
            first(&self.high, f64::INFINITY),
        )
    }
}

/// Whether the file's tensor is the integer network's, and no view of it.
fn stored_as(stored: &Stored) -> bool {
    stored.view.is_plain()
}
