//! Random modules: what the emitted Verilog computes against an interpreter in Rust.
//!
//! Every module is a random list of statements over signals of several widths, handed to the
//! emitter as rust-hdl's AST. The interpreter knows the Rust types only; narrowing, joining of
//! bits, regrouping and the clocked block must not change a value.

mod bench;

use bench::{Bench, lanes};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl::prelude::ast::{
    VerilogBlockOrConditional as Otherwise, VerilogCase, VerilogConditional,
    VerilogExpression as Ast, VerilogMatch, VerilogOp, VerilogOpUnary, VerilogStatement,
};
use rust_hdl::prelude::*;
use std::collections::BTreeMap;

const MODULES: usize = 24;
const STATEMENTS: usize = 40;
const OUTPUTS: usize = 4;
/// Signals of each type in a module.
const POOL: usize = 4;
const CYCLES: usize = 400;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Type {
    Bit,
    U3,
    U8,
    U20,
    S8,
    S16,
    S32,
}

impl Type {
    fn width(self) -> u32 {
        match self {
            Type::Bit => 1,
            Type::U3 => 3,
            Type::U8 | Type::S8 => 8,
            Type::U20 => 20,
            Type::S16 => 16,
            Type::S32 => 32,
        }
    }

    fn is_signed(self) -> bool {
        matches!(self, Type::S8 | Type::S16 | Type::S32)
    }

    fn mask(self, value: i64) -> u64 {
        value as u64 & ((1 << self.width()) - 1)
    }

    /// The value of a bit pattern.
    fn read(self, bits: u64) -> i64 {
        let shift = 64 - self.width();
        match self.is_signed() {
            true => ((bits << shift) as i64) >> shift,
            false => bits as i64,
        }
    }
}

/// An expression with both of its meanings.
#[derive(Clone)]
struct Term {
    ast: Ast,
    eval: std::rc::Rc<dyn Fn(&State) -> u64>,
}

type State = BTreeMap<String, u64>;

/// Statements with what they do to the interpreter's state.
#[derive(Clone)]
struct Step {
    ast: VerilogStatement,
    run: std::rc::Rc<dyn Fn(&mut State)>,
}

struct Generator {
    rng: ChaCha8Rng,
    readable: Vec<(String, Type)>,
}

fn boxed(t: &Term) -> Box<Ast> {
    Box::new(Ast::Paren(Box::new(t.ast.clone())))
}

fn literal(value: u64) -> Ast {
    Ast::Literal((value as u32).into())
}

impl Generator {
    fn pick(&mut self, n: usize) -> usize {
        self.rng.random_range(0..n)
    }

    fn signal(&mut self, ty: Type) -> Term {
        let of: Vec<&(String, Type)> = self.readable.iter().filter(|(_, t)| *t == ty).collect();
        let name = of[self.rng.random_range(0..of.len())].0.clone();
        let ast = Ast::Signal(name.clone());
        let eval = std::rc::Rc::new(move |s: &State| s[&name]);
        Term { ast, eval }
    }

    fn unary(&mut self, op: VerilogOpUnary, of: Type, ty: Type, depth: usize) -> Term {
        let a = self.term(of, depth - 1);
        let ast = Ast::Unary(op.clone(), boxed(&a));
        let eval = std::rc::Rc::new(move |s: &State| {
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

    fn binary(&mut self, op: VerilogOp, of: Type, ty: Type, depth: usize) -> Term {
        let a = self.term(of, depth - 1);
        let mut b = self.term(of, depth - 1);
        // `x ^ x` is a constant, about which lint would rightly complain.
        while format!("{:?}", a.ast) == format!("{:?}", b.ast) {
            b = self.term(of, depth - 1);
        }
        let ast = Ast::Binary(boxed(&a), op.clone(), boxed(&b));
        let eval = std::rc::Rc::new(move |s: &State| {
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
    fn with_literal(&mut self, op: VerilogOp, ty: Type, depth: usize) -> Term {
        let a = self.term(ty, depth - 1);
        let n = self.rng.random_range(0..1u64 << ty.width().min(16));
        let ast = Ast::Binary(boxed(&a), op.clone(), Box::new(literal(n)));
        let eval = std::rc::Rc::new(move |s: &State| {
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

    fn shift(&mut self, ty: Type, depth: usize) -> Term {
        let a = self.term(ty, depth - 1);
        let up = self.rng.random_bool(0.5);
        let op = if up { VerilogOp::Shl } else { VerilogOp::Shr };
        let (by, amount) = if self.rng.random_bool(0.5) {
            let n = self.rng.random_range(0..ty.width() as u64 + 2);
            let constant: std::rc::Rc<dyn Fn(&State) -> u64> = std::rc::Rc::new(move |_| n);
            (literal(n), constant)
        } else {
            let k = self.signal(Type::U3);
            (k.ast.clone(), k.eval.clone())
        };
        let ast = Ast::Binary(boxed(&a), op, Box::new(by));
        let eval = std::rc::Rc::new(move |s: &State| {
            let (v, n) = ((a.eval)(s), amount(s));
            if up { ty.mask((v << n) as i64) } else { v >> n }
        });
        Term { ast, eval }
    }

    /// Bits of a plain signal of type `of`, at a constant or variable place.
    fn slice(&mut self, of: Type, ty: Type) -> Term {
        let a = self.signal(of);
        let room = u64::from(of.width() - ty.width());
        let variable = room >= 7 && self.rng.random_bool(0.5);
        let (at, place): (Ast, std::rc::Rc<dyn Fn(&State) -> u64>) = if variable {
            let k = self.signal(Type::U3);
            (k.ast.clone(), k.eval.clone())
        } else {
            let n = self.rng.random_range(0..=room);
            (literal(n), std::rc::Rc::new(move |_| n))
        };
        let ast = match ty {
            Type::Bit => Ast::Index(Box::new(a.ast.clone()), Box::new(at)),
            _ => Ast::Slice(Box::new(a.ast.clone()), ty.width() as usize, Box::new(at)),
        };
        let eval = std::rc::Rc::new(move |s: &State| ty.mask(((a.eval)(s) >> place(s)) as i64));
        Term { ast, eval }
    }

    /// `bit_cast`, `signed_cast`, `unsigned_cast` of a plain signal.
    fn cast(&mut self, of: Type, ty: Type) -> Term {
        let a = self.signal(of);
        let inner = Box::new(a.ast.clone());
        let ast = match (of.is_signed(), ty.is_signed()) {
            (false, false) => Ast::Cast(inner, ty.width() as usize),
            (_, true) => Ast::Signed(inner),
            (true, false) => Ast::Unsigned(inner),
        };
        let eval = std::rc::Rc::new(move |s: &State| ty.mask(of.read((a.eval)(s))));
        Term { ast, eval }
    }

    fn arithmetic_op(&mut self) -> VerilogOp {
        [
            VerilogOp::Add,
            VerilogOp::Sub,
            VerilogOp::BitAnd,
            VerilogOp::BitOr,
            VerilogOp::BitXor,
        ][self.pick(5)]
        .clone()
    }

    fn term(&mut self, ty: Type, depth: usize) -> Term {
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

    fn condition(&mut self, choice: usize, depth: usize) -> Term {
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

    /// The right-hand side of an assignment.
    fn value(&mut self, ty: Type) -> Term {
        match (ty, self.pick(4)) {
            (Type::S32, 0 | 1) => self.binary(VerilogOp::Mul, Type::S16, ty, 1),
            (Type::S32, 2) => self.cast(Type::S16, ty),
            (Type::S16, 0) => self.cast(Type::S8, ty),
            (Type::U20, 0) => self.cast(Type::U8, ty),
            _ => {
                let depth = 1 + self.pick(3);
                self.term(ty, depth)
            }
        }
    }

    fn assign(&mut self, target: &str, ty: Type) -> Step {
        let value = self.value(ty);
        self.assign_value(target, value)
    }

    fn assign_value(&mut self, target: &str, value: Term) -> Step {
        let name = target.to_string();
        let ast =
            VerilogStatement::Assignment(Ast::Signal(format!("{target}$next")), value.ast.clone());
        Step {
            ast,
            run: std::rc::Rc::new(move |s: &mut State| {
                let v = (value.eval)(s);
                s.insert(name.clone(), v);
            }),
        }
    }

    /// `t = t.replace_bit(i, b)` of an eight-bit signal.
    fn replace_bit(&mut self, target: &str) -> Step {
        let bit = self.term(Type::Bit, 1);
        let place = self.pick(9) as u64;
        let (index, at): (Ast, std::rc::Rc<dyn Fn(&State) -> u64>) = if place == 8 {
            let k = self.signal(Type::U3);
            (k.ast.clone(), k.eval.clone())
        } else {
            (literal(place), std::rc::Rc::new(move |_| place))
        };
        let itself = Box::new(Ast::Signal(target.to_string()));
        let value = Ast::IndexReplace(itself, Box::new(index), Box::new(bit.ast.clone()));
        let name = target.to_string();
        Step {
            ast: VerilogStatement::Assignment(Ast::Signal(format!("{target}$next")), value),
            run: std::rc::Rc::new(move |s: &mut State| {
                let (at, bit, old) = (at(s), (bit.eval)(s), s[&name]);
                s.insert(name.clone(), old & !(1 << at) | bit << at);
            }),
        }
    }

    fn block(&mut self, targets: &[(String, Type)], depth: usize) -> Vec<Step> {
        let count = 1 + self.pick(2);
        (0..count).map(|_| self.change(targets, depth)).collect()
    }

    /// Assigns some of `targets` again, perhaps under a condition.
    fn change(&mut self, targets: &[(String, Type)], depth: usize) -> Step {
        let (name, ty) = targets[self.pick(targets.len())].clone();
        match self.pick(if depth == 0 { 4 } else { 8 }) {
            0 | 1 if ty == Type::U8 => self.replace_bit(&name),
            0..=3 => self.assign(&name, ty),
            4..=6 => {
                let test = self.term(Type::Bit, 2);
                let then = self.block(targets, depth - 1);
                let other = match self.rng.random_bool(0.4) {
                    true => self.block(targets, depth - 1),
                    false => Vec::new(),
                };
                conditional(test, then, other)
            }
            _ => {
                let test = self.signal(Type::U3);
                let labels = 1 + self.pick(7);
                let arms: Vec<Vec<Step>> = (0..labels)
                    .map(|_| self.block(targets, depth - 1))
                    .collect();
                let default = self.block(targets, depth - 1);
                case(test, arms, default)
            }
        }
    }
}

fn asts(block: &[Step]) -> Vec<VerilogStatement> {
    block.iter().map(|step| step.ast.clone()).collect()
}

fn conditional(test: Term, then: Vec<Step>, other: Vec<Step>) -> Step {
    let otherwise = match other.is_empty() {
        true => Otherwise::None,
        false => Otherwise::Block(asts(&other)),
    };
    let ast = VerilogStatement::If(VerilogConditional {
        test: test.ast.clone(),
        then: asts(&then),
        otherwise,
    });
    let run = std::rc::Rc::new(move |s: &mut State| {
        let block = if (test.eval)(s) == 1 { &then } else { &other };
        block.iter().for_each(|step| (step.run)(s));
    });
    Step { ast, run }
}

fn case(test: Term, arms: Vec<Vec<Step>>, default: Vec<Step>) -> Step {
    let mut cases: Vec<VerilogCase> = arms
        .iter()
        .enumerate()
        .map(|(label, block)| VerilogCase {
            condition: label.to_string(),
            block: asts(block),
        })
        .collect();
    cases.push(VerilogCase {
        condition: "default".to_string(),
        block: asts(&default),
    });
    let ast = VerilogStatement::Match(VerilogMatch {
        test: test.ast.clone(),
        cases,
    });
    let run = std::rc::Rc::new(move |s: &mut State| {
        let block = arms.get((test.eval)(s) as usize).unwrap_or(&default);
        block.iter().for_each(|step| (step.run)(s));
    });
    Step { ast, run }
}

/// A module whose statements are random.
#[derive(LogicBlock)]
struct Random {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub u: Vec<Signal<In, Bits<8>>>,
    pub s: Vec<Signal<In, Signed<8>>>,
    pub k: Signal<In, Bits<3>>,
    pub out: Vec<Signal<Out, Bits<8>>>,
    bit: Vec<Signal<Local, Bit>>,
    u3: Vec<Signal<Local, Bits<3>>>,
    u8: Vec<Signal<Local, Bits<8>>>,
    u20: Vec<Signal<Local, Bits<20>>>,
    s8: Vec<Signal<Local, Signed<8>>>,
    s16: Vec<Signal<Local, Signed<16>>>,
    s32: Vec<Signal<Local, Signed<32>>>,
    r8: Vec<DFF<Bits<8>>>,
    r20: Vec<DFF<Bits<20>>>,
    _body: Vec<VerilogStatement>,
}

fn many<T: Default>(count: usize) -> Vec<T> {
    (0..count).map(|_| T::default()).collect()
}

impl Logic for Random {
    fn update(&mut self) {}
    fn hdl(&self) -> Verilog {
        Verilog::Combinatorial(self._body.clone())
    }
}

const REGISTERS: [(&str, Type); 2] = [("r8", Type::U8), ("r20", Type::U20)];

fn random_module(seed: u64) -> (Random, Vec<Step>) {
    let mut g = Generator {
        rng: ChaCha8Rng::seed_from_u64(seed),
        readable: vec![("k".to_string(), Type::U3)],
    };
    for i in 0..2 {
        g.readable.push((format!("u${i}"), Type::U8));
        g.readable.push((format!("s${i}"), Type::S8));
    }
    let mut targets = Vec::new();
    let mut body = Vec::new();
    let mut wiring = Vec::new();
    for (field, ty) in REGISTERS {
        for i in 0..POOL {
            g.readable.push((format!("{field}${i}$q"), ty));
            let clock = Ast::Signal(format!("{field}${i}$clock$next"));
            wiring.push(VerilogStatement::Assignment(
                clock,
                Ast::Signal("clock".into()),
            ));
        }
    }
    // First assignments, so that every type can be read afterwards.
    let first = [
        ("u3", Type::U3, Type::U8),
        ("bit", Type::Bit, Type::U8),
        ("u8", Type::U8, Type::U20),
        ("u20", Type::U20, Type::U8),
        ("s8", Type::S8, Type::U8),
        ("s16", Type::S16, Type::S8),
        ("s32", Type::S32, Type::S16),
    ];
    for (field, ty, from) in first {
        for i in 0..POOL {
            let value = match ty {
                Type::U3 | Type::Bit => g.slice(from, ty),
                _ => g.cast(from, ty),
            };
            let name = format!("{field}${i}");
            body.push(g.assign_value(&name, value));
            g.readable.push((name.clone(), ty));
            targets.push((name, ty));
        }
    }
    for (field, ty) in REGISTERS {
        for i in 0..POOL {
            let name = format!("{field}${i}$q");
            let eval_name = name.clone();
            let hold = Term {
                ast: Ast::Signal(name),
                eval: std::rc::Rc::new(move |s: &State| s[&eval_name]),
            };
            let target = format!("{field}${i}$d");
            body.push(g.assign_value(&target, hold));
            targets.push((target, ty));
        }
    }
    for _ in 0..STATEMENTS {
        // A group of few targets leaves the others their `assign`s.
        let from = g.pick(targets.len() - 3);
        let some = targets[from..from + 3].to_vec();
        body.push(g.change(&some, 2));
    }
    for i in 0..OUTPUTS {
        body.push(g.assign(&format!("out${i}"), Type::U8));
    }
    body.push(reset_all());
    let mut statements = wiring;
    statements.extend(asts(&body));
    let module = Random {
        clock: Default::default(),
        reset: Default::default(),
        u: many(2),
        s: many(2),
        k: Default::default(),
        out: many(OUTPUTS),
        bit: many(POOL),
        u3: many(POOL),
        u8: many(POOL),
        u20: many(POOL),
        s8: many(POOL),
        s16: many(POOL),
        s32: many(POOL),
        r8: many(POOL),
        r20: many(POOL),
        _body: statements,
    };
    (module, body)
}

/// `if reset` clears every register.
fn reset_all() -> Step {
    let mut then = Vec::new();
    for (field, _) in REGISTERS {
        for i in 0..POOL {
            let name = format!("{field}${i}$d");
            let target = Ast::Signal(format!("{name}$next"));
            then.push(Step {
                ast: VerilogStatement::Assignment(target, literal(0)),
                run: std::rc::Rc::new(move |s: &mut State| {
                    s.insert(name.clone(), 0);
                }),
            });
        }
    }
    let test = Term {
        ast: Ast::Signal("reset".into()),
        eval: std::rc::Rc::new(|s: &State| s["reset"]),
    };
    conditional(test, then, Vec::new())
}

/// The random modules side by side; of every other output only the low bits are used.
#[derive(LogicBlock)]
struct Zoo {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub u: Vec<Signal<In, Bits<8>>>,
    pub s: Vec<Signal<In, Signed<8>>>,
    pub k: Signal<In, Bits<3>>,
    pub all: Vec<Signal<Out, Bits<8>>>,
    pub low: Vec<Signal<Out, Bits<5>>>,
    random: Vec<Random>,
    _modules: usize,
}

impl Logic for Zoo {
    #[hdl_gen]
    fn update(&mut self) {
        for m in 0..self._modules {
            self.random[m].clock.next = self.clock.val();
            self.random[m].reset.next = self.reset.val();
            self.random[m].k.next = self.k.val();
            for i in 0..2 {
                self.random[m].u[i].next = self.u[i].val();
                self.random[m].s[i].next = self.s[i].val();
                self.all[2 * m + i].next = self.random[m].out[i].val();
                self.low[2 * m + i].next = self.random[m].out[i + 2].val().get_bits::<5>(0);
            }
        }
    }
}

/// One clock cycle: outputs for the inputs, then the registers take their next values.
fn step(state: &mut State, body: &[Step], input: &[u64]) -> Vec<u64> {
    let names = ["reset", "k", "u$0", "u$1", "s$0", "s$1"];
    for (name, value) in names.iter().zip(input) {
        state.insert(name.to_string(), *value);
    }
    body.iter().for_each(|step| (step.run)(state));
    let out = (0..OUTPUTS).map(|i| state[&format!("out${i}")]).collect();
    for (field, _) in REGISTERS {
        for i in 0..POOL {
            let next = state[&format!("{field}${i}$d")];
            state.insert(format!("{field}${i}$q"), next);
        }
    }
    out
}

#[test]
fn random_modules_compute_what_an_interpreter_of_the_rust_types_computes() {
    let (modules, bodies): (Vec<Random>, Vec<Vec<Step>>) =
        (0..MODULES as u64).map(random_module).unzip();
    let mut zoo = Zoo {
        clock: Default::default(),
        reset: Default::default(),
        u: many(2),
        s: many(2),
        k: Default::default(),
        all: many(2 * MODULES),
        low: many(2 * MODULES),
        random: modules,
        _modules: MODULES,
    };
    let inputs: Vec<String> = ["reset", "k", "u_0", "u_1", "s_0", "s_1"]
        .map(String::from)
        .to_vec();
    let mut outputs = lanes("all", 2 * MODULES);
    outputs.extend(lanes("low", 2 * MODULES));
    let Some(bench) = Bench::build(&mut zoo, "zoo", &inputs, &outputs) else {
        return;
    };
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    let rows: Vec<Vec<u64>> = (0..CYCLES)
        .map(|t| {
            let corner = [0, 1, 127, 128, 255];
            let mut byte = || match rng.random_bool(0.3) {
                true => corner[rng.random_range(0..corner.len())],
                false => rng.random_range(0..256),
            };
            let bytes = [byte(), byte(), byte(), byte()];
            let mut row = vec![u64::from(t < 2 || t == 200), rng.random_range(0..8)];
            row.extend(bytes);
            row
        })
        .collect();
    let responses = bench.run(&rows);
    for (m, body) in bodies.iter().enumerate() {
        let mut state = State::new();
        for (field, _) in REGISTERS {
            for i in 0..POOL {
                state.insert(format!("{field}${i}$q"), 0);
            }
        }
        for (t, (row, response)) in rows.iter().zip(&responses).enumerate() {
            let out = step(&mut state, body, row);
            if t == 0 {
                // Registers of the model start with random values; the interpreter is in reset.
                continue;
            }
            let seen = [
                response[2 * m],
                response[2 * m + 1],
                response[2 * (MODULES + m)],
                response[2 * (MODULES + m) + 1],
            ];
            let expected = [out[0], out[1], out[2] & 31, out[3] & 31];
            assert_eq!(seen, expected, "module {m}, cycle {t}, inputs {row:?}");
        }
    }
}
