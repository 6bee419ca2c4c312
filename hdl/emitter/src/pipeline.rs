//! The passes in order.

use super::Emitter;
use super::arrange::{Arranged, Item, arrange};
use super::check::check;
use super::children::{Connection, Placed, Socket, connect, join_outputs};
use super::collect::{Code, RawKind, collect};
use super::demand::{KindView, Needs, demand, is_live};
use super::error::EmitError;
use super::instances;
use super::ir::{Expr, Instance, ModuleIr, Role, Signal, SignalId};
use super::join::{by_target, join};
use super::lanes::{Packing, pack};
use super::lower::lower;
use super::module::{Labels, Sheet, print};
use super::names::{Naming, is_identifier, is_reserved, lane};
use super::narrow::{Narrower, widths};
use super::output::{Direction, Emitted, Module, Origin, PackedPort, Port};
use super::propagate::{name_by_outputs, propagate};
use super::regroup::{Uses, regroup, uses};
use super::roll::roll;
use super::stages::take;
use super::through::{Through, Wires};
use super::{leaf, tidy};
use rust_hdl::prelude::Block;
use std::collections::{BTreeMap, BTreeSet};

/// All passes but printing.
pub(crate) fn design<B: Block>(options: &Emitter, top: &B) -> Result<Design, EmitError> {
    let raws = collect(top, &options.top)?;
    let mut irs = Vec::new();
    for this in 0..raws.len() {
        let mut ir = lower(&raws, this, &options.names)?;
        if matches!(raws[this].code, Code::Rtl(_)) {
            check(&ir, &raws[this].place())?;
            ir.body = tidy::tidy(ir.body, &ir.signals);
            propagate(&mut ir);
        }
        irs.push(ir);
    }
    Design::new(options, raws, irs)
}

pub(crate) fn run<B: Block>(options: &Emitter, top: &B) -> Result<Emitted, EmitError> {
    let design = design(options, top)?;
    let mut modules = Vec::new();
    for kind in design.printed() {
        modules.push(design.module(kind)?);
    }
    Ok(Emitted {
        modules,
        header: design.header,
    })
}

/// All kinds with their needs and final widths.
pub(crate) struct Design {
    raws: Vec<RawKind>,
    irs: Vec<ModuleIr>,
    needs: Vec<Needs>,
    /// Final widths per kind and signal.
    widths: Vec<Vec<usize>>,
    names: Vec<String>,
    header: String,
    naming: Naming,
    /// Ports of every kind as its parents see them.
    ports: Vec<Vec<PackedPort>>,
    /// Every kind that is described in rust-hdl, before its lanes become arrays.
    scalars: Vec<Scalar>,
}

/// A kind with a signal for every lane.
struct Scalar {
    ir: ModuleIr,
    arranged: Arranged,
    /// `Vec`s of children that feed each other within a clock.
    chained: BTreeSet<String>,
    wires: Wires,
}

impl Design {
    fn new(options: &Emitter, raws: Vec<RawKind>, irs: Vec<ModuleIr>) -> Result<Self, EmitError> {
        let top = raws.len() - 1;
        let mut views = Vec::new();
        for (raw, ir) in raws.iter().zip(&irs) {
            views.push(KindView {
                ir,
                leaf: !matches!(raw.code, Code::Rtl(_)),
                leaf_uses: leaf_uses(raw, ir)?,
            });
        }
        let needs = demand(&views);
        let mut final_widths: Vec<Vec<usize>> = Vec::new();
        for (kind, ir) in irs.iter().enumerate() {
            let mut own = widths(ir, &needs[kind]);
            for (id, signal) in ir.signals.iter().enumerate() {
                match signal.role {
                    Role::Input | Role::Output if kind == top => own[id] = signal.width,
                    Role::InstanceOutput { inst, port } => {
                        let child = ir.instances[inst].kind;
                        own[id] = final_widths[child][irs[child].ports[port]];
                    }
                    _ => {}
                }
            }
            final_widths.push(own);
        }
        let mut design = Self {
            raws,
            irs,
            needs,
            widths: final_widths,
            names: Vec::new(),
            header: options.header.clone(),
            naming: options.names.clone(),
            ports: Vec::new(),
            scalars: Vec::new(),
        };
        design.names = design.printed_names(options)?;
        design.ports = (0..design.irs.len())
            .map(|kind| design.packed_ports(kind))
            .collect();
        design.arrange_all();
        Ok(design)
    }

    /// The modules' names: prefix, title with the widths of its ports, and a number where two
    /// kinds still share one.
    fn printed_names(&self, options: &Emitter) -> Result<Vec<String>, EmitError> {
        let reachable = self.reachable();
        let mut used: BTreeMap<String, usize> = BTreeMap::new();
        let mut names = Vec::new();
        for kind in 0..self.raws.len() {
            if kind + 1 == self.raws.len() {
                names.push(options.top.clone());
                break;
            }
            if let Code::Elsewhere(name) = &self.raws[kind].code {
                names.push(name.clone());
                continue;
            }
            let title = self.title(kind)?;
            let count = used.entry(title.clone()).or_insert(0);
            *count += usize::from(reachable.contains(&kind));
            names.push(match count {
                0 | 1 => format!("{}_{title}", options.prefix),
                n => format!("{}_{title}_{n}", options.prefix),
            });
        }
        Ok(names)
    }

    /// A kind's title with the final widths of the ports that it names.
    fn title(&self, kind: usize) -> Result<String, EmitError> {
        let (raw, ir) = (&self.raws[kind], &self.irs[kind]);
        let mut pieces = raw.title.split('{');
        let mut out = pieces.next().unwrap_or_default().to_string();
        for piece in pieces {
            let (port, rest) = piece.split_once(":bits}").unwrap_or((piece, ""));
            let id = ir.ports.iter().find(|p| ir.signals[**p].path == port);
            let id = *id.ok_or_else(|| {
                let reason = format!("`{{{port}:bits}}` names no port of this module");
                raw.place().refuse(&raw.title, reason)
            })?;
            out.push_str(&self.widths[kind][id].to_string());
            out.push_str(rest);
        }
        Ok(out)
    }

    /// Kinds with a live instance, in ascending order.
    fn reachable(&self) -> BTreeSet<usize> {
        let mut found = BTreeSet::new();
        let mut open = vec![self.raws.len() - 1];
        while let Some(kind) = open.pop() {
            if found.insert(kind) {
                let ir = &self.irs[kind];
                let live = ir
                    .instances
                    .iter()
                    .filter(|i| is_live(ir, i, &self.needs[kind]));
                open.extend(live.map(|i| i.kind));
            }
        }
        found
    }

    /// The kinds that are printed here, every parent before its children.
    pub fn printed(&self) -> Vec<usize> {
        let elsewhere = |k: &usize| matches!(self.raws[*k].code, Code::Elsewhere(_));
        let kinds = self.reachable().into_iter().rev();
        kinds.filter(|k| !elsewhere(k)).collect()
    }

    /// Lines of the comment that opens every file.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// The text of a leaf, without its ports.
    pub fn leaf_text(&self, kind: usize) -> Option<&str> {
        match &self.raws[kind].code {
            Code::Leaf(text) => Some(text),
            _ => None,
        }
    }

    /// A kind with the widths that are printed, without its statements.
    pub fn final_ir(&self, kind: usize) -> ModuleIr {
        let ir = &self.irs[kind];
        ModuleIr {
            signals: self.final_signals(kind),
            ports: ir.ports.clone(),
            registers: ir.registers.clone(),
            instances: ir.instances.clone(),
            body: Vec::new(),
        }
    }

    /// The declarations of a kind with its arrays.
    pub fn packed_ir(&self, kind: usize) -> (ModuleIr, Packing) {
        let mut ir = self.final_ir(kind);
        let packing = pack(&mut ir, &self.naming, &BTreeSet::new(), &BTreeSet::new());
        packing.retire(&mut ir);
        (ir, packing)
    }

    fn packed_ports(&self, kind: usize) -> Vec<PackedPort> {
        let mut ir = self.final_ir(kind);
        let before = ir.ports.clone();
        let packing = pack(&mut ir, &self.naming, &BTreeSet::new(), &BTreeSet::new());
        let port = |id: &SignalId| {
            let signal = &ir.signals[*id];
            let mut members: Vec<(usize, usize)> = Vec::new();
            for (position, scalar) in before.iter().enumerate() {
                match packing.places.get(scalar) {
                    Some((array, low)) if array == id => members.push((*low, position)),
                    None if scalar == id => members.push((0, position)),
                    _ => {}
                }
            }
            members.sort_unstable();
            (signal.width > 0).then(|| PackedPort {
                name: signal.name.clone(),
                input: signal.role == Role::Input,
                clock: signal.clock,
                lane_width: signal.lanes.map_or(signal.width, |l| l.width),
                members: members.into_iter().map(|(_, position)| position).collect(),
            })
        };
        ir.ports.iter().filter_map(port).collect()
    }

    pub fn module(&self, kind: usize) -> Result<Module, EmitError> {
        let (raw, name) = (&self.raws[kind], &self.names[kind]);
        let mut places = Vec::new();
        let (ir, text, origin) = match &raw.code {
            Code::Leaf(text) => {
                let (ir, packing) = self.packed_ir(kind);
                let text = self.print_leaf(kind, &ir, text);
                places.extend(packing.names(&ir));
                (ir, text, Origin::Leaf)
            }
            _ => {
                let (ir, needs, arranged, packing) = self.arranged(kind);
                places.extend(packing.names(&ir));
                for (base, number, path) in instances::paths(&arranged.children) {
                    let of = |i: &&Instance| {
                        lane(&i.path) == Some((base.as_str(), number as usize)) && i.name != path
                    };
                    let instance = ir.instances.iter().find(of);
                    places.extend(instance.map(|i| (i.name.clone(), path)));
                }
                let text = self.print_rtl(kind, &ir, needs, arranged, None);
                (ir, text, Origin::RustHdl)
            }
        };
        self.check_names(kind, &ir)?;
        let ports = ir
            .ports
            .iter()
            .map(|&p| &ir.signals[p])
            .filter(|s| s.width > 0)
            .map(|s| Port {
                name: s.name.clone(),
                direction: match s.role {
                    Role::Input => Direction::Input,
                    _ => Direction::Output,
                },
                width: s.width,
                signed: s.signed,
                lanes: s.lanes.map_or(1, |l| l.count),
            })
            .collect();
        Ok(Module {
            name: name.clone(),
            text,
            origin,
            ports,
            places,
        })
    }

    fn final_signals(&self, kind: usize) -> Vec<Signal> {
        self.irs[kind]
            .signals
            .iter()
            .zip(&self.widths[kind])
            .map(|(signal, &width)| Signal {
                width,
                ..signal.clone()
            })
            .collect()
    }

    /// Statements of all kinds over scalars, and what passes through each.
    fn arrange_all(&mut self) {
        let mut through: Vec<Through> = Vec::new();
        for kind in 0..self.irs.len() {
            let original = &self.irs[kind];
            let narrower = Narrower {
                widths: &self.widths[kind],
                needs: &self.needs[kind],
                original: &original.signals,
            };
            let mut ir = self.final_ir(kind);
            ir.body = narrower.block(&original.body);
            name_by_outputs(&mut ir);
            let body = std::mem::take(&mut ir.body);
            let arranged = arrange(body, &ir.signals);
            let children: Vec<Option<&Through>> = original
                .instances
                .iter()
                .map(|i| is_live(original, i, &self.needs[kind]).then(|| &through[i.kind]))
                .collect();
            let wires = Wires::of(&ir, &arranged, &children);
            let chained = wires.chained(&ir);
            through.push(match &self.raws[kind].code {
                Code::Rtl(_) => wires.through(&ir),
                // Registers stand between the ports of what is clocked.
                Code::Leaf(text) if text.contains("always @(posedge") => Through::new(),
                Code::Leaf(_) | Code::Elsewhere(_) => all_pairs(&ir),
            });
            self.scalars.push(Scalar {
                ir,
                arranged,
                chained,
                wires,
            });
        }
    }

    /// What is printed of a kind that is described in rust-hdl.
    pub fn arranged(&self, kind: usize) -> (ModuleIr, Needs, Arranged, Packing) {
        let Scalar {
            ir,
            arranged,
            chained,
            wires,
        } = &self.scalars[kind];
        let (mut ir, scalar) = (ir.clone(), arranged.clone());
        let sockets = self.sockets(kind);
        for (instance, socket) in ir.instances.iter().zip(&sockets) {
            if socket.is_none() {
                instance
                    .ports
                    .iter()
                    .for_each(|stub| ir.signals[*stub].width = 0);
            }
        }
        let packing = pack(&mut ir, &self.naming, &scalar.has_d, chained);
        let (items, clocked) = (scalar.items.clone(), scalar.clocked.clone());
        let mut arranged = packing.arranged(scalar, &ir);
        let mut lanes: Vec<Uses> = items.iter().map(uses).collect();
        let children = connect(
            &mut ir,
            &packing,
            &sockets,
            &items,
            &mut arranged,
            &mut lanes,
        );
        arranged.children = children.into_iter().map(Placed::Child).collect();
        let stages = take(&ir, &packing, wires, &clocked, &mut arranged, &mut lanes);
        arranged.items = regroup(std::mem::take(&mut arranged.items), &lanes, &ir.signals);
        arranged.clocked = join(std::mem::take(&mut arranged.clocked), &ir.signals, false);
        arranged.clocked = by_target(std::mem::take(&mut arranged.clocked), false);
        join_outputs(&mut ir, &mut arranged);
        packing.retire(&mut ir);
        for item in &mut arranged.items {
            if let Item::Always(block) = item {
                *block = roll(std::mem::take(block), &ir.signals);
            }
        }
        arranged.clocked = roll(std::mem::take(&mut arranged.clocked), &ir.signals);
        arranged.children = roll(std::mem::take(&mut arranged.children), &ir.signals);
        arranged.children.extend(stages);
        let mut needs = self.needs[kind].clone();
        needs.resize(ir.signals.len(), Vec::new());
        for (scalar, (array, low)) in &packing.places {
            let lanes = ir.signals[*array].lanes;
            let (whole, lane) = lanes.map_or((0, 0), |l| (l.width * l.count, l.width));
            needs[*array].resize(whole, false);
            for bit in 0..lane {
                let needed = self.needs[kind][*scalar].get(bit).copied().unwrap_or(false);
                needs[*array][low + bit] = needed;
            }
        }
        for (id, signal) in ir.signals.iter_mut().enumerate() {
            let given = matches!(signal.role, Role::InstanceOutput { .. } | Role::Outputs);
            if given && signal.width > 0 && !needs[id].contains(&true) {
                signal.name = format!("unused_{}", signal.name);
            }
        }
        let mut labels = Labels::new(&self.names[kind], &ir, &arranged.children);
        instances::name_loops(&mut arranged.children, &mut labels);
        (ir, needs, arranged, packing)
    }

    /// What the instances of a kind are plugged into, or `None` if one is dead.
    fn sockets(&self, kind: usize) -> Vec<Option<Socket<'_>>> {
        let ir = &self.irs[kind];
        let mut siblings: BTreeMap<&str, usize> = BTreeMap::new();
        for (base, _) in ir.instances.iter().filter_map(|i| lane(&i.path)) {
            *siblings.entry(base).or_default() += 1;
        }
        let socket = |instance: &Instance| {
            is_live(ir, instance, &self.needs[kind]).then(|| {
                let (base, number) = match lane(&instance.path) {
                    Some((base, number)) if siblings[base] > 1 => (base.replace('$', "_"), number),
                    _ => (instance.name.clone(), 0),
                };
                Socket {
                    module: &self.names[instance.kind],
                    base,
                    number,
                    printed: !matches!(self.raws[instance.kind].code, Code::Elsewhere(_)),
                    ports: &self.ports[instance.kind],
                }
            })
        };
        ir.instances.iter().map(socket).collect()
    }

    /// The text of a leaf between the ports of `ir`.
    pub fn print_leaf(&self, kind: usize, ir: &ModuleIr, text: &str) -> String {
        leaf::print(&self.names[kind], &self.raws[kind], ir, text)
    }

    /// The text of `arranged`. Input `common` of the module, if there is one, is also the last
    /// input of every child.
    pub fn print_rtl(
        &self,
        kind: usize,
        ir: &ModuleIr,
        mut needs: Needs,
        mut arranged: Arranged,
        common: Option<SignalId>,
    ) -> String {
        if let Some(id) = common {
            let signal = &ir.signals[id];
            needs.push(vec![true; signal.width]);
            let connection = Connection {
                port: signal.name.clone(),
                input: true,
                clock: false,
                value: Expr::signal(id, signal.width, false),
            };
            for placed in &mut arranged.children {
                placed.each_mut(&mut |child| {
                    if child.printed {
                        child.connections.push(connection.clone());
                    }
                });
            }
        }
        print(&Sheet {
            name: &self.names[kind],
            notes: &self.raws[kind].notes,
            grids: &self.naming.grids,
            ir,
            needs: &needs,
            arranged,
        })
    }

    /// Reserved and repeated names.
    fn check_names(&self, kind: usize, ir: &ModuleIr) -> Result<(), EmitError> {
        let refuse = |name: &str, reason: &str| EmitError::Name {
            module: self.names[kind].clone(),
            name: name.to_string(),
            reason: reason.to_string(),
        };
        let reachable = self.reachable();
        let twins = reachable
            .iter()
            .filter(|k| self.names[**k] == self.names[kind]);
        if twins.count() > 1 {
            let reason = "two different modules have this name: rename one";
            return Err(refuse(&self.names[kind], reason));
        }
        let name = &self.names[kind];
        if is_reserved(name) || !is_identifier(name) {
            let reason = "it is no free identifier: choose another `comment!(\"module ..: ..\")`";
            return Err(refuse(name, reason));
        }
        let signals = ir.signals.iter().filter(|s| s.width > 0).map(|s| &s.name);
        let instances = ir.instances.iter().map(|i| &i.name);
        let mut seen = BTreeSet::new();
        if signals.clone().chain(instances.clone()).any(|s| s == name) {
            let reason = "a port, signal or instance of the module has the same name";
            return Err(refuse(name, reason));
        }
        for name in signals.chain(instances) {
            if is_reserved(name) {
                return Err(refuse(
                    name,
                    "the word is reserved in Verilog or C++: rename the field",
                ));
            }
            if !seen.insert(name) {
                let reason = "two fields are printed under this name: rename one";
                return Err(refuse(name, reason));
            }
        }
        Ok(())
    }
}

fn all_pairs(ir: &ModuleIr) -> Through {
    let of = |role: Role| {
        let ports = ir.ports.iter().enumerate();
        ports
            .filter(move |(_, s)| ir.signals[**s].role == role)
            .map(|(port, _)| port)
    };
    of(Role::Input)
        .flat_map(|i| of(Role::Output).map(move |o| (i, o)))
        .collect()
}

/// Used widths of a leaf's ports where its header says so.
fn leaf_uses(raw: &RawKind, ir: &ModuleIr) -> Result<Vec<Option<usize>>, EmitError> {
    let mut uses = vec![None; ir.ports.len()];
    for (name, width) in &raw.notes.uses {
        let port = ir.ports.iter().position(|&p| ir.signals[p].name == *name);
        match port {
            Some(port) if *width <= ir.signals[ir.ports[port]].width => uses[port] = Some(*width),
            _ => {
                let reason =
                    format!("the leaf says it uses {width} bits of it, which do not exist");
                return Err(raw.place().refuse(name, reason));
            }
        }
    }
    Ok(uses)
}
