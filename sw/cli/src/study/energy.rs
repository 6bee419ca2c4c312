//! What an image costs on an accelerator, counted from its program.

use crate::error::Error;
use brownout_golden::energy::Accesses;
use brownout_golden::model::IntegerModel;
use brownout_spec::config::Configuration;
use brownout_spec::program::Program;
use brownout_spec::quantity::Millivolts;
use brownout_spec::voltage::VoltageModel;

/// The program of a network on an accelerator.
///
/// # Errors
/// When the network does not fit.
pub fn program(configuration: &Configuration, model: &IntegerModel) -> Result<Program, Error> {
    let named = |e| Error::Recipe(format!("{} does not fit: {e}", model.origin.name));
    Program::new(configuration, &model.network).map_err(named)
}

/// Energy of an image in microjoules, of all on-chip memories and the array, with the weight
/// memory at a supply voltage; see [`brownout_golden::energy`] for its source.
///
/// # Errors
/// When the network does not fit, or the voltage is outside the model.
pub fn of_image(
    configuration: &Configuration,
    model: &IntegerModel,
    supply: Millivolts,
) -> Result<f64, Error> {
    let accesses = Accesses::count(configuration, &program(configuration, model)?);
    let voltages = VoltageModel::from_configuration(configuration)
        .map_err(|e| Error::Recipe(e.to_string()))?;
    let scale = voltages
        .relative_energy(supply)
        .map_err(|e| Error::Recipe(e.to_string()))?;
    Ok(accesses.energy(configuration, scale).total_pj() / 1e6)
}
