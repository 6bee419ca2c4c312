//! Random expressions and statements with two meanings each: rust-hdl's AST for the emitter,
//! and a closure that computes what the Rust types say.

mod statements;

pub use statements::{Step, asts, conditional};

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rust_hdl::prelude::ast::{VerilogExpression as Ast, VerilogOp, VerilogOpUnary};
use std::collections::BTreeMap;
use std::rc::Rc;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Type {
    Bit,
    U3,
    U8,
    U20,
    S8,
    S16,
    S32,
}

impl Type {
    pub fn width(self) -> u32 {
        match self {
            Type::Bit => 1,
            Type::U3 => 3,
            Type::U8 | Type::S8 => 8,
            Type::U20 => 20,
            Type::S16 => 16,
            Type::S32 => 32,
        }
    }

    pub fn is_signed(self) -> bool {
        matches!(self, Type::S8 | Type::S16 | Type::S32)
    }

    pub fn mask(self, value: i64) -> u64 {
        value as u64 & ((1 << self.width()) - 1)
    }

    /// The value of a bit pattern.
    pub fn read(self, bits: u64) -> i64 {
        let shift = 64 - self.width();
        match self.is_signed() {
            true => ((bits << shift) as i64) >> shift,
            false => bits as i64,
        }
    }
}

/// An expression with both of its meanings.
#[derive(Clone)]
pub struct Term {
    pub ast: Ast,
    pub eval: Eval,
}

/// Bit patterns of all signals by path.
pub type State = BTreeMap<String, u64>;
/// What an expression is worth.
pub type Eval = Rc<dyn Fn(&State) -> u64>;

pub struct Generator {
    pub rng: ChaCha8Rng,
    pub readable: Vec<(String, Type)>,
}

pub fn boxed(t: &Term) -> Box<Ast> {
    Box::new(Ast::Paren(Box::new(t.ast.clone())))
}

pub fn literal(value: u64) -> Ast {
    Ast::Literal((value as u32).into())
}

impl Generator {
    pub fn pick(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    pub fn signal(&mut self, ty: Type) -> Term {
        let of: Vec<&(String, Type)> = self.readable.iter().filter(|(_, t)| *t == ty).collect();
        let name = of[self.rng.random_range(0..of.len())].0.clone();
        let ast = Ast::Signal(name.clone());
        let eval = Rc::new(move |s: &State| s[&name]);
        Term { ast, eval }
    }

    pub fn unary(&mut self, op: VerilogOpUnary, of: Type, ty: Type, depth: usize) -> Term {
        let a = self.term(of, depth - 1);
        let ast = Ast::Unary(op.clone(), boxed(&a));
        let eval = Rc::new(move |s: &State| {
            let v = (a.eval)(s);
            match op {
                VerilogOpUnary::Not => ty.mask(!(v as i64)),
                VerilogOpUnary::Neg => ty.mask((v as i64).wrapping_neg()),
                VerilogOpUnary::All => u64::from(v == of.mask(-1)),
                VerilogOpUnary::Any => u64::from(v != 0),
                VerilogOpUnary::Xor => u64::from(v.count_ones() & 1),
            }
        });
        Term { ast, eval }
    }

    pub fn binary(&mut self, op: VerilogOp, of: Type, ty: Type, depth: usize) -> Term {
        let a = self.term(of, depth - 1);
        let mut b = self.term(of, depth - 1);
        // `x ^ x` is a constant, about which lint would rightly complain.
        while format!("{:?}", a.ast) == format!("{:?}", b.ast) {
            b = self.term(of, depth - 1);
        }
        let ast = Ast::Binary(boxed(&a), op.clone(), boxed(&b));
        let eval = Rc::new(move |s: &State| {
            let (l, r) = (of.read((a.eval)(s)), of.read((b.eval)(s)));
            match op {
                VerilogOp::Add => ty.mask(l.wrapping_add(r)),
                VerilogOp::Sub => ty.mask(l.wrapping_sub(r)),
                VerilogOp::Mul => ty.mask(l.wrapping_mul(r)),
                VerilogOp::BitAnd | VerilogOp::LogicalAnd => ty.mask(l & r),
                VerilogOp::BitOr | VerilogOp::LogicalOr => ty.mask(l | r),
                VerilogOp::BitXor => ty.mask(l ^ r),
                VerilogOp::Eq => u64::from(l == r),
                VerilogOp::Ne => u64::from(l != r),
                VerilogOp::Lt => u64::from(l < r),
                VerilogOp::Le => u64::from(l <= r),
                VerilogOp::Gt => u64::from(l > r),
                VerilogOp::Ge => u64::from(l >= r),
                VerilogOp::Shl | VerilogOp::Shr => unreachable!("made by `shift`"),
            }
        });
        Term { ast, eval }
    }

    /// `a op literal`.
    pub fn with_literal(&mut self, op: VerilogOp, ty: Type, depth: usize) -> Term {
        let a = self.term(ty, depth - 1);
        let n = self.rng.random_range(1..1u64 << ty.width().min(16));
        let ast = Ast::Binary(boxed(&a), op.clone(), Box::new(literal(n)));
        let eval = Rc::new(move |s: &State| {
            let v = (a.eval)(s) as i64;
            ty.mask(match op {
                VerilogOp::Add => v + n as i64,
                VerilogOp::Sub => v - n as i64,
                VerilogOp::BitAnd => v & n as i64,
                VerilogOp::BitOr => v | n as i64,
                _ => v ^ n as i64,
            })
        });
        Term { ast, eval }
    }

    pub fn shift(&mut self, ty: Type, depth: usize) -> Term {
        let a = self.term(ty, depth - 1);
        let up = self.rng.random_bool(0.5);
        let op = if up { VerilogOp::Shl } else { VerilogOp::Shr };
        let (by, amount) = if self.rng.random_bool(0.5) {
            let n = self.rng.random_range(0..u64::from(ty.width()));
            let constant: Eval = Rc::new(move |_| n);
            (literal(n), constant)
        } else {
            let k = self.signal(Type::U3);
            (k.ast.clone(), k.eval.clone())
        };
        let ast = Ast::Binary(boxed(&a), op, Box::new(by));
        let eval = Rc::new(move |s: &State| {
            let (v, n) = ((a.eval)(s), amount(s));
            if up { ty.mask((v << n) as i64) } else { v >> n }
        });
        Term { ast, eval }
    }

    /// Bits of a plain signal of type `of`, at a constant or variable place.
    pub fn slice(&mut self, of: Type, ty: Type) -> Term {
        let a = self.signal(of);
        let room = u64::from(of.width() - ty.width());
        let variable = room >= 7 && self.rng.random_bool(0.5);
        let (at, place): (Ast, Eval) = if variable {
            let k = self.signal(Type::U3);
            (k.ast.clone(), k.eval.clone())
        } else {
            let n = self.rng.random_range(0..=room);
            (literal(n), Rc::new(move |_| n))
        };
        let ast = match ty {
            Type::Bit => Ast::Index(Box::new(a.ast.clone()), Box::new(at)),
            _ => Ast::Slice(Box::new(a.ast.clone()), ty.width() as usize, Box::new(at)),
        };
        let eval = Rc::new(move |s: &State| ty.mask(((a.eval)(s) >> place(s)) as i64));
        Term { ast, eval }
    }

    /// `bit_cast`, `signed_cast`, `unsigned_cast` of a plain signal.
    pub fn cast(&mut self, of: Type, ty: Type) -> Term {
        let a = self.signal(of);
        let inner = Box::new(a.ast.clone());
        let ast = match (of.is_signed(), ty.is_signed()) {
            (false, false) => Ast::Cast(inner, ty.width() as usize),
            (_, true) => Ast::Signed(inner),
            (true, false) => Ast::Unsigned(inner),
        };
        let eval = Rc::new(move |s: &State| ty.mask(of.read((a.eval)(s))));
        Term { ast, eval }
    }

    pub fn arithmetic_op(&mut self) -> VerilogOp {
        [
            VerilogOp::Add,
            VerilogOp::Sub,
            VerilogOp::BitAnd,
            VerilogOp::BitOr,
            VerilogOp::BitXor,
        ][self.pick(5)]
        .clone()
    }

    pub fn term(&mut self, ty: Type, depth: usize) -> Term {
        if depth == 0 {
            return self.signal(ty);
        }
        match (ty, self.pick(8)) {
            (Type::Bit, n) => self.condition(n, depth),
            (Type::U3, 0..=2) => self.slice(Type::U8, ty),
            (Type::U8, 0) => self.slice(Type::U20, ty),
            (Type::U8, 1) => self.cast(Type::U20, ty),
            (Type::U8, 2) => self.cast(Type::S8, ty),
            (Type::U20, 0 | 1) => self.cast(Type::U8, ty),
            (Type::S8, 0) => self.cast(Type::U8, ty),
            (Type::S8, 1) => self.slice(Type::S16, ty),
            (Type::S16, 0 | 1) => self.slice(Type::S32, ty),
            (Type::U3 | Type::U8 | Type::U20, 3) => self.unary(VerilogOpUnary::Not, ty, ty, depth),
            (Type::U8 | Type::U20, 4) => self.shift(ty, depth),
            (Type::U8 | Type::U20, 5) => {
                let op = self.arithmetic_op();
                self.with_literal(op, ty, depth)
            }
            (Type::S8 | Type::S16, 4) => self.unary(VerilogOpUnary::Neg, ty, ty, depth),
            (Type::S8 | Type::S16 | Type::S32, _) => {
                let op = [VerilogOp::Add, VerilogOp::Sub][self.pick(2)].clone();
                self.binary(op, ty, ty, depth)
            }
            _ => {
                let op = self.arithmetic_op();
                self.binary(op, ty, ty, depth)
            }
        }
    }

    pub fn condition(&mut self, choice: usize, depth: usize) -> Term {
        let of = [Type::U3, Type::U8, Type::U20, Type::S8, Type::S16][self.pick(5)];
        let unsigned = [Type::U3, Type::U8, Type::U20][self.pick(3)];
        match choice {
            0..=2 => {
                let op = [
                    VerilogOp::Eq,
                    VerilogOp::Ne,
                    VerilogOp::Lt,
                    VerilogOp::Le,
                    VerilogOp::Gt,
                    VerilogOp::Ge,
                ][self.pick(6)]
                .clone();
                self.binary(op, of, Type::Bit, depth)
            }
            3 => {
                let op = [
                    VerilogOpUnary::All,
                    VerilogOpUnary::Any,
                    VerilogOpUnary::Xor,
                ][self.pick(3)]
                .clone();
                self.unary(op, unsigned, Type::Bit, depth)
            }
            4 => self.slice(Type::U8, Type::Bit),
            5 => self.unary(VerilogOpUnary::Not, Type::Bit, Type::Bit, depth),
            _ => {
                let op = [VerilogOp::LogicalAnd, VerilogOp::LogicalOr][self.pick(2)].clone();
                self.binary(op, Type::Bit, Type::Bit, depth)
            }
        }
    }
}
