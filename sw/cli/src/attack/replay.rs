//! `brownout attack --replay`: what a log says, done once more.

use super::asked::Asked;
use super::log::{Logged, Read};
use super::plan::Plan;
use super::report::{Figures, heading, share};
use super::subject::Subject;
use crate::arguments::AttackSettings;
use crate::error::Error;
use crate::output::Output;
use crate::provenance;
use crate::table::Table;
use brownout_golden::attack::Flip;
use brownout_golden::evaluate::Provenance;
use brownout_golden::quantize::BitWidth;
use brownout_golden::quantized::MemoryRules;
use serde::Serialize;
use std::path::Path;

/// The figures of an attack, as they are logged and as they are now.
#[derive(Debug, Serialize)]
struct Pair {
    seed: u64,
    logged: Figures,
    replayed: Figures,
    /// The first flip, from 1, after which the memory or a measurement is another one.
    first_difference: Option<usize>,
}

/// The result of a replay.
#[derive(Debug, Serialize)]
struct Replay {
    provenance: Provenance,
    /// Of the log.
    logged: Provenance,
    network: String,
    weight_bits: BitWidth,
    memory: MemoryRules,
    replays: Vec<Pair>,
}

/// Replays a log on the network and the images that `given` names.
///
/// # Errors
/// When the log is damaged or of another network, memory or data, or its figures are others.
pub fn run(
    path: &Path,
    given: AttackSettings,
    seed: Option<u64>,
    output: Output,
) -> Result<(), Error> {
    let named = named(given, seed)?;
    let file = Read::read(path)?;
    let asked = Asked::new(settings(&file, named))?;
    let plan = Plan::new(&asked, 0)?;
    file.check_network(path, &plan)?;
    let subject = Subject::new(&asked, &plan, output)?;
    file.check_data(path, &subject)?;
    let mut replays = Vec::with_capacity(file.attacks.len());
    for logged in &file.attacks {
        let spinner = output.spinner(format!(
            "replaying the attack with seed {}",
            logged.log.seed
        ));
        let replayed = subject.replay(&plan, &logged.log);
        spinner.finish_and_clear();
        replays.push(Pair::of(
            logged.clone(),
            replayed.map_err(Error::content(path))?.into(),
        ));
    }
    let replay = Replay {
        provenance: provenance::of(&asked.checkpoint, &asked.data),
        logged: file.provenance,
        network: subject.network.model.architecture.name.clone(),
        weight_bits: subject.network.quantization.width,
        memory: *subject.memory.rules(),
        replays,
    };
    output.result(&replay, &replay.render())?;
    match replay.replays.iter().find_map(Pair::difference) {
        Some(difference) => Err(Error::content(path)(difference)),
        None => Ok(()),
    }
}

/// What may be named beside a log: network and images, which it knows by their digests, and a
/// memory, which has to be its own.
fn named(given: AttackSettings, seed: Option<u64>) -> Result<AttackSettings, Error> {
    let named = AttackSettings {
        checkpoint: given.checkpoint.clone(),
        data: given.data.clone(),
        code: given.code,
        policy: given.policy,
        ..AttackSettings::default()
    };
    match given == named && seed.is_none() {
        true => Ok(named),
        false => Err(Error::Recipe(
            "--replay has the log's settings; allowed beside it are CHECKPOINT, --data, --code \
             and --policy"
                .to_owned(),
        )),
    }
}

/// The log's settings, for what is named.
fn settings(file: &Read, named: AttackSettings) -> AttackSettings {
    let memory = file.attacks.first().map(|attack| attack.log.memory);
    AttackSettings {
        checkpoint: named.checkpoint,
        data: named.data,
        code: named.code.or(memory.map(|m| m.code)),
        policy: named.policy.or(memory.map(|m| m.policy)),
        log: None,
        ..file.settings.clone()
    }
}

impl Pair {
    fn of(logged: Logged, replayed: Logged) -> Self {
        let (then, now) = (&logged.log.flips, &replayed.log.flips);
        let differs = |(then, now): (&Flip, &Flip)| then != now;
        Self {
            seed: logged.log.seed,
            first_difference: then.iter().zip(now).position(differs).map(|at| at + 1),
            logged: logged.figures,
            replayed: replayed.figures,
        }
    }

    /// What is not as it was, as a sentence.
    fn difference(&self) -> Option<String> {
        let what = match self.first_difference {
            Some(flip) => format!("loss, accuracy or word after flip {flip}"),
            None if self.logged != self.replayed => "figures".to_owned(),
            None => return None,
        };
        let seed = self.seed;
        Some(format!(
            "{what} of the attack with seed {seed} are not the logged ones; allowed are the same to \
             the last bit, as processors with the same vector instructions give them"
        ))
    }
}

impl Replay {
    /// As text.
    fn render(&self) -> String {
        let targeted = self.replays.iter().any(|r| r.logged.success.is_some());
        let mut headers = vec![
            ">seed",
            "figures",
            ">N_flip",
            ">wrong bits",
            ">loss before",
            ">after",
            ">accuracy before",
            ">after",
        ];
        headers.extend(targeted.then_some(">success"));
        let mut table = Table::new(&headers);
        for pair in &self.replays {
            for (what, figures) in [("logged", &pair.logged), ("replayed", &pair.replayed)] {
                let mut row = vec![
                    pair.seed.to_string(),
                    what.to_owned(),
                    figures.n_flip.to_string(),
                    figures.weight_bits_wrong.to_string(),
                    figures.loss_before.to_string(),
                    figures
                        .loss_after
                        .map_or_else(String::new, |l| l.to_string()),
                    share(figures.accuracy_before),
                    share(figures.accuracy_after),
                ];
                row.extend(targeted.then(|| share(figures.success)));
                table.row(row);
            }
        }
        let same = self.replays.iter().filter(|r| r.difference().is_none());
        format!(
            "{}\n\n{}\n{} of {} attacks replayed to the logged figures\n",
            heading(&self.network, self.weight_bits, &self.memory),
            table.render(),
            same.count(),
            self.replays.len(),
        )
    }
}
