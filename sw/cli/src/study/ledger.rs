//! What a study has done: every result with what it was made from, in one file.
//!
//! A result's key is a digest of the settings and the weights that decided it. What is in the ledger under the
//! same key is not done again; pages and tables are made from it alone, but for how
//! networks of other studies were made, which is in theirs.

use super::check::is_name;
use super::keys;
use super::recipe::{Network, Study};
use crate::error::Error;
use crate::files;
use crate::train::Done;
use brownout_golden::attack::Distribution;
use brownout_golden::evaluate::statistics::Spread;
use brownout_golden::evaluate::{Counters, Protocol};
use brownout_golden::quantized::MemoryRules;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The ledger's file in a folder of results.
pub const FILE: &str = "ledger.json";
/// Largest ledger that is read.
const MOST_BYTES: u64 = 64 << 20;

/// All results of a study by their names; measurements as `MEASUREMENT/NETWORK`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// Which images, without their folder.
    pub data: Option<String>,
    /// Digest of the network that trainings started from.
    pub start: Option<String>,
    /// Digests of the networks' files.
    #[serde(default)]
    pub weights: BTreeMap<String, WeightFiles>,
    /// Networks.
    pub networks: BTreeMap<String, Entry<NetworkResult>>,
    /// Measurements on many chips.
    pub readings: BTreeMap<String, Entry<ReadingResult>>,
    /// Attacks.
    pub attacks: BTreeMap<String, Entry<AttackResult>>,
    /// Co-simulations.
    pub silicon: BTreeMap<String, Entry<SiliconResult>>,
}

/// Digests of a network's files.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WeightFiles {
    /// Of its integer model.
    pub model: Option<String>,
    /// Of its checkpoint.
    pub checkpoint: Option<String>,
}

/// A result and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry<T> {
    /// Digest of everything that decided it.
    pub key: String,
    /// Commit of the program that made it, if that is known.
    pub commit: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// What came out.
    pub result: T,
}

/// A network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkResult {
    /// It was trained here.
    Trained(Done),
    /// It was rounded without training.
    Rounded {
        /// Share of held-out images classified right in integers.
        accuracy_integer: f64,
        /// Held-out images.
        images: usize,
    },
}

/// A measurement of a network on many chips.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadingResult {
    /// How it was measured.
    pub protocol: Protocol,
    /// Share of images classified wrong with undisturbed weights.
    pub clean_error: f64,
    /// The same of each class's images; none of a class without any.
    #[serde(default)]
    pub clean_error_of_classes: Vec<Option<f64>>,
    /// One entry an operating point.
    pub points: Vec<ReadingPoint>,
}

/// What was measured at an operating point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReadingPoint {
    /// What faulty cells do.
    pub mode: String,
    /// The profiled chip.
    pub profile: Option<String>,
    /// Supply of the weight memory.
    pub voltage_mv: Option<u16>,
    /// The rate asked for, or the voltage model's or the profile's.
    pub rate: Option<f64>,
    /// The rate applied.
    pub rate_applied: f64,
    /// Energy of the weight memory, relative to nominal voltage without a code.
    pub sram_energy_relative: Option<f64>,
    /// Energy of an image in microjoules, where the accelerator is configured.
    #[serde(default)]
    pub energy_uj: Option<f64>,
    /// Share of images classified wrong, over chips.
    pub error: Spread,
    /// Share of images wrong with these weights or with undisturbed ones.
    pub robust_error: Spread,
    /// Chips.
    pub chips: usize,
    /// Images that each chip classified wrong; of profiled arrays, a figure for each place.
    #[serde(default)]
    pub wrong: Vec<usize>,
    /// Images that each chip or undisturbed weights classified wrong.
    #[serde(default)]
    pub robust_wrong: Vec<usize>,
    /// Sums over chips.
    pub counters: Counters,
}

/// Attacks on a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttackResult {
    /// Array, code, policy and exposure.
    pub memory: MemoryRules,
    /// Test images that measured what they did.
    pub images: usize,
    /// Images that the attacker looked at.
    pub attack_images: usize,
    /// Accuracy at or below which an attack has reached its aim.
    pub stop_accuracy: f64,
    /// Cells that an attack could invert.
    pub max_flips: usize,
    /// Attacks.
    pub attacks: usize,
    /// Those that reached their aim.
    pub succeeded: usize,
    /// Cells that each attack has inverted in the end.
    #[serde(default)]
    pub flips: Vec<u64>,
    /// The same over attacks.
    pub n_flip: Option<Distribution>,
    /// Accuracy in the end.
    pub accuracy_after: Option<Distribution>,
    /// Share of the images that should change class and do, of targeted attacks.
    pub success: Option<Distribution>,
    /// Flips in each layer, over all attacks.
    pub flips_per_layer: Vec<usize>,
}

/// A network on the simulated hardware.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiliconResult {
    /// Version line of Verilator, or of the engine's C++ compiler where images ran side by side.
    pub verilator: String,
    /// Images side by side in the engine; none in Verilator's model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lanes: Option<usize>,
    /// Rows, columns and weight bits of the accelerator.
    pub array: (usize, usize, usize),
    /// Multiplications and additions of an image, as H · W · k² · Cin · Cout of each layer.
    pub macs_per_image: u64,
    /// Seed of the chip.
    #[serde(default)]
    pub chip: u64,
    /// One entry for each code and voltage.
    pub points: Vec<SiliconPoint>,
}

/// What was simulated at an operating point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SiliconPoint {
    /// The code of the weight memory.
    pub code: String,
    /// What faulty cells do.
    pub mode: String,
    /// What is read from a word with a detected error.
    pub policy: String,
    /// Supply of the weight memory.
    pub voltage_mv: Option<u16>,
    /// The rate applied.
    pub ber_applied: f64,
    /// Images run.
    pub images: usize,
    /// Share that the RTL classified right.
    pub accuracy_rtl: f64,
    /// Share that the golden model classified right.
    pub accuracy_golden: f64,
    /// Logits that were compared.
    pub logits_compared: u64,
    /// Images that differed in a logit, a counter or a clock.
    pub mismatches: u64,
    /// Words corrected, over all images.
    pub corrected: u64,
    /// Words with a detected error, over all images.
    pub detected: u64,
    /// Code words read, over all images.
    pub words_read: u64,
    /// Clocks of an image in the RTL.
    pub cycles_per_image: u64,
    /// Clocks of an image by the specification's formula.
    pub cycles_predicted: u64,
    /// Energy of the weight memory, relative to nominal voltage without a code.
    pub sram_energy_relative: Option<f64>,
    /// Energy of an image in microjoules: all on-chip memories and the array.
    pub energy_uj: Option<f64>,
}

impl<T> Entry<T> {
    /// The commit as people read it, with its remark if there were changes.
    pub fn short_commit(&self) -> String {
        let commit = self.commit.as_deref().unwrap_or("unknown");
        let (hash, rest) = match commit.split_once('-') {
            Some((hash, rest)) => (hash, format!("-{rest}")),
            None => (commit, String::new()),
        };
        let short: String = hash.chars().take(10).collect();
        short + &rest
    }

    /// Whether it was made from the same.
    pub fn is(&self, key: &str) -> bool {
        self.key == key
    }
}

impl Ledger {
    /// The ledger of a folder; an empty one if there is none.
    ///
    /// # Errors
    /// When the file cannot be read or is no ledger.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = file(folder);
        // A link that leads nowhere is no free name.
        if path.symlink_metadata().is_err() {
            return Ok(Self::default());
        }
        let found = path.metadata().map_err(Error::file("read", &path))?;
        if !found.is_file() {
            let problem =
                "it is no regular file; allowed is what `brownout study` wrote, or no file";
            return Err(Error::content(&path)(problem));
        }
        let text = files::text(&path, files::read_up_to(&path, MOST_BYTES)?)?;
        let refuse = |problem: String| {
            Error::content(&path)(format!(
                "this is no ledger of a study: {problem}; allowed is what `brownout study` wrote, or no file"
            ))
        };
        let ledger: Self = serde_json::from_str(&text).map_err(|e| refuse(e.to_string()))?;
        ledger.check().map_err(refuse)?;
        Ok(ledger)
    }

    /// Checks that names are names, shares are shares and times are times.
    fn check(&self) -> Result<(), String> {
        let measured = (self.readings.keys())
            .chain(self.attacks.keys())
            .chain(self.silicon.keys());
        let is_pair = |key: &String| {
            let parts = key.split_once('/');
            parts.is_some_and(|(of, network)| is_name(of) && is_name(network))
        };
        let wrong = self.networks.keys().find(|key| !is_name(key));
        if let Some(key) = wrong.or_else(|| measured.into_iter().find(|key| !is_pair(key))) {
            return Err(format!("{key:?} is no name of a row"));
        }
        let networks = self.networks.iter().map(|(n, e)| (n, e.seconds));
        let readings = self.readings.iter().map(|(n, e)| (n, e.seconds));
        let attacks = self.attacks.iter().map(|(n, e)| (n, e.seconds));
        let silicon = self.silicon.iter().map(|(n, e)| (n, e.seconds));
        for (name, seconds) in networks.chain(readings).chain(attacks).chain(silicon) {
            if !(seconds.is_finite() && seconds >= 0.0) {
                return Err(format!("{name} took {seconds} seconds"));
            }
        }
        for (name, share) in self.shares() {
            if !(0.0..=1.0).contains(&share) {
                return Err(format!("{name} has {share} where a share of images is"));
            }
        }
        Ok(())
    }

    /// Every share of images, with the name of its result.
    fn shares(&self) -> Vec<(&String, f64)> {
        let mut all = Vec::new();
        for (name, entry) in &self.networks {
            match &entry.result {
                NetworkResult::Trained(done) => {
                    let integer = done.accuracy_integer.into_iter();
                    all.extend(integer.map(|share| (name, share)));
                    all.push((name, done.accuracy_float));
                    all.push((name, done.accuracy_quantized));
                }
                NetworkResult::Rounded {
                    accuracy_integer, ..
                } => all.push((name, *accuracy_integer)),
            }
        }
        for (name, entry) in &self.readings {
            let result = &entry.result;
            all.push((name, result.clean_error));
            let classes = result.clean_error_of_classes.iter().flatten();
            all.extend(classes.map(|share| (name, *share)));
            for spread in (result.points.iter()).flat_map(|p| [&p.error, &p.robust_error]) {
                all.extend([spread.mean, spread.std, spread.min, spread.max].map(|s| (name, s)));
                let interval = spread.interval.iter();
                all.extend(interval.flat_map(|i| [(name, i.low), (name, i.high)]));
            }
        }
        for (name, entry) in &self.attacks {
            let ends = [entry.result.accuracy_after, entry.result.success];
            let ends = ends.into_iter().flatten();
            all.extend(ends.flat_map(|d| [(name, d.mean), (name, d.least), (name, d.most)]));
        }
        for (name, entry) in &self.silicon {
            let points = entry.result.points.iter();
            all.extend(points.flat_map(|p| [(name, p.accuracy_rtl), (name, p.accuracy_golden)]));
        }
        all
    }

    /// Results on simulated hardware, in the order of the study.
    pub fn hardware<'a>(
        &'a self,
        study: &'a Study,
    ) -> impl Iterator<Item = (&'a Network, &'a Entry<SiliconResult>)> {
        study.silicon.iter().flat_map(move |silicon| {
            study.chosen(&silicon.networks).filter_map(move |network| {
                let entry = self.silicon.get(&keys::name(&silicon.name, network))?;
                Some((network, entry))
            })
        })
    }

    /// Results, without what is only remembered of files.
    pub fn results(&self) -> usize {
        self.networks.len() + self.readings.len() + self.attacks.len() + self.silicon.len()
    }

    /// What a study names, without the rows of an earlier recipe.
    pub fn of(&self, study: &Study) -> Self {
        let mut named = self.clone();
        let networks: Vec<&Network> = study.networks.iter().collect();
        named
            .weights
            .retain(|name, _| networks.iter().any(|n| keys::weights_of(n) == *name));
        named
            .networks
            .retain(|name, _| networks.iter().any(|n| n.name == *name));
        fn names<'a>(
            study: &'a Study,
            of: impl Iterator<Item = (&'a String, &'a Option<Vec<String>>)>,
        ) -> Vec<String> {
            of.flat_map(|(of, list)| study.chosen(list).map(move |n| keys::name(of, n)))
                .collect()
        }
        let readings = names(study, study.readings.iter().map(|r| (&r.name, &r.networks)));
        let attacks = names(study, study.attacks.iter().map(|a| (&a.name, &a.networks)));
        let silicon = names(study, study.silicon.iter().map(|s| (&s.name, &s.networks)));
        named.readings.retain(|name, _| readings.contains(name));
        named.attacks.retain(|name, _| attacks.contains(name));
        named.silicon.retain(|name, _| silicon.contains(name));
        named
    }

    /// Writes it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), Error> {
        let mut text =
            serde_json::to_string_pretty(self).expect("a ledger is plain data with text keys");
        text.push('\n');
        files::write(&file(folder), text.as_bytes())
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join(FILE)
}
