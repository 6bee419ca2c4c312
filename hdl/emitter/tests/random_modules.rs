//! Random modules: what the emitted Verilog computes against an interpreter in Rust.
//!
//! Every module is a random list of statements over signals of several widths, handed to the
//! emitter as rust-hdl's AST. The interpreter knows the Rust types only; narrowing, joining of
//! bits, regrouping and the clocked block must not change a value.

mod bench;
mod random;

use bench::{Bench, lanes};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use random::{Generator, State, Step, Term, Type, asts, conditional, literal};
use rust_hdl::prelude::ast::{VerilogExpression as Ast, VerilogStatement};
use rust_hdl::prelude::*;
use std::rc::Rc;

const MODULES: usize = 24;
const STATEMENTS: usize = 40;
const OUTPUTS: usize = 4;
/// Signals of each type in a module.
const POOL: usize = 4;
const CYCLES: usize = 400;

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
                eval: Rc::new(move |s: &State| s[&eval_name]),
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
                run: Rc::new(move |s: &mut State| {
                    s.insert(name.clone(), 0);
                }),
            });
        }
    }
    let test = Term {
        ast: Ast::Signal("reset".into()),
        eval: Rc::new(|s: &State| s["reset"]),
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
