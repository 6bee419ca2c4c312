//! Functions of one number, and expressions of them.
//!
//! An activation that a file spells out in several nodes, such as x * Sigmoid(x), is one
//! expression of its input.

use crate::quantization::{Bipolar, IntQuant, Linear, Trunc};
use std::fmt;
use std::sync::Arc;

/// A function of one number; formulas as in ONNX's operators of the same name.
#[derive(Clone, Debug, PartialEq)]
pub enum Function {
    /// min(max(x, low), high).
    Clip(f32, f32),
    /// scale · x + offset.
    Affine(f64, f64),
    /// x from zero on, slope · x below.
    LeakyRelu(f32),
    /// min(max(alpha · x + beta, 0), 1).
    HardSigmoid(f32, f32),
    /// x · min(max(x / 6 + 1/2, 0), 1).
    HardSwish,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// x / (1 + e^-x).
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// x · Φ(x) with the normal distribution's Φ.
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// The error function.
    Erf,
    /// e^x.
    Exp,
    /// Natural logarithm.
    Log,
    /// Square root.
    Sqrt,
    /// 1 / x.
    Reciprocal,
    /// |x|.
    Abs,
    /// x from zero on, alpha · (e^x - 1) below.
    Elu(f32),
    /// gamma · (x from zero on, alpha · (e^x - 1) below).
    Selu(f32, f32),
    /// ln(1 + e^x).
    Softplus,
    /// x / (1 + |x|).
    Softsign,
    /// x · tanh(ln(1 + e^x)).
    Mish,
    /// x to a power.
    Power(f32),
    /// `QuantizeLinear` with one scale.
    Quantize(Arc<Linear>),
    /// `DequantizeLinear` with one scale.
    Dequantize(Arc<Linear>),
    /// `Quant` with one scale.
    IntQuant(Arc<IntQuant>),
    /// `BipolarQuant` with one scale.
    Bipolar(Arc<Bipolar>),
    /// `Trunc` with one scale.
    Trunc(Arc<Trunc>),
}

/// What joins two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// a + b.
    Add,
    /// a - b.
    Subtract,
    /// a · b.
    Multiply,
    /// a / b.
    Divide,
    /// The smaller.
    Min,
    /// The larger.
    Max,
}

/// A function of one number x, put together.
#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    /// x.
    X,
    /// A function of an expression.
    Of(Function, Arc<Expression>),
    /// Two expressions, joined.
    Join(Binary, Arc<Expression>, Arc<Expression>),
}

impl Function {
    /// Its value, in single precision as the file's runtime would have it.
    pub fn apply(&self, x: f32) -> f32 {
        let wide = f64::from(x);
        let value = match *self {
            Self::Clip(low, high) => return x.max(low).min(high),
            Self::Affine(scale, offset) => scale * wide + offset,
            Self::LeakyRelu(slope) => return if x >= 0.0 { x } else { slope * x },
            Self::HardSigmoid(alpha, beta) => return (alpha * x + beta).clamp(0.0, 1.0),
            Self::HardSwish => wide * (wide / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Sigmoid => sigmoid(wide),
            Self::Silu => wide * sigmoid(wide),
            Self::Tanh => wide.tanh(),
            Self::Gelu => 0.5 * wide * (1.0 + erf(wide * std::f64::consts::FRAC_1_SQRT_2)),
            Self::GeluTanh => {
                let inner = (2.0 / std::f64::consts::PI).sqrt() * (wide + 0.044_715 * wide.powi(3));
                0.5 * wide * (1.0 + inner.tanh())
            }
            Self::Erf => erf(wide),
            Self::Exp => wide.exp(),
            Self::Log => wide.ln(),
            Self::Sqrt => wide.sqrt(),
            Self::Reciprocal => 1.0 / wide,
            Self::Abs => return x.abs(),
            Self::Elu(alpha) => elu(wide, f64::from(alpha)),
            Self::Selu(alpha, gamma) => f64::from(gamma) * elu(wide, f64::from(alpha)),
            Self::Softplus => softplus(wide),
            Self::Softsign => wide / (1.0 + wide.abs()),
            Self::Mish => wide * softplus(wide).tanh(),
            Self::Power(exponent) => wide.powf(f64::from(exponent)),
            Self::Quantize(ref linear) => return linear.quantize(x, 0),
            Self::Dequantize(ref linear) => return linear.dequantize(x, 0),
            Self::IntQuant(ref quant) => return quant.dequantize(quant.quantize(x, 0), 0),
            Self::Bipolar(ref quant) => return quant.dequantize(Bipolar::quantize(x), 0),
            Self::Trunc(ref trunc) => return trunc.apply(x, 0),
        };
        value as f32
    }
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

fn elu(x: f64, alpha: f64) -> f64 {
    if x >= 0.0 { x } else { alpha * x.exp_m1() }
}

/// The error function: its Taylor series near zero, elsewhere the continued fraction of
/// its complement (Abramowitz and Stegun, 7.1.5 and 7.1.14); to 1e-12.
fn erf(x: f64) -> f64 {
    let magnitude = x.abs();
    let value = if magnitude < 2.5 {
        let mut term = magnitude;
        let mut sum = magnitude;
        for n in 1..60 {
            term *= -magnitude * magnitude / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    } else {
        let mut fraction = magnitude;
        for n in (1..60).rev() {
            fraction = magnitude + f64::from(n) / 2.0 / fraction;
        }
        let density = (-magnitude * magnitude).exp() / std::f64::consts::PI.sqrt();
        1.0 - density / fraction
    };
    value.copysign(x)
}

impl Expression {
    /// A function of x.
    pub fn of(function: Function) -> Self {
        Self::Of(function, Arc::new(Self::X))
    }

    /// Its value.
    pub fn apply(&self, x: f32) -> f32 {
        match self {
            Self::X => x,
            Self::Of(function, inner) => function.apply(inner.apply(x)),
            Self::Join(binary, a, b) => {
                let (a, b) = (a.apply(x), b.apply(x));
                match binary {
                    Binary::Add => a + b,
                    Binary::Subtract => a - b,
                    Binary::Multiply => a * b,
                    Binary::Divide => a / b,
                    Binary::Min => a.min(b),
                    Binary::Max => a.max(b),
                }
            }
        }
    }

    /// Functions and joints in it.
    pub fn size(&self) -> usize {
        match self {
            Self::X => 0,
            Self::Of(_, inner) => 1 + inner.size(),
            Self::Join(_, a, b) => 1 + a.size() + b.size(),
        }
    }

    /// This expression of what `inner` makes of x.
    pub fn after(&self, inner: &Arc<Self>) -> Arc<Self> {
        match self {
            Self::X => Arc::clone(inner),
            Self::Of(function, mine) => Arc::new(Self::Of(function.clone(), mine.after(inner))),
            Self::Join(binary, a, b) => {
                Arc::new(Self::Join(*binary, a.after(inner), b.after(inner)))
            }
        }
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::Clip(0.0, f32::INFINITY) => return f.write_str("ReLU"),
            Self::Clip(low, high) => return write!(f, "clip to {low} .. {high}"),
            Self::Affine(scale, offset) => return write!(f, "{scale} x + {offset}"),
            Self::LeakyRelu(slope) => return write!(f, "LeakyReLU {slope}"),
            Self::HardSigmoid(alpha, beta) => return write!(f, "HardSigmoid {alpha} x + {beta}"),
            Self::Elu(alpha) => return write!(f, "ELU {alpha}"),
            Self::Selu(alpha, gamma) => return write!(f, "SELU {alpha} {gamma}"),
            Self::Power(exponent) => return write!(f, "power {exponent}"),
            Self::HardSwish => "HardSwish",
            Self::Sigmoid => "sigmoid",
            Self::Silu => "SiLU",
            Self::Tanh => "tanh",
            Self::Gelu => "GELU",
            Self::GeluTanh => "GELU (tanh)",
            Self::Erf => "erf",
            Self::Exp => "exp",
            Self::Log => "log",
            Self::Sqrt => "square root",
            Self::Reciprocal => "reciprocal",
            Self::Abs => "absolute value",
            Self::Softplus => "softplus",
            Self::Softsign => "softsign",
            Self::Mish => "Mish",
            Self::Quantize(_) => "quantize",
            Self::Dequantize(_) => "dequantize",
            Self::IntQuant(_) => "quant",
            Self::Bipolar(_) => "bipolar quant",
            Self::Trunc(_) => "trunc",
        };
        f.write_str(name)
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::X => f.write_str("x"),
            Self::Of(function, inner) if **inner == Self::X => write!(f, "{function}"),
            Self::Of(function, inner) => write!(f, "{function} of ({inner})"),
            Self::Join(binary, a, b) => {
                let sign = match binary {
                    Binary::Add => "+",
                    Binary::Subtract => "-",
                    Binary::Multiply => "*",
                    Binary::Divide => "/",
                    Binary::Min => "min",
                    Binary::Max => "max",
                };
                write!(f, "({a}) {sign} ({b})")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_have_the_values_that_onnxruntime_gives() {
        // onnxruntime 1.32.0, single precision.
        let cases = [
            (Function::Gelu, 1.5, 1.399_789_2),
            (Function::GeluTanh, -0.7, -0.169_429_84),
            (Function::Erf, 3.0, 0.999_977_9),
            (Function::Erf, -0.3, -0.328_626_78),
            (Function::Sigmoid, -2.0, 0.119_202_91),
            (Function::HardSwish, 1.0, 0.666_666_7),
            (Function::HardSigmoid(0.2, 0.5), 1.0, 0.7),
            (Function::Mish, 1.0, 0.865_098_5),
            (Function::Softplus, -3.0, 0.048_587_352),
            (Function::Selu(1.673_263_2, 1.050_701), -1.0, -1.111_330_7),
        ];
        for (function, x, value) in cases {
            let found = function.apply(x);
            assert!((found - value).abs() < 1e-6, "{function} of {x}: {found}");
        }
    }
}
