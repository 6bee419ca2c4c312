//! What modules do that are only text.

use crate::expr::{NetId, Op, Term, Value};

/// What a leaf does.
#[derive(Debug, Clone)]
pub enum Leaf {
    /// One write port with an enable for each lane, one read port whose word stands at the output
    /// one clock after its address: `read_enable`, `read_address` and for each lane l `read_data$l`,
    /// `write_address` and for each lane `write_enable$l` and `write_data$l`. A word that is read
    /// while it is written is the old one.
    Memory {
        /// Words.
        depth: usize,
        /// Lanes of a word.
        lanes: usize,
        /// Bits of a lane, at most 64.
        width: usize,
    },
    /// Registers that take a new value while they are enabled; one with the name of an output is it.
    Registers(Vec<LeafRegister>),
}

/// A register of a leaf.
#[derive(Debug, Clone)]
pub struct LeafRegister {
    /// Name in the leaf.
    pub name: &'static str,
    /// Bits.
    pub width: usize,
    /// Whether it takes its value; one bit.
    pub enable: Wire,
    /// What it takes.
    pub value: Wire,
}

/// A value within a leaf.
#[derive(Debug, Clone)]
pub enum Wire {
    /// An input or a register.
    Named(&'static str),
    /// Lowest bit and number of bits.
    Bits(Box<Wire>, usize, usize),
    /// Up to so many bits.
    SignExtend(Box<Wire>, usize),
    /// Of factors that are signed or not, in so many bits.
    Product([Box<Wire>; 2], [bool; 2], usize),
    /// Of two values of one width.
    Sum(Box<Wire>, Box<Wire>),
    /// So many zeros below.
    Raised(Box<Wire>, usize),
}

impl LeafRegister {
    /// Enable and value over nets; `None` if a name is unknown.
    pub(crate) fn resolve(
        &self,
        names: &dyn Fn(&str) -> Option<NetId>,
        widths: &dyn Fn(NetId) -> usize,
    ) -> Option<(Value, Value)> {
        let enable = self.enable.resolve(names, widths)?;
        Some((enable, self.value.resolve(names, widths)?))
    }
}

impl Wire {
    fn resolve(
        &self,
        names: &dyn Fn(&str) -> Option<NetId>,
        widths: &dyn Fn(NetId) -> usize,
    ) -> Option<Value> {
        let of = |wire: &Wire| wire.resolve(names, widths);
        Some(match self {
            Wire::Named(name) => {
                let net = names(name)?;
                Value::net(net, widths(net))
            }
            Wire::Bits(inner, low, width) => of(inner)?.bits(*low, *width),
            Wire::SignExtend(inner, width) => {
                Value::new(*width, Term::SignExtend(of(inner)?.boxed()))
            }
            Wire::Product([a, b], signs, width) => {
                let factors = [of(a)?.boxed(), of(b)?.boxed()];
                Value::new(*width, Term::Product(factors, *signs))
            }
            Wire::Sum(a, b) => {
                let (a, b) = (of(a)?, of(b)?);
                Value::new(a.width, Term::Binary(Op::Add, a.boxed(), b.boxed()))
            }
            Wire::Raised(inner, zeros) => {
                let inner = of(inner)?;
                let width = inner.width + zeros;
                Value::new(width, Term::Concat(vec![inner, Value::constant(0, *zeros)]))
            }
        })
    }
}
