//! The smallest memories that hold a network.

use super::placement::tables;
use super::{Network, Program, ProgramError};
use crate::config::{Configuration, Depths, MAX_TABLES};

/// The configuration with zero points and tables if a network has some, and not otherwise.
pub fn equip(configuration: &Configuration, network: &Network) -> Configuration {
    let mut zeros = (0..=network.layers.len()).map(|tensor| network.zero(tensor));
    Configuration {
        zero_points: zeros.any(|zero| zero != 0),
        tables: tables(&network.layers).min(MAX_TABLES),
        ..configuration.clone()
    }
}

/// The configuration [equipped](equip) for a network, with every memory as deep as it needs and no
/// deeper, and the network's program on it.
///
/// No memory is made smaller at the price of another pass over a map: the program has as many
/// steps as with the deepest memories.
///
/// # Errors
/// When no configuration with this array, width and code holds the network.
pub fn fit(
    configuration: &Configuration,
    network: &Network,
) -> Result<(Configuration, Program), ProgramError> {
    let mut fitted = Configuration {
        depths: Depths::DEEPEST,
        ..equip(configuration, network)
    };
    let program = Program::new(&fitted, network)?;
    let pixels = program.steps.iter().map(|step| step.pixels()).max();
    fitted.depths = Depths {
        weights: program.weight_words.max(fitted.words_per_tile()),
        accumulators: pixels.unwrap_or(1),
        parameters: program.parameter_tiles,
        layers: program.steps.len(),
        results: program.results(),
        ..fitted.depths
    };
    // What maps need together is found by trying, since their places depend on the depth.
    let (mut low, mut high) = (0, fitted.depths.activations);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        fitted.depths.activations = middle;
        let holds = Program::new(&fitted, network)
            .is_ok_and(|smaller| smaller.steps.len() == program.steps.len());
        match holds {
            true => high = middle,
            false => low = middle,
        }
    }
    fitted.depths.activations = high;
    let program = Program::new(&fitted, network)?;
    Ok((fitted, program))
}
