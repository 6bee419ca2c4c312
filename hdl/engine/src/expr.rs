//! Values and statements over the nets of a whole design.

pub(crate) use brownout_emitter::netlist::{Cmp, Fold, Op};

/// Index into [`Flat::nets`](crate::flat::Flat::nets).
pub(crate) type NetId = usize;
/// Index into [`Flat::memories`](crate::flat::Flat::memories).
pub(crate) type MemoryId = usize;

/// A value of `width` bits, 1 to 128.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Value {
    pub width: usize,
    pub term: Term,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Term {
    Constant(u128),
    Net(NetId),
    /// Bits from `.1` on.
    Slice(Box<Value>, usize),
    /// Bits from a variable place on; beyond the end anything may come.
    Select(Box<Value>, Box<Value>),
    ZeroExtend(Box<Value>),
    SignExtend(Box<Value>),
    Not(Box<Value>),
    Negate(Box<Value>),
    Reduce(Fold, Box<Value>),
    /// All but products.
    Binary(Op, Box<Value>, Box<Value>),
    /// Factors that are signed or not, each extended accordingly.
    Product([Box<Value>; 2], [bool; 2]),
    Compare(Cmp, bool, Box<Value>, Box<Value>),
    ShiftLeft(Box<Value>, Box<Value>),
    ShiftRight(Box<Value>, Box<Value>),
    /// Highest part first.
    Concat(Vec<Value>),
    Choose(Box<Value>, Box<Value>, Box<Value>),
    /// Lane `.1` of a memory's word.
    Word(MemoryId, usize, Box<Value>),
}

/// What an assignment writes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    Whole(NetId),
    Bits(NetId, usize, usize),
    /// Net, lowest bit, width.
    Variable(NetId, Value, usize),
    /// Lane `.1` of the word at an address.
    Word(MemoryId, usize, Value),
}

impl Target {
    pub fn net(&self) -> Option<NetId> {
        match self {
            Target::Whole(net) | Target::Bits(net, ..) | Target::Variable(net, ..) => Some(*net),
            Target::Word(..) => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Statement {
    Assign(Target, Value),
    If(Value, Vec<Statement>, Vec<Statement>),
    /// Test, arms, and what happens otherwise.
    Case(Value, Vec<(u128, Vec<Statement>)>, Vec<Statement>),
}

/// The low `width` bits set.
pub(crate) fn mask(width: usize) -> u128 {
    match width {
        128.. => u128::MAX,
        width => (1 << width) - 1,
    }
}

impl Value {
    pub fn new(width: usize, term: Term) -> Self {
        Self { width, term }
    }

    pub fn constant(value: u128, width: usize) -> Self {
        Self::new(width, Term::Constant(value & mask(width)))
    }

    pub fn net(net: NetId, width: usize) -> Self {
        Self::new(width, Term::Net(net))
    }

    pub fn boxed(self) -> Box<Self> {
        Box::new(self)
    }

    /// Bits `low..low + width`, in a form that is as simple as it gets.
    pub fn bits(&self, low: usize, width: usize) -> Value {
        if low == 0 && width == self.width {
            return self.clone();
        }
        match &self.term {
            Term::Constant(value) => Value::constant(value >> low, width),
            Term::Slice(inner, base) => Value::new(width, Term::Slice(inner.clone(), base + low)),
            Term::ZeroExtend(inner) | Term::SignExtend(inner) if low + width <= inner.width => {
                inner.bits(low, width)
            }
            Term::ZeroExtend(inner) if low >= inner.width => Value::constant(0, width),
            Term::Concat(parts) => {
                let mut at = self.width;
                for part in parts {
                    at -= part.width;
                    if low >= at && low + width <= at + part.width {
                        return part.bits(low - at, width);
                    }
                }
                Value::new(width, Term::Slice(self.clone().boxed(), low))
            }
            _ => Value::new(width, Term::Slice(self.clone().boxed(), low)),
        }
    }

    pub fn zero_extend(self, width: usize) -> Value {
        match (width == self.width, &self.term) {
            (true, _) => self,
            (_, Term::Constant(value)) => Value::constant(*value, width),
            _ => Value::new(width, Term::ZeroExtend(self.boxed())),
        }
    }

    /// Whether reading it costs no more than reading a net.
    pub fn is_wiring(&self) -> bool {
        match &self.term {
            Term::Constant(_) | Term::Net(_) => true,
            Term::Slice(inner, _) | Term::ZeroExtend(inner) | Term::SignExtend(inner) => {
                inner.is_wiring()
            }
            _ => false,
        }
    }

    /// Calls `f` on the values directly below.
    pub fn children(&self, f: &mut impl FnMut(&Value)) {
        match &self.term {
            Term::Constant(_) | Term::Net(_) => {}
            Term::Slice(a, _)
            | Term::ZeroExtend(a)
            | Term::SignExtend(a)
            | Term::Not(a)
            | Term::Negate(a)
            | Term::Reduce(_, a)
            | Term::Word(_, _, a) => f(a),
            Term::Select(a, b)
            | Term::Binary(_, a, b)
            | Term::Product([a, b], _)
            | Term::Compare(_, _, a, b)
            | Term::ShiftLeft(a, b)
            | Term::ShiftRight(a, b) => {
                f(a);
                f(b);
            }
            Term::Concat(parts) => parts.iter().for_each(f),
            Term::Choose(a, b, c) => {
                f(a);
                f(b);
                f(c);
            }
        }
    }

    /// Calls `f` on the values directly below.
    pub fn children_mut(&mut self, f: &mut impl FnMut(&mut Value)) {
        match &mut self.term {
            Term::Constant(_) | Term::Net(_) => {}
            Term::Slice(a, _)
            | Term::ZeroExtend(a)
            | Term::SignExtend(a)
            | Term::Not(a)
            | Term::Negate(a)
            | Term::Reduce(_, a)
            | Term::Word(_, _, a) => f(a),
            Term::Select(a, b)
            | Term::Binary(_, a, b)
            | Term::Product([a, b], _)
            | Term::Compare(_, _, a, b)
            | Term::ShiftLeft(a, b)
            | Term::ShiftRight(a, b) => {
                f(a);
                f(b);
            }
            Term::Concat(parts) => parts.iter_mut().for_each(f),
            Term::Choose(a, b, c) => {
                f(a);
                f(b);
                f(c);
            }
        }
    }

    /// Calls `f` on this value and all below.
    pub fn walk(&self, f: &mut dyn FnMut(&Value)) {
        f(self);
        self.children(&mut |inner| inner.walk(f));
    }

    /// Calls `f` on every net that is read.
    pub fn nets(&self, f: &mut dyn FnMut(NetId)) {
        self.walk(&mut |value| {
            if let Term::Net(net) = value.term {
                f(net);
            }
        });
    }
}

impl Statement {
    /// Calls `f` on every value of this statement, at any depth.
    pub fn values(&self, f: &mut dyn FnMut(&Value)) {
        match self {
            Statement::Assign(target, value) => {
                match target {
                    Target::Variable(_, index, _) | Target::Word(_, _, index) => f(index),
                    Target::Whole(_) | Target::Bits(..) => {}
                }
                f(value);
            }
            Statement::If(test, then, other) => {
                f(test);
                then.iter().chain(other).for_each(|s| s.values(f));
            }
            Statement::Case(test, arms, default) => {
                f(test);
                arms.iter().flat_map(|(_, b)| b).for_each(|s| s.values(f));
                default.iter().for_each(|s| s.values(f));
            }
        }
    }

    /// Calls `f` on every value of this statement, at any depth.
    pub fn values_mut(&mut self, f: &mut dyn FnMut(&mut Value)) {
        match self {
            Statement::Assign(target, value) => {
                match target {
                    Target::Variable(_, index, _) | Target::Word(_, _, index) => f(index),
                    Target::Whole(_) | Target::Bits(..) => {}
                }
                f(value);
            }
            Statement::If(test, then, other) => {
                f(test);
                then.iter_mut().chain(other).for_each(|s| s.values_mut(f));
            }
            Statement::Case(test, arms, default) => {
                f(test);
                let blocks = arms.iter_mut().flat_map(|(_, b)| b).chain(default);
                blocks.for_each(|s| s.values_mut(f));
            }
        }
    }

    /// Calls `f` on every target, at any depth.
    pub fn targets(&self, f: &mut dyn FnMut(&Target)) {
        match self {
            Statement::Assign(target, _) => f(target),
            Statement::If(_, then, other) => then.iter().chain(other).for_each(|s| s.targets(f)),
            Statement::Case(_, arms, default) => {
                let blocks = arms.iter().flat_map(|(_, b)| b).chain(default);
                blocks.for_each(|s| s.targets(f));
            }
        }
    }

    /// The part that assigns `net`; `None` if nothing does.
    pub fn only(&self, net: NetId) -> Option<Statement> {
        let within = |block: &[Statement]| -> Vec<Statement> {
            block.iter().filter_map(|s| s.only(net)).collect()
        };
        let mut assigns = false;
        self.targets(&mut |t| assigns |= t.net() == Some(net));
        assigns.then(|| match self {
            Statement::Assign(..) => self.clone(),
            Statement::If(test, then, other) => {
                Statement::If(test.clone(), within(then), within(other))
            }
            Statement::Case(test, arms, default) => {
                let arms: Vec<_> = arms.iter().map(|(n, b)| (*n, within(b))).collect();
                let default = within(default);
                // An arm without statements keeps the default away.
                let arms = match default.is_empty() {
                    true => arms.into_iter().filter(|(_, b)| !b.is_empty()).collect(),
                    false => arms,
                };
                Statement::Case(test.clone(), arms, default)
            }
        })
    }
}
