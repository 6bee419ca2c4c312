//! Functions of one variable, which pointwise layers apply to each value.
//!
//! A function is a list of steps, each of which reads earlier ones, so that there is nothing to
//! recurse into. Values and derivatives come from the same steps (forward differentiation: each
//! step carries its derivative with respect to the variable), in single precision for blocks of
//! values in training, and in double precision for the tables that hardware reads.
//!
//! `named` holds the usual functions as steps, and `real` the arithmetic of both precisions.

mod named;
mod real;

use super::Bounds;
use real::Real;
use serde::{Deserialize, Serialize};

/// Most steps of a function.
pub const MAX_STEPS: usize = 64;
/// Values that are computed together.
const BLOCK: usize = 64;

/// One step; its operands are numbered as a network's tensors: 0 is the variable x, *k* the result
/// of step *k* − 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Step {
    /// A finite number.
    Constant(f64),
    /// The sum of two.
    Add(usize, usize),
    /// The first less the second.
    Subtract(usize, usize),
    /// The product of two.
    Multiply(usize, usize),
    /// The first over the second.
    Divide(usize, usize),
    /// Clipped; of its ends only the upper one passes a derivative, so that at 0 the two halves
    /// of a LeakyReLU together have the slope of its lower half.
    Clip(usize, Bounds),
    /// The magnitude; its derivative at 0 is 0.
    Magnitude(usize),
    /// The square root.
    Root(usize),
    /// e to the power.
    Exponential(usize),
    /// The natural logarithm.
    Logarithm(usize),
    /// 1 / (1 + e⁻ˣ).
    Sigmoid(usize),
    /// ln(1 + eˣ).
    Softplus(usize),
    /// The hyperbolic tangent.
    Tanh(usize),
    /// The error function.
    Erf(usize),
}

/// A function of one variable: the result of its last step, or without steps the variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Step>", into = "Vec<Step>")]
pub struct Function {
    steps: Vec<Step>,
}

/// Its constants are finite.
impl Eq for Function {}

impl Step {
    fn operands(self) -> impl Iterator<Item = usize> {
        let (first, second) = match self {
            Self::Constant(_) => (None, None),
            Self::Add(a, b) | Self::Subtract(a, b) | Self::Multiply(a, b) | Self::Divide(a, b) => {
                (Some(a), Some(b))
            }
            Self::Clip(a, _)
            | Self::Magnitude(a)
            | Self::Root(a)
            | Self::Exponential(a)
            | Self::Logarithm(a)
            | Self::Sigmoid(a)
            | Self::Softplus(a)
            | Self::Tanh(a)
            | Self::Erf(a) => (Some(a), None),
        };
        first.into_iter().chain(second)
    }

    /// The same step with other operands.
    #[must_use]
    pub fn renumbered(self, number: impl Fn(usize) -> usize) -> Self {
        match self {
            Self::Constant(c) => Self::Constant(c),
            Self::Add(a, b) => Self::Add(number(a), number(b)),
            Self::Subtract(a, b) => Self::Subtract(number(a), number(b)),
            Self::Multiply(a, b) => Self::Multiply(number(a), number(b)),
            Self::Divide(a, b) => Self::Divide(number(a), number(b)),
            Self::Clip(a, bounds) => Self::Clip(number(a), bounds),
            Self::Magnitude(a) => Self::Magnitude(number(a)),
            Self::Root(a) => Self::Root(number(a)),
            Self::Exponential(a) => Self::Exponential(number(a)),
            Self::Logarithm(a) => Self::Logarithm(number(a)),
            Self::Sigmoid(a) => Self::Sigmoid(number(a)),
            Self::Softplus(a) => Self::Softplus(number(a)),
            Self::Tanh(a) => Self::Tanh(number(a)),
            Self::Erf(a) => Self::Erf(number(a)),
        }
    }
}

impl Function {
    /// A function of these steps.
    ///
    /// # Errors
    /// A sentence when there are too many, one reads a later one, or a constant is not finite.
    pub fn new(steps: Vec<Step>) -> Result<Self, String> {
        if steps.len() > MAX_STEPS {
            let found = steps.len();
            return Err(format!(
                "a function has {found} steps; allowed are at most {MAX_STEPS}"
            ));
        }
        for (index, step) in steps.iter().enumerate() {
            if let Some(operand) = step.operands().find(|&operand| operand > index) {
                return Err(format!(
                    "step {index} of a function reads {operand}; allowed is 0 to {index} (0 is the variable, k the result of step k - 1)"
                ));
            }
            if let Step::Constant(constant) = step
                && !(*constant as f32).is_finite()
            {
                return Err(format!(
                    "step {index} of a function is the constant {constant}; allowed are finite numbers of 32 bits"
                ));
            }
        }
        Ok(Self { steps })
    }

    /// Its steps.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The function of its result.
    ///
    /// # Errors
    /// A sentence when both have too many steps together.
    pub fn then(&self, next: &Self) -> Result<Self, String> {
        let before = self.steps.len();
        let number = |operand: usize| operand + before;
        let next = next.steps.iter().map(|step| step.renumbered(number));
        Self::new(self.steps.iter().copied().chain(next).collect())
    }

    /// Its value in double precision.
    pub fn value(&self, x: f64) -> f64 {
        self.at(x).0
    }

    /// Its derivative in double precision.
    pub fn derivative(&self, x: f64) -> f64 {
        self.at(x).1
    }

    fn at(&self, x: f64) -> (f64, f64) {
        let mut registers = Registers::<f64, 1>::new(self);
        registers.run(self, &[x], true);
        let last = self.steps.len();
        (registers.values[last][0], registers.slopes[last][0])
    }

    /// Its value for each of `x`.
    pub(super) fn apply(&self, x: &[f32], y: &mut [f32]) {
        let mut registers = Registers::<f32, BLOCK>::new(self);
        for (x, y) in x.chunks(BLOCK).zip(y.chunks_mut(BLOCK)) {
            registers.run(self, x, false);
            y.copy_from_slice(&registers.values[self.steps.len()][..y.len()]);
        }
    }

    /// Adds to `dx` the gradients `dy` of its values for `x`, taken back through it.
    pub(super) fn take_back(&self, x: &[f32], dy: &[f32], dx: &mut [f32]) {
        let mut registers = Registers::<f32, BLOCK>::new(self);
        let blocks = x.chunks(BLOCK).zip(dy.chunks(BLOCK));
        for ((x, dy), dx) in blocks.zip(dx.chunks_mut(BLOCK)) {
            registers.run(self, x, true);
            let slopes = &registers.slopes[self.steps.len()];
            for ((dx, dy), slope) in dx.iter_mut().zip(dy).zip(slopes) {
                *dx += dy * slope;
            }
        }
    }
}

impl TryFrom<Vec<Step>> for Function {
    type Error = String;

    fn try_from(steps: Vec<Step>) -> Result<Self, String> {
        Self::new(steps)
    }
}

impl From<Function> for Vec<Step> {
    fn from(function: Function) -> Self {
        function.steps
    }
}

/// Values and derivatives of the variable and of each step, for a block of values.
struct Registers<T, const N: usize> {
    values: Vec<[T; N]>,
    slopes: Vec<[T; N]>,
}

impl<T: Real, const N: usize> Registers<T, N> {
    fn new(function: &Function) -> Self {
        let count = function.steps.len() + 1;
        Self {
            values: vec![[T::of(0.0); N]; count],
            slopes: vec![[T::of(1.0); N]; count],
        }
    }

    /// Runs all steps for some values, at most a block.
    fn run(&mut self, function: &Function, x: &[T], differentiate: bool) {
        self.values[0][..x.len()].copy_from_slice(x);
        for (index, &step) in function.steps.iter().enumerate() {
            let (before, after) = self.values.split_at_mut(index + 1);
            real::values(step, before, &mut after[0]);
            if differentiate {
                let values = (&before[..], &after[0]);
                let (before, after) = self.slopes.split_at_mut(index + 1);
                real::slopes(step, values, before, &mut after[0]);
            }
        }
    }
}

#[cfg(test)]
mod tests;
