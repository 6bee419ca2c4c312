//! From scalars to the form that is printed: arrays, children in loops, statements in loops.

use super::alone::alone;
use super::arrange::{Arranged, Item, arrange};
use super::children::{Connection, Placed, Socket, connect, join_outputs};
use super::collect::Code;
use super::demand::{Needs, is_live};
use super::ir::{Expr, Instance, ModuleIr, Role, SignalId};
use super::join::{by_target, join};
use super::labels::Labels;
use super::lanes::{Packing, pack};
use super::module::{Sheet, print};
use super::names::lane;
use super::narrow::Narrower;
use super::output::PackedPort;
use super::pipeline::Design;
use super::propagate::name_by_outputs;
use super::regroup::{Uses, regroup, uses};
use super::roll::roll;
use super::stages::take;
use super::through::{Through, Wires};
use super::{instances, leaf};
use std::collections::{BTreeMap, BTreeSet};

/// A kind with a signal for every lane.
pub(crate) struct Scalar {
    pub ir: ModuleIr,
    pub arranged: Arranged,
    /// `Vec`s of children that feed each other within a clock.
    chained: BTreeSet<String>,
    wires: Wires,
}

impl Design {
    /// The declarations of a kind with its arrays.
    pub fn packed_ir(&self, kind: usize) -> (ModuleIr, Packing) {
        let mut ir = self.final_ir(kind);
        let (registers, none) = (BTreeSet::new(), BTreeSet::new());
        let packing = pack(&mut ir, &self.naming, &registers, &none, &none);
        packing.retire(&mut ir);
        (ir, packing)
    }

    pub fn packed_ports(&self, kind: usize) -> Vec<PackedPort> {
        let mut ir = self.final_ir(kind);
        let before = ir.ports.clone();
        let (registers, none) = (BTreeSet::new(), BTreeSet::new());
        let packing = pack(&mut ir, &self.naming, &registers, &none, &none);
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

    /// Statements of all kinds over scalars, and what passes through each.
    pub fn arrange_all(&mut self) {
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
        let first = self.with_arrays(kind, &BTreeSet::new());
        let alone = alone(&first.0, &first.2);
        match alone.is_empty() {
            true => first,
            false => self.with_arrays(kind, &alone),
        }
    }

    /// The same; local families in `alone` stay scalars.
    fn with_arrays(
        &self,
        kind: usize,
        alone: &BTreeSet<String>,
    ) -> (ModuleIr, Needs, Arranged, Packing) {
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
        let packing = pack(&mut ir, &self.naming, &scalar.has_d, chained, alone);
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
