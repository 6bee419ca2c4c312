//! Networks and images that accelerators are measured with.

use super::report::BenchError;
use crate::graph::{self, Graph};
use crate::tensors::draw_image;
use brownout_golden::model::IntegerModel;
use brownout_sim::driver::{Driver, EmulatedFaults, FaultRate};
use brownout_sim::link::Link;
use brownout_spec::arithmetic::ChannelParameters;
use brownout_spec::code::{CodeName, Policy, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::{Operation, Program, Residual, Shape, Window};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Pass};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Rate of transient faults where the emulation is active.
pub const RATE: f64 = 1e-3;

/// The accelerator of `make sim` with another array, and faults emulated or not.
pub fn accelerator(side: usize, fault_emulation: bool) -> Configuration {
    Configuration {
        name: "brownout".into(),
        rows: side,
        columns: side,
        weight_bits: WeightBits::Eight,
        code: CodeName::Inplace64_57,
        storage: Storage::Coset,
        depths: Depths {
            weights: 16384,
            activations: 1024,
            accumulators: 1024,
            parameters: 64,
            layers: 16,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation,
        zero_points: false,
        tables: 0,
    }
}

/// A convolution with as many output pixels as input pixels at stride 1.
pub fn convolution(kernel: usize, stride: usize, output_channels: usize) -> Operation {
    Operation::convolution(Window::square(kernel, stride, kernel / 2), output_channels)
}

/// A network in an accelerator, and images for it.
#[derive(Clone, Debug)]
pub struct Workload {
    graph: Graph,
    image: WeightImage,
    parameters: Vec<Vec<ChannelParameters>>,
    images: Vec<Vec<i8>>,
    faults: EmulatedFaults,
}

impl Workload {
    /// The stages of a small residual network: `channels` on the input's map, twice as
    /// many on half and four times on a quarter of its sides, one residual, a pool, ten classes.
    pub fn residual_network(
        configuration: &Configuration,
        side: usize,
        channels: usize,
        images: usize,
    ) -> Self {
        let with_residual = convolution(3, 1, 2 * channels).with_residual(Residual {
            stride: 1,
            scale: Default::default(),
        });
        let operations = [
            convolution(3, 1, channels),
            convolution(3, 2, 2 * channels),
            convolution(3, 1, 2 * channels),
            with_residual,
            convolution(3, 2, 4 * channels),
            Operation::GlobalAveragePool,
            convolution(1, 1, 10),
        ];
        let input = Shape {
            height: side,
            width: side,
            channels: 3,
        };
        let mut nodes = graph::chain(&operations);
        nodes[3].reads.push(2);
        Self::of_nodes(configuration, input, &nodes, images)
    }

    /// A chain of these operations with drawn weights and images.
    ///
    /// # Panics
    /// If it does not fit the configuration.
    pub fn new(
        configuration: &Configuration,
        input: Shape,
        operations: &[Operation],
        images: usize,
    ) -> Self {
        Self::of_nodes(configuration, input, &graph::chain(operations), images)
    }

    /// A network of these nodes with drawn weights and images.
    ///
    /// # Panics
    /// If it does not fit the configuration.
    fn of_nodes(
        configuration: &Configuration,
        input: Shape,
        nodes: &[graph::Node],
        images: usize,
    ) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(8);
        let graph = graph::with_nodes(configuration, input, nodes, &mut random)
            .expect("the measured networks fit the measured accelerators");
        Self::of_graph(configuration, graph, images, random)
    }

    fn of_graph(
        configuration: &Configuration,
        graph: Graph,
        images: usize,
        mut random: ChaCha8Rng,
    ) -> Self {
        let input = graph.program.input;
        let layout = Layout::new(configuration, graph.model.weight_shapes())
            .expect("the graph was made for this configuration");
        let image = WeightImage::encode(layout, &graph.model.weight_tensors())
            .expect("weights are in the range of the code");
        let layers = graph.model.layers.iter();
        Self {
            image,
            parameters: layers.map(|layer| layer.channels.clone()).collect(),
            images: (0..images)
                .map(|_| draw_image(input.volume(), &mut random))
                .collect(),
            faults: EmulatedFaults {
                seed: ChipSeed(0xb0b),
                mode: FaultMode::None,
                rate: FaultRate::Threshold(rate().threshold()),
            },
            graph,
        }
    }

    /// A network that was trained, with drawn images.
    ///
    /// # Panics
    /// If it does not fit the configuration.
    pub fn of_model(configuration: &Configuration, model: IntegerModel, images: usize) -> Self {
        let program = Program::new(configuration, &model.network)
            .expect("the measured networks fit the measured accelerators");
        let random = ChaCha8Rng::seed_from_u64(8);
        Self::of_graph(configuration, Graph { model, program }, images, random)
    }

    /// The same with transient faults.
    pub fn disturbed(mut self) -> Self {
        self.faults.mode = FaultMode::Transient;
        self
    }

    /// The network and its program.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// The images.
    pub fn images(&self) -> &[Vec<i8>] {
        &self.images
    }

    /// Loads the network and sets up the faults.
    pub fn prepare<L: Link>(&self, driver: &mut Driver<L>) -> Result<(), BenchError> {
        let tables = self.graph.model.tables();
        driver.load(&self.graph.program, &self.image, &self.parameters, &tables)?;
        driver.set_policy(Policy::Keep)?;
        driver.set_faults(&self.faults)?;
        if driver.configuration().fault_emulation {
            driver.set_pass(Pass(0))?;
        }
        Ok(())
    }

    /// Runs all images; returns their results, one after the other.
    pub fn run<L: Link>(&self, driver: &mut Driver<L>) -> Result<Vec<i32>, BenchError> {
        let mut results = Vec::new();
        for image in &self.images {
            results.extend(driver.run_image(image)?.logits);
        }
        Ok(results)
    }
}

/// The rate as a type.
pub fn rate() -> BitErrorRate {
    BitErrorRate::new(RATE).expect("a probability")
}
