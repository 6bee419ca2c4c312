//! Sessions on simulated accelerators: build, load, run images, compare.

use crate::definition;
use crate::graph::Graph;
use brownout_golden::infer::Memory;
use brownout_sim::build::BuildOptions;
use brownout_sim::cache::ModelCache;
use brownout_sim::compare::{CompareError, GoldenPass, Mismatch, Trial};
use brownout_sim::driver::{Driver, DriverError, EmulatedFaults, FaultRate};
use brownout_sim::link::Link;
use brownout_sim::simulator::Simulator;
use brownout_sim::toolchain::Toolchain;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::{ChipFaults, FaultMap, FaultMode};
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::quantity::{ChipSeed, Millivolts, Pass, Threshold};

/// The tool chain and the model cache of the workspace.
///
/// # Panics
/// With a sentence if a tool is missing: these tests need it.
pub fn tools() -> (Toolchain, ModelCache) {
    let toolchain = Toolchain::locate().unwrap_or_else(|error| panic!("{error}"));
    let cache = ModelCache::locate(&toolchain);
    (toolchain, cache)
}

/// The simulated hardware of a configuration.
///
/// # Panics
/// With the error's sentence if it cannot be built.
pub fn simulator(configuration: &Configuration, options: BuildOptions) -> Simulator {
    let (toolchain, cache) = tools();
    Simulator::build(&toolchain, &cache, configuration, options)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What a pass is disturbed by, and what is done about it.
#[derive(Clone, Debug)]
pub struct Conditions {
    /// Which chip.
    pub seed: ChipSeed,
    /// What faulty cells do.
    pub mode: FaultMode,
    /// How many cells are faulty.
    pub threshold: Threshold,
    /// Where `threshold` is what the hardware's ROM holds for a supply: that supply.
    pub supply: Option<Millivolts>,
    /// The faulty cells in mode `map`.
    pub map: FaultMap,
    /// What is read from a word with a detected error.
    pub policy: Policy,
    /// Number of the first pass.
    pub first_pass: Pass,
}

/// Loads a graph and compares images under the given conditions, one pass after the other.
///
/// The pass register is set once; the hardware counts on. Every layer's
/// activations are compared for the image numbers in `inspect`.
///
/// # Errors
/// When the accelerator does not answer as one does.
///
/// # Panics
/// If the graph does not belong to the driver's configuration.
pub fn compare_images<L: Link>(
    driver: &mut Driver<L>,
    graph: &Graph,
    conditions: &Conditions,
    images: &[Vec<i8>],
    inspect: &[usize],
) -> Result<Option<Mismatch>, CompareError> {
    let configuration = driver.configuration().clone();
    let memory = store(&configuration, graph, conditions);
    load(driver, graph, &memory, conditions)?;
    let mut pass = conditions.first_pass;
    if configuration.fault_emulation {
        driver.set_pass(pass)?;
    }
    for (index, image) in images.iter().enumerate() {
        let golden = GoldenPass::new(
            &graph.model,
            &configuration,
            &graph.program,
            &memory,
            pass,
            conditions.policy,
        )?;
        let mut workspace = golden.network().workspace();
        let trial = Trial {
            golden: &golden,
            model: &graph.model,
            image: index,
            input: image,
            pass: None,
        };
        let (_, mismatch) = trial.run(driver, &mut workspace)?;
        if mismatch.is_some() {
            return Ok(mismatch);
        }
        pass = pass.next();
        if inspect.contains(&index) {
            let trial = Trial {
                pass: configuration
                    .fault_emulation
                    .then_some(Pass(pass.0.wrapping_sub(1))),
                ..trial
            };
            let mismatch = trial.run_layers(driver, &mut workspace)?;
            if mismatch.is_some() {
                return Ok(mismatch);
            }
            if configuration.fault_emulation {
                driver.set_pass(pass)?;
            }
        }
    }
    Ok(None)
}

/// Runs an image, and then up to every layer in turn, and compares what is written with the
/// [definition](crate::definition), cycles with the formula; says what differs.
///
/// # Errors
/// When the accelerator does not answer as one does.
///
/// # Panics
/// If the graph does not belong to the driver's configuration.
pub fn compare_with_definition<L: Link>(
    driver: &mut Driver<L>,
    graph: &Graph,
    conditions: &Conditions,
    image: &[i8],
) -> Result<Option<String>, CompareError> {
    let configuration = driver.configuration().clone();
    let memory = store(&configuration, graph, conditions);
    load(driver, graph, &memory, conditions)?;
    let pass = conditions.first_pass;
    let tensors = memory.read(pass, conditions.policy).tensors;
    let (maps, results) = definition::run(&graph.model, &tensors, image);
    let again = |driver: &mut Driver<L>| match configuration.fault_emulation {
        true => driver.set_pass(pass),
        false => Ok(()),
    };
    for (layer, map) in maps.iter().enumerate() {
        again(driver)?;
        let (shape, found) = driver.run_to_layer(image, layer)?;
        let channels = graph.program.outputs[layer].shape.channels;
        let padded = map.chunks_exact(channels).flat_map(|pixel| {
            let padding = std::iter::repeat_n(0, shape.channels - channels);
            pixel.iter().copied().chain(padding)
        });
        if let Some((index, (expected, found))) =
            padded.zip(found).enumerate().find(|(_, (a, b))| a != b)
        {
            let (pixel, channel) = (index / shape.channels, index % shape.channels);
            return Ok(Some(format!(
                "layer {layer}, pixel {pixel} of {shape}, channel {channel}: {expected} by definition, {found} in the RTL"
            )));
        }
    }
    again(driver)?;
    let run = driver.run_image(image)?;
    let cycles = program_cycles(&configuration, &graph.program);
    let words = graph.program.weight_words as u64;
    let counted = (run.counters.cycles, run.counters.words_read);
    Ok(if run.logits != results {
        let found = run.logits;
        Some(format!("results are {found:?} instead of {results:?}"))
    } else if counted != (cycles, words) {
        Some(format!(
            "cycles and words read are {counted:?} instead of {:?}",
            (cycles, words)
        ))
    } else {
        None
    })
}

/// Loads a graph, and what a pass is disturbed by.
///
/// # Errors
/// When the accelerator does not answer as one does.
pub fn load<L: Link>(
    driver: &mut Driver<L>,
    graph: &Graph,
    memory: &Memory,
    conditions: &Conditions,
) -> Result<(), DriverError> {
    let layers = graph.model.layers.iter();
    let parameters: Vec<_> = layers.map(|layer| layer.channels.clone()).collect();
    let tables = graph.model.tables();
    driver.load(&graph.program, memory.written(), &parameters, &tables)?;
    driver.set_policy(conditions.policy)?;
    driver.set_faults(&EmulatedFaults {
        seed: conditions.seed,
        mode: conditions.mode,
        rate: match conditions.supply {
            Some(supply) => FaultRate::Voltage(supply),
            None => FaultRate::Threshold(conditions.threshold),
        },
    })
}

/// The graph's weights in the memory of a chip.
///
/// # Panics
/// If the graph or the fault map does not belong to the configuration.
pub fn store(configuration: &Configuration, graph: &Graph, conditions: &Conditions) -> Memory {
    let layout = Layout::new(configuration, graph.model.weight_shapes())
        .expect("the graph was drawn for this configuration");
    let image = WeightImage::encode(layout, &graph.model.weight_tensors())
        .expect("drawn weights are in range");
    let faults = ChipFaults {
        seed: conditions.seed,
        mode: conditions.mode,
        threshold: conditions.threshold,
    };
    match conditions.mode {
        FaultMode::Map => Memory::with_map(image, &conditions.map, faults),
        _ => Memory::new(image, faults),
    }
    .expect("the map was drawn for this image")
}
