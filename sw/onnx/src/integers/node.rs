//! Layers of the integer network, while their channels are in the file's order.

use super::value::{Learned, Normed, Open};
use crate::network::{Expression, TensorId};
use brownout_golden::export::RealScale;
use brownout_spec::arithmetic::TABLE_ENTRIES;
use brownout_spec::program::{Operation, Shape};
use std::sync::Arc;

/// A layer whose output is rounded.
#[derive(Clone, Debug)]
pub(super) struct Node<'n> {
    /// The node of the file, as sentences name it.
    pub name: String,
    pub operation: Operation,
    /// Tensors of the integer network.
    pub reads: Vec<usize>,
    pub learned: Option<Learned<'n>>,
    /// Channels of zeros in front of those of the tensor that a convolution adds, or of a concat
    /// whose zeros stand behind.
    pub front: usize,
    pub shape: Shape,
    /// In stored integers, zero point and rounding in the constants but for the half.
    pub real: RealScale,
    pub zero: i8,
    pub bounds: (i8, i8),
    pub table: Option<[i8; TABLE_ENTRIES]>,
    /// The tensor of the file whose integers it writes, and by how much these are more than the
    /// stored ones.
    pub said: Option<(TensorId, i64)>,
    /// The sums that it rounds, unless it moves values or keeps a sign.
    pub open: Option<Box<Open<'n>>>,
    pub meaning: Meaning,
}

/// What stored integers stand for, and how the file came to them.
#[derive(Clone, Debug)]
pub(super) struct Meaning {
    /// What a step stands for; none where that differs from channel to channel.
    pub step: Option<f64>,
    /// All integers of the quantizer.
    pub range: (i8, i8),
    /// What the file clips numbers to in front of it.
    pub ends: (f64, f64),
    /// The norm behind the sums.
    pub norm: Option<Arc<Normed>>,
    /// What a table computes of the source's integers less its zero point.
    pub function: Option<Arc<Expression>>,
    /// Whether it keeps a sign alone.
    pub is_sign: bool,
}

impl Meaning {
    /// Of integers of a byte in such steps.
    pub fn of(step: Option<f64>) -> Self {
        Self {
            step,
            range: WHOLE,
            ends: (f64::NEG_INFINITY, f64::INFINITY),
            norm: None,
            function: None,
            is_sign: false,
        }
    }
}

/// All integers of a byte.
pub(super) const WHOLE: (i8, i8) = (i8::MIN, i8::MAX);

impl Node<'_> {
    /// Whether another one writes the same.
    pub fn is_same(&self, other: &Self) -> bool {
        let weights = |of: &Self| of.learned.map(|learned| learned.layer);
        (&self.operation, &self.reads, self.front) == (&other.operation, &other.reads, other.front)
            && weights(self) == weights(other)
            && self.real.multipliers == other.real.multipliers
            && self.real.constants == other.real.constants
            && self.real.residual == other.real.residual
            && (self.zero, self.bounds, self.table) == (other.zero, other.bounds, other.table)
    }
}
