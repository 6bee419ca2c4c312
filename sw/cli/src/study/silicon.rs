//! Networks of a study on simulated hardware.

use super::energy;
use super::ledger::{SiliconPoint, SiliconResult};
use super::recipe::{Network, Silicon};
use super::steps::{MODEL, Work, entry};
use crate::arguments::{SimulateArguments, Waveform};
use crate::error::Error;
use crate::hardware::Workshop;
use crate::simulate;
use brownout_golden::model::IntegerModel;
use brownout_sim::campaign::PointSummary;
use brownout_spec::code::CodeName;
use brownout_spec::config::Configuration;
use brownout_spec::fault::FaultMode;
use brownout_spec::program::Step;
use brownout_spec::quantity::Millivolts;

impl Work<'_> {
    /// Checks that the tools are there.
    ///
    /// # Errors
    /// When one is missing.
    pub(super) fn check_simulator(&self) -> Result<(), Error> {
        Workshop::locate().map(drop)
    }

    /// Simulates a network.
    ///
    /// # Errors
    /// When a setting or a file is not allowed, or RTL and golden model differ.
    pub(super) fn silicon(
        &mut self,
        silicon: &Silicon,
        network: &Network,
        (name, key): (String, String),
    ) -> Result<(), Error> {
        let settings = &silicon.simulate;
        let config = self.beside.join(&settings.config);
        let configuration = crate::configuration::read(Some(&config))?.configuration;
        self.output
            .remark(format!("silicon {} of {}", silicon.name, network.name));
        let path = self.file(network, MODEL);
        let model = IntegerModel::read(&path)?;
        let arguments = SimulateArguments {
            model: path,
            config: Some(config),
            voltages: Some(settings.voltages.clone()),
            rates: None,
            codes: Some(settings.codes.clone()),
            modes: vec![FaultMode::Persistent],
            map: None,
            policies: vec![settings.policy],
            data: self.source()?.clone(),
            images: Some(settings.images),
            skip: 0,
            threads: None,
            lanes: settings.lanes,
            out: None,
            trace: None,
            waveform: Some(Waveform::No),
        };
        let outcome = simulate::measure(&arguments, settings.chip, self.output)?;
        let summary = outcome.summary;
        if let Some(mismatch) = outcome.mismatch {
            return Err(Error::Mismatch(mismatch.to_string()));
        }
        let points = summary
            .points
            .iter()
            .map(|p| point(p, &configuration, &model));
        let provenance = summary.provenance;
        let result = SiliconResult {
            verilator: match settings.lanes {
                Some(_) => provenance.compiler,
                None => provenance.verilator,
            },
            lanes: settings.lanes,
            array: (
                configuration.rows,
                configuration.columns,
                configuration.weight_bits.bits(),
            ),
            macs_per_image: macs(&configuration, &model)?,
            chip: settings.chip,
            points: points.collect::<Result<_, _>>()?,
        };
        let entry = entry(key, outcome.seconds, result);
        self.ledger.silicon.insert(name, entry);
        self.ledger.write(self.folder)?;
        Ok(())
    }
}

/// Multiplications of all layers, H · W · k² · Cin · Cout each.
fn macs(configuration: &Configuration, model: &IntegerModel) -> Result<u64, Error> {
    let program = energy::program(configuration, model)?;
    let of = program.steps.iter().map(Step::multiply_accumulates);
    Ok(of.sum::<usize>() as u64)
}

fn point(
    point: &PointSummary,
    configuration: &Configuration,
    model: &IntegerModel,
) -> Result<SiliconPoint, Error> {
    let code: CodeName = point
        .code
        .parse()
        .map_err(|_| Error::Recipe(point.code.clone()))?;
    let configuration = Configuration {
        code,
        ..configuration.clone()
    };
    let supply = point.voltage_mv.map(Millivolts);
    let energy = supply.map(|supply| energy::of_image(&configuration, model, supply));
    Ok(SiliconPoint {
        code: point.code.clone(),
        voltage_mv: point.voltage_mv,
        mode: point.mode.clone(),
        policy: point.policy.clone(),
        ber_applied: point.ber_applied,
        images: point.images,
        // The networks of a study are trained, and so have classes.
        accuracy_rtl: point.accuracy_rtl.unwrap_or_default(),
        accuracy_golden: point.accuracy_golden.unwrap_or_default(),
        logits_compared: point.logits_compared,
        mismatches: point.mismatches,
        corrected: point.corrected,
        detected: point.detected,
        words_read: point.words_read,
        cycles_per_image: point.cycles_per_image,
        cycles_predicted: point.cycles_predicted,
        sram_energy_relative: point.sram_energy_relative,
        energy_uj: energy.transpose()?,
    })
}
