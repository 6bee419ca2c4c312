//! Two functions of one tensor, joined into one function of it.
//!
//! x * Sigmoid(x), or GELU spelled out with Erf, are products of two tensors in the file
//! but functions of each number by itself.

use super::walk::Walk;
use crate::network::{Binary, Expression, Function, TensorId};
use std::sync::Arc;

/// Most functions in an expression; GELU by tanh has nine.
const MOST_FUNCTIONS: usize = 64;

/// A tensor with what is made of it.
type Step = (TensorId, Arc<Expression>);

impl Walk<'_> {
    /// The tensor of which both are functions, and the function that joins them.
    pub(super) fn joint(
        &self,
        a: TensorId,
        b: TensorId,
        binary: Binary,
    ) -> Option<(TensorId, Expression)> {
        let (a, b) = (self.chain(a), self.chain(b));
        let both = a.iter().find_map(|(root, mine)| {
            let other = b.iter().find(|(other, _)| other == root);
            other.map(|(_, other)| (*root, mine, other))
        });
        let (root, mine, other) = both?;
        if mine.size() + other.size() >= MOST_FUNCTIONS {
            return None;
        }
        let joined = Expression::Join(binary, Arc::clone(mine), Arc::clone(other));
        Some((root, named(&joined).map_or(joined, Expression::of)))
    }

    /// The tensor itself, what it is a function of, what that is a function of, and so on.
    fn chain(&self, tensor: TensorId) -> Vec<Step> {
        let mut steps = vec![(tensor, Arc::new(Expression::X))];
        while let Some((last, expression)) = steps.last() {
            let Some((parent, inner)) = &self.parents[*last] else {
                break;
            };
            if expression.size() + uses(expression) * inner.size() > MOST_FUNCTIONS {
                break;
            }
            let next = (*parent, expression.after(inner));
            steps.push(next);
        }
        steps
    }
}

/// How often x stands in an expression.
fn uses(expression: &Expression) -> usize {
    match expression {
        Expression::X => 1,
        Expression::Of(_, inner) => uses(inner),
        Expression::Join(_, a, b) => uses(a) + uses(b),
    }
}

/// The function that a product of x and a function of x is known as.
fn named(expression: &Expression) -> Option<Function> {
    let Expression::Join(Binary::Multiply, a, b) = expression else {
        return None;
    };
    let factor = match (&**a, &**b) {
        (Expression::X, factor) | (factor, Expression::X) => factor,
        _ => return None,
    };
    let Expression::Of(function, inner) = factor else {
        return None;
    };
    match (function, &**inner) {
        (Function::Sigmoid, Expression::X) => Some(Function::Silu),
        (Function::HardSigmoid(alpha, beta), Expression::X)
            if *alpha == 1.0 / 6.0 && *beta == 0.5 =>
        {
            Some(Function::HardSwish)
        }
        (Function::Tanh, Expression::Of(Function::Softplus, x)) if **x == Expression::X => {
            Some(Function::Mish)
        }
        _ => None,
    }
}
