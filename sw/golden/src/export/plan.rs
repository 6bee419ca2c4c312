//! Which layers the integer network has.
//!
//! They are those of the network in floating point, but for what a concat needs: in integers its
//! parts have one scale, so a part on another grid than the concat's is brought to it first, by
//! an average pool of one tap, which has no weights. The rounded network rounds such a part
//! there as well.

use crate::quantize::ActivationGrid;
use crate::quantized::QuantizedNetwork;
use brownout_spec::program::Operation;

/// The layers of an integer network in order, and where those of the other network are.
pub(super) struct Plan {
    /// What each layer is.
    pub steps: Vec<Planned>,
    /// The tensors that each layer reads.
    pub reads: Vec<Vec<usize>>,
    /// For each layer of the network in floating point its number among these.
    pub places: Vec<usize>,
}

/// One layer of an integer network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Planned {
    /// A layer of the network in floating point.
    Layer(usize),
    /// A tensor of the network in floating point on another grid.
    Copy {
        /// Which tensor.
        tensor: usize,
        /// The grid that it is brought to.
        grid: ActivationGrid,
    },
}

impl Plan {
    /// The layers for a network whose activations are rounded.
    pub fn new(trained: &QuantizedNetwork) -> Self {
        let layers = &trained.model.architecture.network.layers;
        let mut plan = Self {
            steps: Vec::with_capacity(layers.len()),
            reads: Vec::with_capacity(layers.len()),
            places: Vec::with_capacity(layers.len()),
        };
        for (index, layer) in layers.iter().enumerate() {
            let grid = match layer.operation {
                Operation::Concat => concat_grid(trained, index),
                _ => None,
            };
            let reads = layer.reads.iter();
            let reads = reads
                .map(|&tensor| plan.part(trained, tensor, grid))
                .collect();
            plan.places.push(plan.steps.len());
            plan.push(Planned::Layer(index), reads);
        }
        plan
    }

    fn push(&mut self, step: Planned, reads: Vec<usize>) {
        self.steps.push(step);
        self.reads.push(reads);
    }

    /// The tensor of the integer network that is a tensor of the other one, on this grid if there
    /// is one.
    fn part(
        &mut self,
        trained: &QuantizedNetwork,
        tensor: usize,
        grid: Option<ActivationGrid>,
    ) -> usize {
        let own = tensor
            .checked_sub(1)
            .map_or(0, |layer| self.places[layer] + 1);
        let Some(grid) = grid.filter(|_| trained.quantization.activations[tensor] != grid) else {
            return own;
        };
        let copy = Planned::Copy { tensor, grid };
        if let Some(place) = self.steps.iter().position(|step| *step == copy) {
            return place + 1;
        }
        self.push(copy, vec![own]);
        self.steps.len()
    }
}

/// The grid of a concat's values; where it gives the results, which have none, the coarsest of its
/// parts'.
pub(super) fn concat_grid(trained: &QuantizedNetwork, index: usize) -> Option<ActivationGrid> {
    let grids = &trained.quantization.activations;
    let parts = trained.model.architecture.network.layers[index]
        .reads
        .iter();
    let parts = parts.filter_map(|&tensor| grids[tensor]);
    grids[index + 1].or_else(|| parts.max_by(|a, b| a.step.total_cmp(&b.step)))
}
