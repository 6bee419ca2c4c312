//! The passes in order.

use super::Emitter;
use super::check::check;
use super::collect::{Code, RawKind, collect};
use super::demand::{KindView, Needs, demand, is_live};
use super::error::EmitError;
use super::instances;
use super::ir::{Instance, ModuleIr, Role, Signal};
use super::lower::lower;
use super::names::{Naming, is_free_module_name, is_reserved, lane};
use super::narrow::widths;
use super::output::{Direction, Emitted, Module, Origin, PackedPort, Port};
use super::propagate::propagate;
use super::shape::Scalar;
use super::tidy;
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
    pub raws: Vec<RawKind>,
    pub irs: Vec<ModuleIr>,
    pub needs: Vec<Needs>,
    /// Final widths per kind and signal.
    pub widths: Vec<Vec<usize>>,
    pub names: Vec<String>,
    header: String,
    pub naming: Naming,
    /// Ports of every kind as its parents see them.
    pub ports: Vec<Vec<PackedPort>>,
    /// Every kind that is described in rust-hdl, before its lanes become arrays.
    pub scalars: Vec<Scalar>,
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

    /// Lines of the comment that opens the top's file; the first one opens every file.
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

    pub fn module(&self, kind: usize) -> Result<Module, EmitError> {
        let (raw, name) = (&self.raws[kind], &self.names[kind]);
        let mut places = Vec::new();
        let mut children = Vec::new();
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
                        i.name == path || lane(&i.path) == Some((base.as_str(), number as usize))
                    };
                    let Some(instance) = ir.instances.iter().find(of) else {
                        continue;
                    };
                    if instance.name != path {
                        places.push((instance.name.clone(), path.clone()));
                    }
                    children.push((path, self.names[instance.kind].clone()));
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
            children,
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
        if !is_free_module_name(name) {
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
