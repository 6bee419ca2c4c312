//! Expressions of one number as the steps of a function that can be trained through.

use crate::network::{Binary, Expression, Function as Of};
use brownout_golden::network::{Bounds, Function, Step};

/// Largest whole exponent that becomes products.
const MOST_PRODUCTS: f32 = 8.0;

/// The function of an expression.
///
/// # Errors
/// A sentence when it has no gradient, or too many steps.
pub(crate) fn function(expression: &Expression) -> Result<Function, String> {
    let mut steps = Steps::default();
    steps.expression(expression)?;
    Function::new(steps.0)
}

/// Steps so far; a place is 0 for the variable and else one more than a step's number.
#[derive(Default)]
struct Steps(Vec<Step>);

impl Steps {
    fn push(&mut self, step: Step) -> usize {
        self.0.push(step);
        self.0.len()
    }

    fn constant(&mut self, value: f64) -> usize {
        self.push(Step::Constant(value))
    }

    /// The place of an expression's value, which is the last step's.
    fn expression(&mut self, expression: &Expression) -> Result<usize, String> {
        match expression {
            Expression::X => Ok(0),
            Expression::Of(function, inner) => {
                let x = self.expression(inner)?;
                self.function(function, x)
            }
            Expression::Join(binary, a, b) => {
                let (a, b) = (self.expression(a)?, self.expression(b)?);
                self.join(*binary, a, b)
            }
        }
    }

    fn join(&mut self, binary: Binary, a: usize, b: usize) -> Result<usize, String> {
        Ok(match binary {
            Binary::Add => self.push(Step::Add(a, b)),
            Binary::Subtract => self.push(Step::Subtract(a, b)),
            Binary::Multiply => self.push(Step::Multiply(a, b)),
            Binary::Divide => self.push(Step::Divide(a, b)),
            // Of a + max(b - a, 0) each half has the gradient of the one that is chosen.
            Binary::Max => {
                let difference = self.push(Step::Subtract(b, a));
                let more = self.push(Step::Clip(difference, Bounds::RELU));
                self.push(Step::Add(a, more))
            }
            Binary::Min => {
                let difference = self.push(Step::Subtract(b, a));
                let less = self.push(Step::Clip(difference, Bounds::NOT_POSITIVE));
                self.push(Step::Add(a, less))
            }
        })
    }

    /// The steps of a function of the value at `x`.
    fn inlined(&mut self, function: &Function, x: usize) -> usize {
        let before = self.0.len();
        let place = |operand: usize| match operand {
            0 => x,
            step => before + step,
        };
        let steps = function.steps().iter().map(|step| step.renumbered(place));
        self.0.extend(steps);
        self.0.len()
    }

    fn function(&mut self, function: &Of, x: usize) -> Result<usize, String> {
        let named = match *function {
            Of::LeakyRelu(slope) => Function::leaky_relu(f64::from(slope))?,
            Of::HardSigmoid(alpha, beta) => {
                Function::hard_sigmoid(f64::from(alpha), f64::from(beta))?
            }
            Of::HardSwish => Function::hard_swish(),
            Of::Sigmoid => Function::sigmoid(),
            Of::Silu => Function::silu(),
            Of::Tanh => Function::tanh(),
            Of::Gelu => Function::gelu(),
            Of::GeluTanh => Function::gelu_tanh(),
            Of::Elu(alpha) => Function::elu(f64::from(alpha))?,
            Of::Softplus => Function::softplus(),
            Of::Mish => Function::mish(),
            _ => return self.step(function, x),
        };
        Ok(self.inlined(&named, x))
    }

    /// A function that has no name of its own there.
    fn step(&mut self, function: &Of, x: usize) -> Result<usize, String> {
        Ok(match *function {
            Of::Clip(low, high) => self.push(Step::Clip(x, Bounds::new(low, high)?)),
            Of::Affine(scale, offset) => {
                let scale = self.constant(scale);
                let scaled = self.push(Step::Multiply(x, scale));
                let offset = self.constant(offset);
                self.push(Step::Add(scaled, offset))
            }
            Of::Erf => self.push(Step::Erf(x)),
            Of::Exp => self.push(Step::Exponential(x)),
            Of::Log => self.push(Step::Logarithm(x)),
            Of::Sqrt => self.push(Step::Root(x)),
            Of::Abs => self.push(Step::Magnitude(x)),
            Of::Reciprocal => {
                let one = self.constant(1.0);
                self.push(Step::Divide(one, x))
            }
            Of::Softsign => {
                let one = self.constant(1.0);
                let magnitude = self.push(Step::Magnitude(x));
                let sum = self.push(Step::Add(one, magnitude));
                self.push(Step::Divide(x, sum))
            }
            Of::Selu(alpha, gamma) => {
                let elu = Function::elu(f64::from(alpha))?;
                let elu = self.inlined(&elu, x);
                let gamma = self.constant(f64::from(gamma));
                self.push(Step::Multiply(elu, gamma))
            }
            Of::Power(exponent) => self.power(exponent, x)?,
            ref other => {
                return Err(format!(
                    "{other} is rounding inside a function; allowed are functions with a gradient"
                ));
            }
        })
    }

    fn power(&mut self, exponent: f32, x: usize) -> Result<usize, String> {
        if exponent == 0.5 {
            return Ok(self.push(Step::Root(x)));
        }
        if exponent.fract() != 0.0 || !(1.0..=MOST_PRODUCTS).contains(&exponent) {
            return Err(format!(
                "its exponent is {exponent}; allowed are 0.5 and whole numbers from 1 to {MOST_PRODUCTS}"
            ));
        }
        let mut power = x;
        for _ in 1..exponent as usize {
            power = self.push(Step::Multiply(power, x));
        }
        // A step of its own, so that the last step is the result.
        let one = self.constant(1.0);
        Ok(self.push(Step::Multiply(power, one)))
    }
}
