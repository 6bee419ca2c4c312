//! Where the engine's registers are in the emitted Verilog.

use brownout_hdl::emit::Emitted;
use brownout_hdl::emit::netlist::{Kind, Netlist, Role};
use std::collections::{BTreeMap, HashMap};

/// Bits of a signal of the Verilog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path of the module, from the top's name on.
    pub scope: String,
    /// The signal.
    pub name: String,
    /// Lowest bit.
    pub low: usize,
}

/// Where registers are.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Of every register and output of a leaf, by the engine's path.
    registers: BTreeMap<String, Place>,
    /// Scopes of the leaves, by the engine's path.
    leaves: BTreeMap<String, String>,
}

impl Places {
    /// The places of a design.
    pub fn of(netlist: &Netlist, emitted: &Emitted) -> Self {
        let modules = emitted.modules.iter();
        let known = modules.map(|m| (m.name.as_str(), m.places.iter().cloned().collect()));
        let mut walk = Walk {
            netlist,
            known: known.collect(),
            found: Places::default(),
        };
        if let Some(top) = netlist.kinds.last() {
            walk.kind(top, "", &emitted.top().name);
        }
        walk.found
    }

    /// The place of a register of the engine.
    pub fn get(&self, path: &str) -> Option<Place> {
        let within = || {
            let (leaf, name) = path.rsplit_once('.')?;
            let scope = self.leaves.get(leaf)?.clone();
            let name = name.to_owned();
            Some(Place {
                scope,
                name,
                low: 0,
            })
        };
        self.registers.get(path).cloned().or_else(within)
    }
}

struct Walk<'a> {
    netlist: &'a Netlist,
    /// By module, where its signals and children have gone.
    known: HashMap<&'a str, HashMap<String, String>>,
    found: Places,
}

impl Walk<'_> {
    fn kind(&mut self, kind: &Kind, path: &str, scope: &str) {
        let joined = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let gone = self.gone(kind);
        for register in &kind.registers {
            let net = &kind.nets[register.q];
            let place = place(&gone, scope, &net.name);
            self.found.registers.insert(joined(&net.path), place);
        }
        for child in &kind.children {
            let below = &self.netlist.kinds[child.kind];
            let instance = gone.get(&child.name).unwrap_or(&child.name);
            let inside = format!("{scope}.{instance}");
            if below.leaf.is_none() {
                self.kind(below, &joined(&child.path), &inside);
                continue;
            }
            let gone = self.gone(below);
            for (&port, &net) in below.ports.iter().zip(&child.ports) {
                let (port, net) = (&below.nets[port], &kind.nets[net]);
                if port.role == Role::Output && net.width > 0 {
                    let place = place(&gone, &inside, &port.name);
                    self.found.registers.insert(joined(&net.path), place);
                }
            }
            self.found.leaves.insert(joined(&child.path), inside);
        }
    }

    fn gone(&self, kind: &Kind) -> HashMap<String, String> {
        let found = self.known.get(kind.name.as_str());
        found.cloned().unwrap_or_default()
    }
}

/// `stage_q[31:24]`, or the name itself.
fn place(gone: &HashMap<String, String>, scope: &str, name: &str) -> Place {
    let text = gone.get(name).map_or(name, String::as_str);
    let (name, range) = text.split_once('[').unwrap_or((text, "0]"));
    let low = range.trim_end_matches(']').rsplit(':').next();
    Place {
        scope: scope.to_owned(),
        name: name.to_owned(),
        low: low.and_then(|low| low.parse().ok()).unwrap_or(0),
    }
}
