//! Runs networks on an accelerator, through registers and streams only.

mod counters;
mod error;
mod lanes;

pub use counters::{Counters, ImageRun};
pub use error::DriverError;

use crate::beats;
use crate::link::Link;
use brownout_spec::arithmetic::{ChannelParameters, TABLE_ENTRIES};
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::FaultMode;
use brownout_spec::image::WeightImage;
use brownout_spec::program::{Place, Program, Shape, map_words};
use brownout_spec::quantity::{ChipSeed, Millivolts, Pass, Threshold};
use brownout_spec::registers::{self as map, LoadTarget, Register};
use error::{check_image, check_size};

/// What differs in GEOMETRY where words are stored in the other form.
const OTHER_FORM: u32 = 1 << map::GEOMETRY_COSET_LSB;
/// Clocks before STATUS is first read in a debug pass.
const FIRST_PAUSE: u64 = 8;

/// A pass that takes longer than this many times its prediction has failed.
const PATIENCE: u64 = 16;
/// Clocks in which one more result than expected would show.
const SURPLUS_CLOCKS: u64 = 8;

/// Where the threshold of the faults comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultRate {
    /// The hardware's ROM, at a supply voltage.
    Voltage(Millivolts),
    /// A register, which overrides the ROM.
    Threshold(Threshold),
}

/// Faults that the hardware emulates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmulatedFaults {
    /// Which chip.
    pub seed: ChipSeed,
    /// What faulty cells do.
    pub mode: FaultMode,
    /// How many cells are faulty.
    pub rate: FaultRate,
}

/// A program in the accelerator.
#[derive(Clone, Debug)]
struct Loaded {
    program: Program,
    predicted: u64,
}

/// Drives one accelerator.
pub struct Driver<L> {
    link: L,
    configuration: Configuration,
    loaded: Option<Loaded>,
}

impl<L: Link> Driver<L> {
    /// Takes over an accelerator, which must be the configured one.
    ///
    /// # Errors
    /// When the identification registers say otherwise.
    pub fn new(link: L, configuration: &Configuration) -> Result<Self, DriverError> {
        let mut driver = Self {
            link,
            configuration: configuration.clone(),
            loaded: None,
        };
        driver.identify()?;
        Ok(driver)
    }

    fn identify(&mut self) -> Result<(), DriverError> {
        let geometry = map::geometry(&self.configuration);
        for (register, expected, hint) in [
            (
                map::IDENTIFICATION,
                map::IDENTIFICATION_VALUE,
                "no Brownout accelerator answers",
            ),
            (
                map::VERSION,
                map::VERSION_VALUE,
                "the accelerator has another version of the register map",
            ),
            (
                map::GEOMETRY,
                geometry,
                "the accelerator was generated from another configuration",
            ),
        ] {
            let found = self.link.read_register(register)?;
            if found != expected {
                let hint = match (register, found ^ expected) {
                    (map::GEOMETRY, OTHER_FORM) => {
                        "its memory holds words in the other form (coset = true or false)"
                    }
                    _ => hint,
                };
                return Err(DriverError::Identity {
                    name: register.name,
                    found,
                    expected,
                    hint,
                });
            }
        }
        Ok(())
    }

    /// The wire, for what is special to it.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// The accelerator's configuration.
    pub fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// Loads a whole network: program, weights, parameters and tables.
    ///
    /// `parameters` has for each layer one entry per set of parameters and output channel, `tables`
    /// one for each pointwise layer.
    ///
    /// # Errors
    /// When the image is another accelerator's, sizes do not fit the program, or the wire fails.
    pub fn load(
        &mut self,
        program: &Program,
        image: &WeightImage,
        parameters: &[Vec<ChannelParameters>],
        tables: &[[i8; TABLE_ENTRIES]],
    ) -> Result<(), DriverError> {
        self.load_program(program)?;
        self.load_weights(image)?;
        self.load_parameters(parameters)?;
        self.load_tables(tables)
    }

    /// Loads a program; weights and parameters of the one before stay.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn load_program(&mut self, program: &Program) -> Result<(), DriverError> {
        self.fill(LoadTarget::Program, &program.words())?;
        let last_word = program.weight_words.saturating_sub(1) as u32;
        self.link.write_register(map::WEIGHT_WORDS, last_word)?;
        self.link
            .write_register(map::STOP_AFTER_LAYER, map::RUN_TO_THE_END)?;
        self.loaded = Some(Loaded {
            program: program.clone(),
            predicted: program_cycles(&self.configuration, program),
        });
        Ok(())
    }

    /// Loads the program's weight image.
    ///
    /// # Errors
    /// When it is one for another accelerator (another array, code, width or form of the stored
    /// words), its words are not as many as the program's, or the wire fails.
    pub fn load_weights(&mut self, image: &WeightImage) -> Result<(), DriverError> {
        check_image(image.layout(), &self.configuration)?;
        let expected = self.program()?.weight_words;
        check_size("the weight image", "words", image.words().len(), expected)?;
        let beats = beats::weights(self.configuration.code, image.words());
        self.fill(LoadTarget::Weights, &beats)
    }

    /// Loads multipliers and constants, for each layer one entry per set and output channel.
    ///
    /// # Errors
    /// When their number is not the program's, or the wire fails.
    pub fn load_parameters(
        &mut self,
        parameters: &[Vec<ChannelParameters>],
    ) -> Result<(), DriverError> {
        let program = self.program()?;
        // The last layer has no output in a buffer.
        let layers = program.outputs.len() + 1;
        check_size("the parameter list", "layers", parameters.len(), layers)?;
        for step in &program.steps {
            let Some(layer) = step.layer() else { continue };
            check_size(
                &format!("the parameter list of layer {layer}"),
                "channels",
                parameters[layer].len(),
                step.sets * step.shapes.output.channels,
            )?;
        }
        let beats = beats::parameters(&self.configuration, program, parameters);
        self.fill(LoadTarget::Parameters, &beats)
    }

    /// Loads the tables of the pointwise layers, in their order.
    ///
    /// # Errors
    /// When their number is not the program's, or the wire fails.
    pub fn load_tables(&mut self, tables: &[[i8; TABLE_ENTRIES]]) -> Result<(), DriverError> {
        let steps = &self.program()?.steps;
        let expected = steps.iter().filter(|step| step.table.is_some()).count();
        check_size("the list of tables", "tables", tables.len(), expected)?;
        match expected {
            0 => Ok(()),
            _ => self.fill(LoadTarget::Tables, &beats::tables(tables)),
        }
    }

    /// What the decoder gives for a word with a detected error.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn set_policy(&mut self, policy: Policy) -> Result<(), DriverError> {
        Ok(self.link.write_register(map::POLICY, policy.number())?)
    }

    /// The faults that the hardware emulates from now on.
    ///
    /// # Errors
    /// When faults are asked of an accelerator without emulation, or the wire fails.
    pub fn set_faults(&mut self, faults: &EmulatedFaults) -> Result<(), DriverError> {
        if !self.configuration.fault_emulation {
            return match faults.mode {
                FaultMode::None | FaultMode::Map => Ok(()),
                mode => Err(DriverError::NoEmulation(mode)),
            };
        }
        let seed = faults.seed.0;
        let mut writes = vec![
            (map::CHIP_SEED_LOW, seed as u32),
            (map::CHIP_SEED_HIGH, (seed >> 32) as u32),
            (map::FAULT_MODE, faults.mode.hardware_number().into()),
            (map::ONES_SHARE, faults.mode.hardware_share().into()),
        ];
        match faults.rate {
            FaultRate::Voltage(supply) => {
                writes.extend([(map::VOLTAGE, supply.0.into()), (map::THRESHOLD_SELECT, 0)]);
            }
            FaultRate::Threshold(threshold) => {
                writes.extend([(map::THRESHOLD, threshold.0), (map::THRESHOLD_SELECT, 1)]);
            }
        }
        self.write_all(&writes)
    }

    /// The number of the next pass, which transient faults depend on; the hardware counts on.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn set_pass(&mut self, pass: Pass) -> Result<(), DriverError> {
        Ok(self.link.write_register(map::PASS, pass.0)?)
    }

    /// The number of the next pass.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn pass(&mut self) -> Result<Pass, DriverError> {
        Ok(Pass(self.link.read_register(map::PASS)?))
    }

    /// Runs one image, `[row][column][channel]`, through the whole program.
    ///
    /// # Errors
    /// When the image has another size, results are missing or too many, or the wire fails.
    pub fn run_image(&mut self, image: &[i8]) -> Result<ImageRun, DriverError> {
        let (expected, predicted) = self.start(image, map::RUN_TO_THE_END)?;
        let clocks = PATIENCE * predicted;
        let results = self.link.receive(expected, clocks)?;
        if results.len() < expected || !self.ends_within(clocks)? {
            return Err(DriverError::Unfinished {
                found: results.len(),
                expected,
                clocks,
                predicted,
            });
        }
        if !self.link.receive(1, SURPLUS_CLOCKS)?.is_empty() {
            return Err(DriverError::Surplus { expected });
        }
        Ok(ImageRun {
            logits: results.into_iter().map(|word| word as i32).collect(),
            counters: self.counters()?,
        })
    }

    /// Loads an image and starts its pass, for who lets the clocks pass otherwise. The clock after
    /// this is the pass's first.
    ///
    /// # Errors
    /// When the image has another size, or the wire fails.
    pub fn begin_image(&mut self, image: &[i8]) -> Result<(), DriverError> {
        self.start(image, map::RUN_TO_THE_END).map(|_| ())
    }

    /// Runs one image up to a layer, not the last, and reads back what that layer wrote.
    ///
    /// The map has every channel that the columns wrote: those beyond the
    /// layer's own are padding and must be zero; there are none where parts of a concatenated map
    /// lie side by side within a tile of columns. A concat is there when its last part is.
    ///
    /// # Errors
    /// When the image has another size, the pass does not end, or the wire fails.
    ///
    /// # Panics
    /// If the layer does not exist or is the last.
    pub fn run_to_layer(
        &mut self,
        image: &[i8],
        layer: usize,
    ) -> Result<(Shape, Vec<i8>), DriverError> {
        let columns = self.configuration.columns;
        let output = self.program()?.outputs[layer];
        let map = output.shape;
        let shape = match output.padded {
            true => Shape {
                channels: map.channels.next_multiple_of(columns),
                ..map
            },
            false => map,
        };
        let (_, predicted) = self.start(image, output.step as u32)?;
        let clocks = PATIENCE * predicted;
        let ended = self.ends_within(clocks)?;
        self.link
            .write_register(map::STOP_AFTER_LAYER, map::RUN_TO_THE_END)?;
        if !ended {
            return Err(DriverError::Stuck { layer, clocks });
        }
        Ok((shape, self.read_activations(output.place, shape)?))
    }

    /// Reads a feature map from where it lies through the debug window.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn read_activations(&mut self, place: Place, shape: Shape) -> Result<Vec<i8>, DriverError> {
        let Place { buffer, base, lane } = place;
        let groups = self.configuration.activation_lanes() / map::LANES_PER_BEAT;
        // The lanes in front of it are read, and dropped.
        let wider = Shape {
            channels: lane + shape.channels,
            ..shape
        };
        let words = base..base + map_words(&self.configuration, wider);
        let mut read = Vec::with_capacity(words.len() * groups);
        for word in words {
            for group in 0..groups {
                let address =
                    word | buffer << map::DEBUG_BUFFER_LSB | group << map::DEBUG_GROUP_LSB;
                self.link
                    .write_register(map::DEBUG_ADDRESS, address as u32)?;
                self.link.wait(map::DEBUG_LATENCY)?;
                read.push(self.link.read_register(map::DEBUG_DATA)?);
            }
        }
        let map = beats::map_of_activations(&self.configuration, wider, &read);
        let pixels = map.chunks_exact(wider.channels);
        Ok(pixels.flat_map(|pixel| &pixel[lane..]).copied().collect())
    }

    /// The counters of the last pass.
    ///
    /// # Errors
    /// When the wire fails.
    pub fn counters(&mut self) -> Result<Counters, DriverError> {
        Ok(Counters {
            cycles: self.counter(map::CYCLES_LOW, map::CYCLES_HIGH)?,
            busy: self.counter(map::BUSY_LOW, map::BUSY_HIGH)?,
            words_read: self.counter(map::WORDS_READ_LOW, map::WORDS_READ_HIGH)?,
            corrected: self.counter(map::CORRECTED_LOW, map::CORRECTED_HIGH)?,
            detected: self.counter(map::DETECTED_LOW, map::DETECTED_HIGH)?,
            last_detected: self.link.read_register(map::LAST_DETECTED)?.into(),
            disturbed: self.counter(map::DISTURBED_LOW, map::DISTURBED_HIGH)?,
            flipped: self.counter(map::FLIPPED_LOW, map::FLIPPED_HIGH)?,
        })
    }

    /// Reading the low half latches the high half.
    fn counter(&mut self, low: Register, high: Register) -> Result<u64, DriverError> {
        let low = self.link.read_register(low)?;
        let high = self.link.read_register(high)?;
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    /// Loads an image and starts a pass; returns its results and predicted cycles.
    fn start(&mut self, image: &[i8], stop_after: u32) -> Result<(usize, u64), DriverError> {
        let Loaded { program, predicted } = self.loaded.as_ref().ok_or(DriverError::NoProgram)?;
        let (input, predicted) = (program.input, *predicted);
        let results = program.results();
        check_size("the image", "values", image.len(), input.volume())?;
        let beats = beats::activations(&self.configuration, input, image);
        self.fill(LoadTarget::Activations, &beats)?;
        if stop_after != map::RUN_TO_THE_END {
            self.link
                .write_register(map::STOP_AFTER_LAYER, stop_after)?;
        }
        self.link.write_register(map::CONTROL, map::CONTROL_START)?;
        Ok((results, predicted))
    }

    /// Whether the pass that was started ends within about `clocks` clocks.
    fn ends_within(&mut self, clocks: u64) -> Result<bool, DriverError> {
        let mut waited = FIRST_PAUSE;
        self.link.wait(FIRST_PAUSE)?;
        loop {
            let status = self.link.read_register(map::STATUS)?;
            if status == map::STATUS_ENDED {
                return Ok(true);
            }
            if waited > clocks {
                return Ok(false);
            }
            // Longer and longer, so that a lost pass does not take many reads.
            let pause = waited;
            self.link.wait(pause)?;
            waited += pause;
        }
    }

    fn fill(&mut self, target: LoadTarget, beats: &[u32]) -> Result<(), DriverError> {
        self.link.write_register(map::LOAD_TARGET, target as u32)?;
        Ok(self.link.send(beats)?)
    }

    fn write_all(&mut self, writes: &[(Register, u32)]) -> Result<(), DriverError> {
        for &(register, value) in writes {
            self.link.write_register(register, value)?;
        }
        Ok(())
    }

    /// Clocks that the loaded program will take.
    fn predicted(&self) -> Result<u64, DriverError> {
        let loaded = self.loaded.as_ref().ok_or(DriverError::NoProgram)?;
        Ok(loaded.predicted)
    }

    fn program(&self) -> Result<&Program, DriverError> {
        let loaded = self.loaded.as_ref().ok_or(DriverError::NoProgram)?;
        Ok(&loaded.program)
    }
}
