//! Mutation score: how many deliberate mistakes in the emitted Verilog do the tests find?
//!
//! Five accelerators are emitted with many mistakes each, one of which is
//! chosen by an input ([`brownout_hdl::emit::SELECT`]); so each needs one
//! compiled model. Every mutant meets the same tests until one finds it: first
//! random graphs and codes ([`battery`]), then the proofs of its module ([`proofs`]).

pub mod battery;
pub mod cases;
pub mod equivalence;
mod features;
pub mod page;
pub mod proofs;
pub mod report;
pub mod store;

use crate::configurations::configuration;
use crate::formal::netlist::Cut;
use crate::session::tools;
use battery::Sign;
use battery::{Battery, Verdict};
use brownout_hdl::emit::{Mutant, Mutated, MutationPlan};
use brownout_hdl::generate::generate_mutants;
use brownout_sim::build::{BuildOptions, ModelSource};
use brownout_sim::model::ModelLibrary;
use brownout_sim::simulator::source;
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{
    Configuration, Depths, RESULT_ADDRESS_BITS, VoltageModelChoice, WeightBits,
};
use brownout_spec::quantity::Millivolts;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// Seed of the choice of mutants.
const SEED: u64 = 2026;

/// An accelerator and its mutants.
#[derive(Clone, Debug)]
pub struct Subject {
    /// Short name, also of the file of results.
    pub name: &'static str,
    /// The accelerator.
    pub configuration: Configuration,
    /// Which mutants.
    pub plan: MutationPlan,
}

/// The accelerators of the score: every code, both weight widths, both voltage models, words of
/// several rows and rows of several words, more rows than columns and fewer, both ways to store a
/// word, zero points and tables together and each alone, deep memories, one without emulation.
pub fn subjects() -> Vec<Subject> {
    let subject = |name, count, configuration| Subject {
        name,
        configuration,
        plan: MutationPlan { count, seed: SEED },
    };
    let mut in_place = configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57);
    in_place.zero_points = true;
    in_place.tables = 5;
    in_place.depths.results = 1000;
    let mut secded = configuration(4, 4, WeightBits::Eight, CodeName::Secded72_64);
    secded.voltage_model = VoltageModelChoice::Finfet14nm;
    secded.vmin_mv = Some(Millivolts(600));
    let mut narrow = configuration(4, 16, WeightBits::Four, CodeName::Inplace32_26);
    narrow.zero_points = true;
    let mut plain = configuration(4, 4, WeightBits::Eight, CodeName::None);
    plain.fault_emulation = false;
    let mut deep = configuration(8, 4, WeightBits::Four, CodeName::Secded72_64);
    deep.storage = Storage::Plain;
    deep.tables = 31;
    deep.depths = Depths {
        weights: 100_000,
        activations: 50_000,
        accumulators: 40_000,
        results: 1 << RESULT_ADDRESS_BITS,
        ..deep.depths
    };
    vec![
        subject("inplace-8", 340, in_place),
        subject("secded-8", 220, secded),
        subject("inplace-4", 240, narrow),
        subject("plain", 188, plain),
        subject("deep", 224, deep),
    ]
}

/// The few mutants of `make test`.
pub fn smoke() -> Subject {
    Subject {
        name: "smoke",
        configuration: configuration(4, 4, WeightBits::Eight, CodeName::Secded72_64),
        plan: MutationPlan {
            count: 1,
            seed: SEED,
        },
    }
}

/// What Verilator says of comparisons that are mistakes: always true or always false.
const WAIVERS: &str = "/* verilator lint_off UNSIGNED */\n/* verilator lint_off CMPCONST */\n";

/// Compiles a model whose registers and memories start at random values.
fn compile(mut source: ModelSource) -> Arc<ModelLibrary> {
    for (_, text) in &mut source.files {
        text.insert_str(0, WAIVERS);
    }
    let (toolchain, cache) = tools();
    let options = BuildOptions {
        random_initial: true,
        trace: false,
        ..BuildOptions::default()
    };
    let compiled = cache
        .get(&toolchain, &source, options)
        .unwrap_or_else(|error| panic!("{error}"));
    ModelLibrary::open(&compiled).unwrap_or_else(|error| panic!("{error}"))
}

/// A compiled accelerator with its mutants and the tests that they meet.
pub struct Bench {
    /// Which accelerator.
    pub subject: Subject,
    /// Its text and its mutants.
    pub mutated: Mutated,
    library: Arc<ModelLibrary>,
    /// The voltage ROM alone, whose entries no network tells apart to the last bit.
    rom: Option<Arc<ModelLibrary>>,
    battery: Battery,
    /// Modules of which all claims are proved.
    sound: Mutex<BTreeSet<String>>,
}

impl Bench {
    /// Emits and compiles, or takes the model from the cache.
    ///
    /// # Panics
    /// With a sentence if a tool is missing or refuses.
    pub fn new(subject: Subject) -> Self {
        let mutated = generate_mutants(&subject.configuration, subject.plan)
            .unwrap_or_else(|error| panic!("{error}"));
        let library = compile(source(&mutated.design));
        let modules = mutated.design.modules.iter();
        let rom = modules
            .filter(|m| m.name.ends_with("_voltage_rom"))
            .map(|m| {
                compile(ModelSource {
                    top: m.name.clone(),
                    clock: Some("clock".to_owned()),
                    files: vec![(format!("{}.v", m.name), mutated.design.module_file(m))],
                })
            })
            .next();
        let battery = Battery::new(&subject.configuration);
        Self {
            subject,
            mutated,
            library,
            rom,
            battery,
            sound: Mutex::default(),
        }
    }

    /// What the tests say of a mutant; number 0 is the accelerator itself.
    pub fn verdict(&self, number: u16) -> Verdict {
        let rom = self
            .rom
            .as_ref()
            .filter(|_| number == 0 || self.mutant(number).module.ends_with("_voltage_rom"));
        rom.and_then(|rom| battery::check_rom(&self.subject.configuration, rom, number))
            .unwrap_or_else(|| self.battery.run(&self.library, number))
    }

    /// The mutant of a number, from 1.
    pub fn mutant(&self, number: u16) -> &Mutant {
        &self.mutated.mutants[usize::from(number) - 1]
    }

    /// Whether a claim that `make test` proves of the module does not hold of a mutant.
    ///
    /// # Errors
    /// When Yosys does not say clearly whether it does.
    ///
    /// # Panics
    /// If one does not hold of the module without a mistake either.
    pub fn refuted(&self, number: u16) -> Result<Option<Verdict>, String> {
        let mutant = self.mutant(number);
        let design = &self.mutated.original;
        let module = design.modules.iter().find(|m| m.name == mutant.module);
        let module = module.expect("a mutant is one of a module");
        let original = Cut::of(design, module);
        let mut changed = module.clone();
        changed.text.clone_from(&mutant.text);
        let changed = original.with_text(design.module_file(&changed));
        let configuration = &self.subject.configuration;
        let Some(message) = proofs::broken(&changed, design, configuration)? else {
            return Ok(None);
        };
        let mut sound = self.sound.lock().expect("no proof panicked");
        if !sound.contains(&original.name) {
            let without = proofs::broken(&original, design, configuration)?;
            assert_eq!(without, None, "{} without a mistake", original.name);
            sound.insert(original.name);
        }
        Ok(Some(Verdict::Killed {
            test: "proofs".to_string(),
            by: Sign::Proof,
            message,
        }))
    }

    /// What decides the verdicts: the text with the mutants, and the tests.
    pub fn fingerprint(&self) -> String {
        let mut hash = blake3::Hasher::new();
        hash.update(self.mutated.design.text().as_bytes());
        for source in battery::SOURCES {
            hash.update(source.as_bytes());
        }
        hash.finalize().to_hex()[..16].to_string()
    }
}
