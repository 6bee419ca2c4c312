//! The whole design without its hierarchy: nets, what drives them, registers, memories.

use crate::error::EngineError;
use crate::expr::{MemoryId, NetId, Statement, Target, Term, Value};
use crate::leaf::Leaf;
use brownout_emitter::netlist::{self as source, Kind, Netlist, Role};
use std::collections::BTreeSet;

/// A value somewhere in the design.
#[derive(Debug, Clone)]
pub(crate) struct Net {
    /// Path with `.` between instances and `$` within a module: `array.pe$5.sum$q`.
    pub path: String,
    pub width: usize,
}

/// Combinational statements, read from top to bottom.
#[derive(Debug, Clone)]
pub(crate) struct Block {
    pub body: Vec<Statement>,
    pub writes: Vec<NetId>,
}

/// What happens to one register, or to one lane of a memory, at a clock edge.
#[derive(Debug, Clone)]
pub(crate) struct Edge {
    /// The register; `None` where a memory is written.
    pub register: Option<NetId>,
    pub body: Vec<Statement>,
}

#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub path: String,
    pub depth: usize,
    pub lanes: usize,
    pub width: usize,
}

/// A design.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flat {
    pub nets: Vec<Net>,
    pub blocks: Vec<Block>,
    pub edges: Vec<Edge>,
    pub memories: Vec<Memory>,
    pub inputs: Vec<NetId>,
    pub outputs: Vec<NetId>,
    pub registers: BTreeSet<NetId>,
}

/// Takes the hierarchy apart. `leaf` says what a module that is only text does.
pub(crate) fn flatten(
    netlist: &Netlist,
    leaf: &dyn Fn(&str, &str) -> Option<Leaf>,
) -> Result<Flat, EngineError> {
    let mut flattener = Flattener {
        netlist,
        leaf,
        flat: Flat::default(),
    };
    let Some(top) = netlist.kinds.last() else {
        return Ok(flattener.flat);
    };
    let local = flattener.instance(top, "", &[])?;
    let ports = top.ports.iter().map(|&port| (&top.nets[port], local[port]));
    for (net, global) in ports.filter(|(net, _)| net.width > 0 && !net.clock) {
        match net.role {
            Role::Input => flattener.flat.inputs.push(global),
            _ => flattener.flat.outputs.push(global),
        }
    }
    Ok(flattener.flat)
}

struct Flattener<'a> {
    netlist: &'a Netlist,
    leaf: &'a dyn Fn(&str, &str) -> Option<Leaf>,
    flat: Flat,
}

impl Flattener<'_> {
    fn net(&mut self, path: String, width: usize) -> NetId {
        self.flat.nets.push(Net { path, width });
        self.flat.nets.len() - 1
    }

    fn width(&self, net: NetId) -> usize {
        self.flat.nets[net].width
    }

    /// Adds an instance of `kind` whose ports are plugged into `plugged`, if it is not the top;
    /// returns what its nets have become.
    fn instance(
        &mut self,
        kind: &Kind,
        path: &str,
        plugged: &[NetId],
    ) -> Result<Vec<NetId>, EngineError> {
        let mut local = vec![usize::MAX; kind.nets.len()];
        for (&port, &outside) in kind.ports.iter().zip(plugged) {
            let net = &kind.nets[port];
            if net.clock || net.width == 0 || outside == usize::MAX {
                continue;
            }
            local[port] = outside;
            if self.width(outside) == net.width {
                continue;
            }
            let inside = self.net(format!("{path}.{}", net.path), net.width);
            local[port] = inside;
            let (from, to) = match net.role {
                Role::Input => (outside, inside),
                _ => (inside, outside),
            };
            let (width, narrow) = (self.width(to), self.width(from).min(self.width(to)));
            let value = Value::net(from, self.width(from)).bits(0, narrow);
            self.assign(to, value.zero_extend(width));
        }
        for (at, net) in kind.nets.iter().enumerate() {
            if net.width > 128 {
                return Err(EngineError::Wide {
                    net: joined(path, &net.path),
                    width: net.width,
                });
            }
            if local[at] == usize::MAX && net.width > 0 && !net.clock {
                local[at] = self.net(joined(path, &net.path), net.width);
            }
        }
        match &kind.leaf {
            Some(text) => self.leaf(kind, path, text, &local)?,
            None => self.statements(kind, path, &local)?,
        }
        Ok(local)
    }

    fn scope<'s>(&'s self, reads: &'s [NetId], writes: &'s [NetId]) -> Scope<'s> {
        let nets = &self.flat.nets;
        Scope {
            reads,
            writes,
            nets,
        }
    }

    fn assign(&mut self, target: NetId, value: Value) {
        self.flat.blocks.push(Block {
            body: vec![Statement::Assign(Target::Whole(target), value)],
            writes: vec![target],
        });
    }

    fn statements(&mut self, kind: &Kind, path: &str, local: &[NetId]) -> Result<(), EngineError> {
        for block in &kind.blocks {
            let body = self.scope(local, local).block(block);
            let mut writes = BTreeSet::new();
            body.iter().for_each(|s| {
                s.targets(&mut |t| writes.extend(t.net()));
            });
            let writes = writes.into_iter().collect();
            self.flat.blocks.push(Block { body, writes });
        }
        // In clocked statements a `d` that is assigned is the register itself.
        let mut targets = local.to_vec();
        for register in &kind.registers {
            targets[register.d] = local[register.q];
        }
        let clocked = self.scope(local, &targets).block(&kind.clocked);
        for register in &kind.registers {
            let q = local[register.q];
            self.flat.registers.insert(q);
            let mut body = Vec::new();
            if register.has_d {
                let d = local[register.d];
                let value = Value::net(d, self.width(d));
                body.push(Statement::Assign(Target::Whole(q), value));
            }
            body.extend(clocked.iter().filter_map(|s| s.only(q)));
            self.flat.edges.push(Edge {
                register: Some(q),
                body,
            });
        }
        for child in &kind.children {
            let plugged: Vec<NetId> = child.ports.iter().map(|&port| local[port]).collect();
            let below = &self.netlist.kinds[child.kind];
            self.instance(below, &joined(path, &child.path), &plugged)?;
        }
        Ok(())
    }

    fn leaf(
        &mut self,
        kind: &Kind,
        path: &str,
        text: &str,
        local: &[NetId],
    ) -> Result<(), EngineError> {
        let unknown = |reason: String| EngineError::Leaf {
            module: kind.name.clone(),
            reason,
        };
        let leaf = (self.leaf)(&kind.name, text)
            .ok_or_else(|| unknown("nobody says what it does".to_string()))?;
        let port = |name: &str| {
            let found = kind.ports.iter().find(|&&p| kind.nets[p].path == name);
            found.map(|&p| local[p]).filter(|&net| net != usize::MAX)
        };
        match leaf {
            Leaf::Memory {
                depth,
                lanes,
                width,
            } => {
                let id = self.flat.memories.len();
                self.flat.memories.push(Memory {
                    path: path.to_string(),
                    depth,
                    lanes,
                    width,
                });
                let needed = |name: &str| {
                    port(name).ok_or_else(|| unknown(format!("it has no port `{name}`")))
                };
                let read = self.whole(needed("read_address")?);
                let write = self.whole(needed("write_address")?);
                let enable = self.whole(needed("read_enable")?);
                for lane in 0..lanes {
                    // Lanes that nobody reads have no port.
                    if let Some(data) = port(&format!("read_data${lane}")) {
                        self.read(id, lane, data, &enable, &read);
                    }
                    let enable = self.whole(needed(&format!("write_enable${lane}"))?);
                    let data = self.whole(needed(&format!("write_data${lane}"))?);
                    let data = data.bits(0, width);
                    let target = Target::Word(id, lane, write.clone());
                    self.flat.edges.push(Edge {
                        register: None,
                        body: vec![Statement::If(
                            enable,
                            vec![Statement::Assign(target, data)],
                            Vec::new(),
                        )],
                    });
                }
            }
            Leaf::Registers(registers) => {
                let mut nets = Vec::new();
                for register in &registers {
                    let net = match port(register.name) {
                        Some(net) => net,
                        None => self.net(joined(path, register.name), register.width),
                    };
                    nets.push(net);
                    self.flat.registers.insert(net);
                }
                for (at, register) in registers.iter().enumerate() {
                    let names = |name: &str| {
                        let own = registers.iter().position(|r| r.name == name);
                        own.map(|at| nets[at]).or_else(|| port(name))
                    };
                    let widths = |net: NetId| self.flat.nets[net].width;
                    let (enable, value) = register.resolve(&names, &widths).ok_or_else(|| {
                        unknown(format!("it has no port of register `{}`", register.name))
                    })?;
                    let assign = vec![Statement::Assign(
                        Target::Whole(nets[at]),
                        value.bits(0, widths(nets[at])),
                    )];
                    self.flat.edges.push(Edge {
                        register: Some(nets[at]),
                        body: vec![Statement::If(enable, assign, Vec::new())],
                    });
                }
            }
        }
        Ok(())
    }

    fn whole(&self, net: NetId) -> Value {
        Value::net(net, self.width(net))
    }

    fn read(&mut self, id: MemoryId, lane: usize, data: NetId, enable: &Value, address: &Value) {
        let (whole, wanted) = (self.flat.memories[id].width, self.width(data));
        let word = Value::new(whole, Term::Word(id, lane, address.clone().boxed()));
        self.flat.registers.insert(data);
        let assign = Statement::Assign(Target::Whole(data), word.bits(0, wanted));
        self.flat.edges.push(Edge {
            register: Some(data),
            body: vec![Statement::If(enable.clone(), vec![assign], Vec::new())],
        });
    }
}

fn joined(path: &str, name: &str) -> String {
    match path.is_empty() {
        true => name.to_string(),
        false => format!("{path}.{name}"),
    }
}

/// Nets of a module, as they are read, and as they are assigned.
#[derive(Clone, Copy)]
struct Scope<'a> {
    reads: &'a [NetId],
    writes: &'a [NetId],
    nets: &'a [Net],
}

impl Scope<'_> {
    fn block(self, block: &[source::Statement]) -> Vec<Statement> {
        block.iter().map(|s| self.statement(s)).collect()
    }

    fn statement(self, s: &source::Statement) -> Statement {
        match s {
            source::Statement::Assign {
                target,
                part,
                value,
            } => {
                let net = self.writes[*target];
                let target = match part {
                    source::Part::Whole => Target::Whole(net),
                    source::Part::Bits { low, width } => Target::Bits(net, *low, *width),
                    source::Part::Variable { index, width } => {
                        Target::Variable(net, self.value(index), *width)
                    }
                };
                Statement::Assign(target, self.value(value))
            }
            source::Statement::If { test, then, other } => {
                Statement::If(self.value(test), self.block(then), self.block(other))
            }
            source::Statement::Case {
                test,
                arms,
                default,
            } => Statement::Case(
                self.value(test),
                arms.iter().map(|(n, b)| (*n, self.block(b))).collect(),
                default.as_deref().map_or(Vec::new(), |b| self.block(b)),
            ),
        }
    }

    fn net(self, net: usize) -> Value {
        let net = self.reads[net];
        Value::net(net, self.nets[net].width)
    }

    fn value(self, v: &source::Value) -> Value {
        use source::{Op, Term as S};
        let boxed = |v: &source::Value| Box::new(self.value(v));
        let width = v.width;
        let term = match &v.term {
            S::Constant(number) => return Value::constant(*number, width),
            S::Net { net, low } => return self.net(*net).bits(*low, width),
            S::Select { net, index } => Term::Select(self.net(*net).boxed(), boxed(index)),
            S::Same(inner) => return self.value(inner),
            S::ZeroExtend(inner) => Term::ZeroExtend(boxed(inner)),
            S::SignExtend(inner) => Term::SignExtend(boxed(inner)),
            S::Not(inner) => Term::Not(boxed(inner)),
            S::Negate(inner) => Term::Negate(boxed(inner)),
            S::Reduce(fold, inner) => Term::Reduce(*fold, boxed(inner)),
            S::Binary(Op::Mul, l, r) => Term::Product([boxed(l), boxed(r)], [l.signed, r.signed]),
            S::Binary(op, l, r) => Term::Binary(*op, boxed(l), boxed(r)),
            S::Compare(cmp, l, r) => Term::Compare(*cmp, l.signed, boxed(l), boxed(r)),
            S::And(l, r) => Term::Binary(Op::And, boxed(l), boxed(r)),
            S::Or(l, r) => Term::Binary(Op::Or, boxed(l), boxed(r)),
            S::ShiftLeft(l, by) => Term::ShiftLeft(boxed(l), boxed(by)),
            S::ShiftRight(l, by) => Term::ShiftRight(boxed(l), boxed(by)),
            S::Concat(parts) => Term::Concat(parts.iter().map(|p| self.value(p)).collect()),
            S::Choose(test, then, other) => Term::Choose(boxed(test), boxed(then), boxed(other)),
        };
        Value::new(width, term)
    }
}
