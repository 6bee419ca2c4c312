//! Steps for blocks of numbers of either precision.
//!
//! Elementary functions are those of `libm`, which give the same bits on every machine.

use super::Step;
use std::f64::consts::FRAC_2_SQRT_PI;
use std::ops::{Add, Div, Mul, Sub};

/// A number of one precision.
pub(super) trait Real:
    Copy
    + PartialOrd
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
{
    fn of(value: f64) -> Self;
    fn magnitude(self) -> Self;
    fn root(self) -> Self;
    fn exponential(self) -> Self;
    fn logarithm(self) -> Self;
    fn logarithm_of_one_more(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
}

macro_rules! real {
    ($type:ty, $fabs:ident, $sqrt:ident, $exp:ident, $log:ident, $log1p:ident, $tanh:ident, $erf:ident) => {
        impl Real for $type {
            fn of(value: f64) -> Self {
                value as Self
            }

            fn magnitude(self) -> Self {
                libm::$fabs(self)
            }

            fn root(self) -> Self {
                libm::$sqrt(self)
            }

            fn exponential(self) -> Self {
                libm::$exp(self)
            }

            fn logarithm(self) -> Self {
                libm::$log(self)
            }

            fn logarithm_of_one_more(self) -> Self {
                libm::$log1p(self)
            }

            fn tanh(self) -> Self {
                libm::$tanh(self)
            }

            fn erf(self) -> Self {
                libm::$erf(self)
            }
        }
    };
}

real!(f32, fabsf, sqrtf, expf, logf, log1pf, tanhf, erff);
real!(f64, fabs, sqrt, exp, log, log1p, tanh, erf);

/// As max(x, 0) + ln(1 + e^−|x|), which does not overflow.
fn softplus<T: Real>(x: T) -> T {
    let zero = T::of(0.0);
    let positive = if x > zero { x } else { zero };
    positive + (zero - x.magnitude()).exponential().logarithm_of_one_more()
}

fn sigmoid<T: Real>(x: T) -> T {
    T::of(1.0) / (T::of(1.0) + (T::of(0.0) - x).exponential())
}

/// A step's values from those of the variable and of the steps before.
pub(super) fn values<T: Real, const N: usize>(step: Step, v: &[[T; N]], y: &mut [T; N]) {
    match step {
        Step::Constant(constant) => y.fill(T::of(constant)),
        Step::Add(a, b) => (0..N).for_each(|i| y[i] = v[a][i] + v[b][i]),
        Step::Subtract(a, b) => (0..N).for_each(|i| y[i] = v[a][i] - v[b][i]),
        Step::Multiply(a, b) => (0..N).for_each(|i| y[i] = v[a][i] * v[b][i]),
        Step::Divide(a, b) => (0..N).for_each(|i| y[i] = v[a][i] / v[b][i]),
        Step::Clip(a, bounds) => {
            let (low, high) = (T::of(bounds.low().into()), T::of(bounds.high().into()));
            for (y, &x) in y.iter_mut().zip(&v[a]) {
                let x = if x < low { low } else { x };
                *y = if x > high { high } else { x };
            }
        }
        Step::Magnitude(a) => (0..N).for_each(|i| y[i] = v[a][i].magnitude()),
        Step::Root(a) => (0..N).for_each(|i| y[i] = v[a][i].root()),
        Step::Exponential(a) => (0..N).for_each(|i| y[i] = v[a][i].exponential()),
        Step::Logarithm(a) => (0..N).for_each(|i| y[i] = v[a][i].logarithm()),
        Step::Sigmoid(a) => (0..N).for_each(|i| y[i] = sigmoid(v[a][i])),
        Step::Softplus(a) => (0..N).for_each(|i| y[i] = softplus(v[a][i])),
        Step::Tanh(a) => (0..N).for_each(|i| y[i] = v[a][i].tanh()),
        Step::Erf(a) => (0..N).for_each(|i| y[i] = v[a][i].erf()),
    }
}

/// A step's derivatives from the values, its own last, and the derivatives before.
pub(super) fn slopes<T: Real, const N: usize>(
    step: Step,
    (v, y): (&[[T; N]], &[T; N]),
    s: &[[T; N]],
    d: &mut [T; N],
) {
    let one = T::of(1.0);
    match step {
        Step::Constant(_) => d.fill(T::of(0.0)),
        Step::Add(a, b) => (0..N).for_each(|i| d[i] = s[a][i] + s[b][i]),
        Step::Subtract(a, b) => (0..N).for_each(|i| d[i] = s[a][i] - s[b][i]),
        Step::Multiply(a, b) => {
            (0..N).for_each(|i| d[i] = s[a][i] * v[b][i] + v[a][i] * s[b][i]);
        }
        Step::Divide(a, b) => {
            (0..N).for_each(|i| d[i] = (s[a][i] - y[i] * s[b][i]) / v[b][i]);
        }
        Step::Clip(a, bounds) => {
            let (low, high) = (T::of(bounds.low().into()), T::of(bounds.high().into()));
            for i in 0..N {
                let passes = v[a][i] > low && v[a][i] <= high;
                d[i] = if passes { s[a][i] } else { T::of(0.0) };
            }
        }
        Step::Magnitude(a) => {
            for i in 0..N {
                let zero = T::of(0.0);
                let slope = if v[a][i] < zero {
                    zero - s[a][i]
                } else {
                    s[a][i]
                };
                d[i] = if v[a][i] == zero { zero } else { slope };
            }
        }
        Step::Root(a) => (0..N).for_each(|i| d[i] = s[a][i] / (y[i] + y[i])),
        Step::Exponential(a) => (0..N).for_each(|i| d[i] = s[a][i] * y[i]),
        Step::Logarithm(a) => (0..N).for_each(|i| d[i] = s[a][i] / v[a][i]),
        Step::Sigmoid(a) => (0..N).for_each(|i| d[i] = s[a][i] * y[i] * (one - y[i])),
        Step::Softplus(a) => (0..N).for_each(|i| d[i] = s[a][i] * sigmoid(v[a][i])),
        Step::Tanh(a) => (0..N).for_each(|i| d[i] = s[a][i] * (one - y[i] * y[i])),
        Step::Erf(a) => {
            let factor = T::of(FRAC_2_SQRT_PI);
            for i in 0..N {
                let x = v[a][i];
                d[i] = s[a][i] * factor * (T::of(0.0) - x * x).exponential();
            }
        }
    }
}
