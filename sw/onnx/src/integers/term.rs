//! Tensors as layers read them: without what is only looked at in another way.

use super::building::{Building, MISSING, spread};
use super::value::{Open, Stored, Value, View};
use brownout_spec::program::{Operation, Padding, Steps, Window};

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
    pub fn uniform(&self) -> Option<f64> {
        let first = *self.factor.first()?;
        self.factor.iter().all(|f| *f == first).then_some(first)
    }

    pub fn has_offset(&self) -> bool {
        self.offset.iter().any(|&offset| offset != 0.0)
    }
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
                let uniform = grids
                    .clone()
                    .all(|grid| grid.scale.len() == 1 && *grid == stored[0].grid);
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
}
