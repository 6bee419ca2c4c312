//! Pools, and layers that only move values.

use super::building::{Building, MISSING};
use super::value::{Moved, Stored, Sum, Value, View};
use crate::lower::join;
use crate::lower::shape;
use crate::network::{self, Pool, TensorId};
use brownout_spec::program::{Divisors, Operation, Padding, Shape, Window};

impl<'n> Building<'n> {
    pub fn pool(&mut self, index: usize, pool: &Pool) -> Result<Value<'n>, String> {
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
            return Err(
                "it averages what has a summand in front of it; allowed is a factor".to_owned(),
            );
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
        let offset = vec![0.0; term.factor.len()];
        Ok(sum.waiting(factor, offset))
    }

    /// A layer that only moves values: at once, or behind the quantizer that is still to come,
    /// since no rounding changes an order.
    pub fn moved(
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
                    return Err(format!(
                        "it reads numbers that are padded or left out; {MISSING}"
                    ));
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
}
