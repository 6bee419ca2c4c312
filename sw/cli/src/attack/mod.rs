//! `brownout attack`: bit-flip attacks on a network's stored weights.

mod asked;
mod plan;
mod report;

use crate::arguments::{AttackArguments, AttackSettings, Global};
use crate::error::Error;
use crate::files;
use crate::output::Output;
use crate::recipe;
pub use asked::Asked;
use brownout_golden::attack::{
    AttackLog, Attacked, Batch, Measurement, Victim, bfa, draw, random, targeted,
};
use brownout_golden::data::{Dataset, Split};
use brownout_golden::model::InputTable;
use brownout_golden::quantized::{
    QuantizedNetwork, StoredMemory, StoredMemoryError, StoredWeights,
};
use plan::{Attack, Plan};
pub use report::Outcome;
pub use report::Report;
use std::time::Instant;

/// Runs the command.
///
/// # Errors
/// When checkpoint, data or flags are not allowed, or the log cannot be written.
pub fn run(arguments: &AttackArguments, global: &Global, output: Output) -> Result<(), Error> {
    let mut settings = arguments.settings.clone();
    if let Some(recipe) = &arguments.recipe {
        settings = settings.over(recipe::read(recipe)?);
    }
    let log = settings.log.clone();
    let (report, _) = measure(settings, global.seed(), output)?;
    output.result(&report, &report.render())?;
    if let Some(path) = log {
        output.remark(format!("every flip is in {}", path.display()));
    }
    Ok(())
}

/// Attacks the network of a checkpoint, and writes the log if one is asked for.
///
/// # Errors
/// When checkpoint, data or settings are not allowed, or the log cannot be written.
pub fn measure(
    settings: AttackSettings,
    seed: u64,
    output: Output,
) -> Result<(Report, Vec<AttackLog>), Error> {
    let arguments = Asked::new(settings)?;
    let plan = Plan::new(&arguments, seed)?;
    let split = arguments.data.split(None, output)?;
    let network = plan.network(&split)?;
    plan.check_data(&network, &split)?;
    let memory = plan.memory(&network)?;
    let test = split.test.first(arguments.images);
    let subject = Subject {
        bound: plan.bound(&test, network.model.architecture.classes()),
        table: match network.quantization.activations[0] {
            Some(_) => network.model.input.rounded_table(),
            None => network.model.input.real_table(),
        },
        stored: network.stored(),
        test,
        split: &split,
        network: &network,
        memory: &memory,
        attack_images: arguments.attack_images,
    };
    let mut results = Vec::with_capacity(arguments.seeds);
    let mut logs = Vec::with_capacity(arguments.seeds);
    for seed in plan.seeds() {
        let spinner = output.spinner(format!("attacking with seed {seed}"));
        let time = Instant::now();
        let attacked = subject
            .attack(&plan, seed)
            .map_err(Error::content(&arguments.checkpoint))?;
        spinner.finish_and_clear();
        results.push(Outcome::new(seed, &attacked, time.elapsed()));
        logs.push(attacked.log);
    }
    if let Some(path) = &arguments.log {
        let text = match plan.log_is_json {
            true => AttackLog::to_json(&logs),
            false => AttackLog::to_csv(&logs),
        };
        files::write(path, text.as_bytes())?;
    }
    let report = Report::new(&arguments, &subject, results);
    Ok((report, logs))
}

/// What is attacked, and what with.
struct Subject<'a> {
    network: &'a QuantizedNetwork,
    memory: &'a StoredMemory,
    stored: StoredWeights,
    table: InputTable<f32>,
    split: &'a Split,
    test: Dataset,
    attack_images: usize,
    /// Accuracy at or below which an attack has reached its aim.
    bound: f64,
}

impl Subject<'_> {
    fn attack(&self, plan: &Plan<'_>, seed: u64) -> Result<Attacked, StoredMemoryError> {
        let victim = Victim::from(self.network);
        let weights = (self.memory, &self.stored);
        let (table, train) = (&self.table, &self.split.train);
        let any_images = || {
            let images = draw(train, self.attack_images, seed, |_| true);
            Batch::new(&victim, table, train, &images)
        };
        let measurement = |success| Measurement {
            table,
            accuracy: &self.test,
            success,
        };
        match plan.attack(self.bound, seed) {
            Attack::Bfa(options) => {
                let measurement = Some(measurement(None));
                bfa(victim, weights, &mut any_images(), &options, measurement)
            }
            Attack::Random(options) => {
                let measurement = Some(measurement(None));
                random(victim, weights, &mut any_images(), &options, measurement)
            }
            Attack::Targeted(options) => {
                let mut batch = options.batch(&victim, table, train, self.attack_images);
                let success = options.success_images(&self.test);
                let measurement = Some(measurement(Some(&success)));
                targeted(victim, weights, &mut batch, &options, measurement)
            }
        }
    }
}
