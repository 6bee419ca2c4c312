//! Which tensor of a state dict is which, when its names have something in front or between.

use super::layout::{BATCHES, layer_names, norm_names};
use crate::network::{Architecture, Norm};
use brownout_spec::text::printable;
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Modules that only wrap another one, wherever they stand in a name: of DataParallel,
/// torch.compile, FSDP, activation checkpointing, Lightning's Fabric and Opacus.
const WRAPPERS: [&str; 6] = [
    "module",
    "_orig_mod",
    "_fsdp_wrapped_module",
    "_checkpoint_wrapped_module",
    "_forward_module",
    "_module",
];
/// What a file may hold beside a network's parameters, and what no network computes with.
const BESIDE: [&str; 13] = [
    "optimizer",
    "optimizers",
    "optimizer_state_dict",
    "optimizer_states",
    "optim",
    "lr_scheduler",
    "lr_schedulers",
    "scheduler",
    "scaler",
    "epoch",
    "step",
    "global_step",
    // Of torch.optim.swa_utils.AveragedModel.
    "n_averaged",
];
/// Parts of a name that are tried as what stands in front.
const MOST_PARTS: usize = 16;
/// How similar a name must be to be meant, by Jaro and Winkler's measure from 0 to 1.
const SIMILAR: f64 = 0.7;
/// Names that are compared with one that is missing, and the most bytes of one.
const MOST_COMPARED: usize = 4096;
const MOST_NAME: usize = 256;

/// Endings of a name under which a weight is stored: plain, pruned, and as direction and length.
const WEIGHTS: [&str; 5] = [
    "weight",
    "weight_orig",
    "weight_v",
    "parametrizations.weight.original",
    "parametrizations.weight.original1",
];

/// The other endings that a layer or its norm may have.
const VECTORS: [&str; 8] = [
    "bias",
    "bias_orig",
    "bias_mask",
    "running_mean",
    "running_var",
    "weight_mask",
    "weight_g",
    "parametrizations.weight.original0",
];

/// Those of a batch norm alone.
const MOMENTS: [&str; 2] = ["running_mean", "running_var"];

/// A tensor, and its name in the file.
#[derive(Clone)]
pub(super) struct Stored<'b> {
    pub name: String,
    pub view: TensorView<'b>,
}

/// The tensors that have not been taken yet, by their names in the network itself.
pub(super) struct StateDict<'b> {
    tensors: BTreeMap<String, Stored<'b>>,
    /// What stands in front of all names, its dot included.
    pub prefix: String,
    /// Tensors of optimizers and the like, which were left.
    pub beside: usize,
    /// All names that the network's tensors may have, to tell what is unknown.
    known: BTreeSet<String>,
    /// What needs the tensors, for messages.
    user: String,
    /// The first name, for messages.
    first: String,
}

impl<'b> StateDict<'b> {
    /// The tensors of a file for a network; `user` is what messages call it.
    ///
    /// # Errors
    /// When a tensor, or the whole network, is there more than once.
    pub fn new(
        file: &SafeTensors<'b>,
        architecture: &Architecture,
        user: String,
    ) -> Result<Self, String> {
        let mut tensors: BTreeMap<String, Stored<'b>> = BTreeMap::new();
        for (name, view) in file.tensors() {
            if name.rsplit('.').next() == Some(BATCHES) {
                continue;
            }
            let parts = name.split('.').filter(|part| !WRAPPERS.contains(part));
            let short = parts.collect::<Vec<_>>().join(".");
            if let Some(twin) = tensors.get(&short) {
                return Err(format!(
                    "it has one tensor as {:?} and as {:?}; allowed is one of them",
                    printable(&twin.name),
                    printable(&name)
                ));
            }
            tensors.insert(short, Stored { name, view });
        }
        let first = tensors.values().next().map(|t| printable(&t.name));
        let mut dict = Self {
            prefix: prefix(&tensors, architecture, &user)?,
            tensors: BTreeMap::new(),
            beside: 0,
            known: known(architecture),
            user,
            first: first.unwrap_or_default(),
        };
        for (name, tensor) in tensors {
            let short = name.strip_prefix(&dict.prefix);
            let top = short.unwrap_or(&name).split('.').next().unwrap_or("");
            if BESIDE.contains(&top) {
                dict.beside += 1;
                continue;
            }
            let short = short.map_or_else(|| format!("{OUTSIDE}{name}"), str::to_owned);
            dict.tensors.insert(short, tensor);
        }
        Ok(dict)
    }

    /// Whether the tensor is there.
    pub fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    /// The shape of a layer's weights, in whatever form they are there.
    pub fn weight_shape(&self, layer: &str) -> Option<&[usize]> {
        let mut forms = WEIGHTS.iter();
        let found = forms.find_map(|part| self.tensors.get(&format!("{layer}.{part}")))?;
        Some(found.view.shape())
    }

    /// The first of these layers or norms of which there is a tensor, or the first.
    pub fn choose(&self, names: &[String]) -> String {
        let parts = || WEIGHTS.iter().chain(&VECTORS);
        let mut there = names
            .iter()
            .filter(|name| parts().any(|part| self.has(&format!("{name}.{part}"))));
        there.next().unwrap_or(&names[0]).clone()
    }

    /// Takes a tensor, if it is there.
    pub fn remove(&mut self, name: &str) -> Option<Stored<'b>> {
        self.tensors.remove(name)
    }

    /// What a message calls the network.
    pub fn user(&self) -> &str {
        &self.user
    }

    /// The sentence for a tensor that is not there, with the one that is most like it.
    pub fn missing(&self, name: &str, shape: &[usize]) -> String {
        let sentence = format!(
            "it has no tensor {:?}, which {} needs",
            format!("{}{name}", self.prefix),
            self.user
        );
        if self.tensors.is_empty() {
            return format!("{sentence}; it has no other tensors at all");
        }
        match self.nearest(name, shape) {
            Some(near) => format!(
                "{sentence}; the nearest that it has is {:?}, which must be renamed if it is meant",
                printable(near)
            ),
            None if !self.has_any_known() => format!(
                "{sentence}, nor any other of its names; the first that it has is {:?}",
                self.first
            ),
            None => sentence,
        }
    }

    /// Whether each tensor has a name that one of the network's may have.
    pub fn knows_all(&self) -> bool {
        self.tensors.keys().all(|name| self.known.contains(name))
    }

    fn has_any_known(&self) -> bool {
        self.tensors.keys().any(|name| self.known.contains(name))
    }

    /// Among the tensors that the network does not know, the one most like a missing one.
    fn nearest(&self, name: &str, shape: &[usize]) -> Option<&str> {
        let last = |name: &str| name.rsplit('.').next().unwrap_or("").to_owned();
        let part = last(name);
        let unknown = self.tensors.iter().filter(|(other, tensor)| {
            !self.known.contains(*other) && other.len() <= MOST_NAME && tensor.view.shape() != [0]
        });
        let rated = unknown.take(MOST_COMPARED).map(|(other, tensor)| {
            let alike = strsim::jaro_winkler(name, other);
            let same = (last(other) == part, tensor.view.shape() == shape);
            let bonus = f64::from(u8::from(same.0)) + f64::from(u8::from(same.1));
            // One of the same kind and shape is meant even under quite another name.
            let meant = same == (true, true) || alike >= SIMILAR;
            (meant, alike + bonus, tensor)
        });
        let meant = rated.filter(|(meant, ..)| *meant);
        let best = meant.max_by(|a, b| a.1.total_cmp(&b.1))?;
        Some(&best.2.name)
    }

    /// Refuses what nothing has asked for.
    pub fn finish(&self) -> Result<(), String> {
        let Some((short, tensor)) = self.tensors.iter().next() else {
            return Ok(());
        };
        let name = printable(&tensor.name);
        let more = match self.tensors.len() {
            1 => String::new(),
            more => format!(" ({more} such tensors)"),
        };
        if short.starts_with(OUTSIDE) {
            return Err(format!(
                "it has tensor {name:?}, which {} does not know{more}, beside the network {}; \
                 allowed is the network alone",
                self.user,
                place(&self.prefix)
            ));
        }
        Err(format!(
            "it has tensor {name:?}, which {} does not know{more}",
            self.user
        ))
    }
}

/// In front of names that lack the prefix: no name of a network begins with it.
const OUTSIDE: &str = "\u{0}";

/// All names that a network's tensors may have.
fn known(architecture: &Architecture) -> BTreeSet<String> {
    let layers = architecture.network.layers.iter().zip(&architecture.styles);
    let layers = layers.filter(|(layer, _)| layer.operation.has_weights());
    let mut known = BTreeSet::new();
    let mut extend = |names: &[String], moments: bool| {
        for name in names {
            let parts = WEIGHTS.iter().chain(&VECTORS);
            let parts = parts.filter(|part| moments || !MOMENTS.contains(part));
            known.extend(parts.map(|part| format!("{name}.{part}")));
        }
    };
    for (layer, style) in layers {
        let names = layer_names(&layer.name);
        extend(&names, false);
        for name in names {
            extend(&norm_names(&name, style.norm), style.norm == Norm::Batch);
        }
    }
    known
}

/// A prefix in a message.
fn place(prefix: &str) -> String {
    match prefix {
        "" => "without anything in front".to_owned(),
        prefix => format!("behind {:?}", printable(prefix)),
    }
}

/// What stands in front of the network's names: that under which all its layers are.
///
/// # Errors
/// When there are several such networks.
fn prefix(
    tensors: &BTreeMap<String, Stored<'_>>,
    architecture: &Architecture,
    user: &str,
) -> Result<String, String> {
    let layers = architecture.network.layers.iter().enumerate();
    let layers = layers.filter(|(_, layer)| layer.operation.has_weights());
    let mut vocabulary: HashMap<String, usize> = HashMap::new();
    let mut needed = 0;
    for (index, layer) in layers {
        needed += 1;
        for name in layer_names(&layer.name) {
            let names = WEIGHTS.iter().map(|part| (format!("{name}.{part}"), index));
            vocabulary.extend(names);
        }
    }
    let mut found: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for name in tensors.keys() {
        let ends = name.match_indices('.').map(|(at, _)| at + 1);
        for end in std::iter::once(0).chain(ends).take(MOST_PARTS) {
            if let Some(layer) = vocabulary.get(&name[end..]) {
                found.entry(&name[..end]).or_default().insert(*layer);
            }
        }
    }
    let whole: Vec<_> = found.iter().filter(|(_, l)| l.len() == needed).collect();
    match whole[..] {
        [(prefix, _)] => Ok((*prefix).to_owned()),
        [] => {
            // That with the most layers; of several the shortest.
            let rank = |(prefix, layers): &(&&str, &BTreeSet<usize>)| {
                (layers.len(), std::cmp::Reverse(prefix.len()))
            };
            let best = found.iter().max_by_key(rank);
            Ok(best.map_or_else(String::new, |(prefix, _)| (*prefix).to_owned()))
        }
        [(one, _), (other, _), ..] => Err(format!(
            "it has all layers of {user} {} times, {} and {}; allowed is once: leave the others away where the file is written",
            whole.len(),
            place(one),
            place(other)
        )),
    }
}
