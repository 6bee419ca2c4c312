//! The last layers of a network as a network of their own.
//!
//! A search tries changes of one layer after the other. What comes before that layer
//! stays as it is, so only the rest is run again, from a tensor that has been kept.

use super::Victim;
use crate::network::{Architecture, Builder, Parameters};
use crate::quantize::ActivationGrid;

/// The layers from `first` on; their input is tensor `first` of the whole network.
#[derive(Clone, Debug)]
pub(super) struct Suffix {
    pub first: usize,
    pub architecture: Architecture,
    pub parameters: Parameters,
    pub activations: Vec<Option<ActivationGrid>>,
}

/// For each layer, the shortest suffix that contains it.
#[derive(Clone, Debug)]
pub(super) struct Suffixes {
    suffixes: Vec<Suffix>,
    of_layer: Vec<usize>,
}

impl Suffixes {
    pub fn new(victim: &Victim<'_>) -> Self {
        let layers = victim.architecture.network.layers.len();
        let mut suffixes: Vec<Suffix> = Vec::new();
        let of_layer = (0..layers).map(|layer| {
            if is_cut(victim.architecture, layer) {
                suffixes.push(suffix(victim, layer));
            }
            suffixes.len() - 1
        });
        Self {
            of_layer: of_layer.collect(),
            suffixes,
        }
    }

    pub fn of_layer(&self, layer: usize) -> &Suffix {
        &self.suffixes[self.of_layer[layer]]
    }
}

/// Whether all layers from `first` on read nothing older than tensor `first`.
fn is_cut(architecture: &Architecture, first: usize) -> bool {
    let mut reads = architecture.network.layers[first..]
        .iter()
        .flat_map(|layer| &layer.reads);
    reads.all(|&tensor| tensor >= first)
}

fn suffix(victim: &Victim<'_>, first: usize) -> Suffix {
    let whole = victim.architecture;
    let mut builder = Builder::new(&whole.name, whole.tensor(first));
    let layers = whole.network.layers.iter().zip(&whole.styles);
    for (layer, style) in layers.skip(first) {
        let reads: Vec<usize> = layer.reads.iter().map(|tensor| tensor - first).collect();
        builder = builder.layer_from(&reads, &layer.name, layer.operation, style.clone());
    }
    Suffix {
        first,
        architecture: builder.build().expect("the whole network could be built"),
        parameters: Parameters {
            layers: victim.parameters.layers[first..].to_vec(),
        },
        activations: victim.activations[first..].to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attack::test_network;

    #[test]
    fn a_residual_network_is_cut_at_its_blocks_and_a_plain_one_everywhere() {
        let firsts = |network: &str| {
            let network = test_network::random(network, 1);
            let suffixes = Suffixes::new(&Victim::from(&network));
            let layers = 0..network.model.architecture.network.layers.len();
            layers
                .map(|l| suffixes.of_layer(l).first)
                .collect::<Vec<_>>()
        };
        let cnn = firsts("cnn");
        assert_eq!(cnn, (0..cnn.len()).collect::<Vec<_>>());
        let resnet = firsts("resnet20");
        assert_eq!(resnet[..7], [0, 1, 1, 3, 3, 5, 5]);
        assert_eq!(
            resnet[resnet.len() - 2..],
            [resnet.len() - 2, resnet.len() - 1]
        );
        // A projection shortcut reads what its block reads.
        let projection = firsts("resnet20-b");
        assert!(projection.windows(3).any(|f| f[0] == f[1] && f[1] == f[2]));
    }
}
