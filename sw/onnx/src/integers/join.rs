//! Sums of two tensors, and channels side by side.

use super::building::{Building, MISSING};
use super::value::{Grid, Stored, Sum, Value, View};
use crate::network::{Expression, Function};
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::program::{Operation, Padding, Residual};

/// Most tensors side by side.
const MOST_PARTS: usize = 256;

impl<'n> Building<'n> {
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
            if parts.len() > MOST_PARTS {
                return Err(format!(
                    "it joins more than {MOST_PARTS} tensors, with those that they are joined of; allowed are fewer"
                ));
            }
        }
        Ok(Value::Parts(parts, None))
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
        let there = term.view.viewed(self.shape(term.tensor));
        if there != open.sum.shape {
            return Err(format!(
                "it adds {there} to {}; allowed are two of one shape",
                open.sum.shape
            ));
        }
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
            let grid = Grid {
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
            let line = Function::Affine(open.factor[0], open.offset[0]);
            open.expression = uniform.then(|| Expression::of(line).into());
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
