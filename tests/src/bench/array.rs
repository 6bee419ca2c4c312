//! The systolic array on its own, fed as the accelerator would feed it.

use super::clock::ProcessorTime;
use super::report::BenchError;
use brownout_hdl::GenerateError;
use brownout_hdl::array::Array;
use brownout_hdl::emit::Emitter;
use brownout_sim::build::BuildOptions;
use brownout_sim::model::{Model, ModelLibrary, Port};
use brownout_sim::simulator::source;
use brownout_spec::code::Code;
use brownout_spec::config::Configuration;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rust_hdl::prelude::Block;
use std::sync::Arc;
use std::time::Duration;

/// Pixels of a tile: a map of 32 x 32.
const PIXELS: usize = 1024;
/// Lanes of eight bits in a word of a model's port.
const LANES: usize = 4;

/// The array's model, and one tile's activations.
pub struct ArrayAlone {
    library: Arc<ModelLibrary>,
    weights_per_word: usize,
    words_per_tile: usize,
    words_per_row: usize,
    /// The lanes of each, as the words of their port.
    pixels: Vec<Vec<u32>>,
}

/// Its inputs.
struct Inputs {
    activation: Port,
    weight: Port,
    swap: Port,
    weight_valid: Port,
    weight_row: Port,
    weight_group: Port,
}

impl ArrayAlone {
    /// Emits and compiles the array of a configuration with 8-bit weights.
    pub fn build(configuration: &Configuration) -> Result<Self, BenchError> {
        let (rows, columns) = (configuration.rows, configuration.columns);
        let weights_per_word = Code::of(configuration).weights_per_word();
        let mut array = Array::<8, 8>::new(rows, columns, weights_per_word);
        array.connect_all();
        let emitted = Emitter::new("cell_array").emit(&array);
        let emitted = emitted.map_err(GenerateError::from)?;
        let (toolchain, cache) = crate::session::tools();
        let options = BuildOptions::default();
        let compiled = cache.get(&toolchain, &source(&emitted), options)?;
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let mut pixel = || words(rows, || random.random_range(0..128));
        Ok(Self {
            library: ModelLibrary::open(&compiled)?,
            weights_per_word,
            words_per_tile: configuration.words_per_tile(),
            words_per_row: (columns / weights_per_word).max(1),
            pixels: (0..PIXELS).map(|_| pixel()).collect(),
        })
    }

    /// Multiplies tiles; returns the time of a clock.
    pub fn run(&self, tiles: usize) -> Result<Duration, BenchError> {
        let mut model = Model::new(&self.library);
        let inputs = self.inputs(&model)?;
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut clocks = 0;
        let start = ProcessorTime::now();
        for _ in 0..tiles {
            for (clock, pixel) in self.pixels.iter().enumerate() {
                model.write(inputs.swap, u64::from(clock + 1 == PIXELS));
                write(&mut model, inputs.activation, pixel);
                // The next tile's words, as early as they may come.
                let loading = clock < self.words_per_tile;
                model.write(inputs.weight_valid, u64::from(loading));
                if loading {
                    let word = words(self.weights_per_word, || random.random());
                    write(&mut model, inputs.weight, &word);
                    let row = clock / self.words_per_row;
                    model.write(inputs.weight_row, row as u64);
                    let group = clock % self.words_per_row;
                    model.write(inputs.weight_group, group as u64);
                }
                model.step();
                clocks += 1;
            }
        }
        Ok(start.elapsed() / clocks)
    }

    fn inputs(&self, model: &Model) -> Result<Inputs, BenchError> {
        Ok(Inputs {
            activation: model.port("activation")?,
            weight: model.port("weight")?,
            swap: model.port("swap")?,
            weight_valid: model.port("weight_valid")?,
            weight_row: model.port("weight_row")?,
            weight_group: model.port("weight_group")?,
        })
    }
}

/// So many lanes of eight bits, packed as a model's ports are.
fn words(lanes: usize, mut lane: impl FnMut() -> u8) -> Vec<u32> {
    let mut word = |first: usize| {
        let bytes = std::array::from_fn(|k| if first + k < lanes { lane() } else { 0 });
        u32::from_le_bytes(bytes)
    };
    (0..lanes).step_by(LANES).map(&mut word).collect()
}

/// Sets an input of any width.
fn write(model: &mut Model, port: Port, words: &[u32]) {
    match *words {
        [low] => model.write(port, low.into()),
        [low, high] => model.write(port, u64::from(high) << u32::BITS | u64::from(low)),
        _ => model.write_words(port, words),
    }
}
