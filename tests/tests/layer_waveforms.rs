//! The waveform of a layer that differs: which clocks it holds where a file has room for all of them,
//! and where it has not.

use brownout_golden::data::Dataset;
use brownout_hdl::generate::generate;
use brownout_sim::build::BuildOptions;
use brownout_sim::campaign::{Campaign, Hardware, LayerWaveform, Point, Supply};
use brownout_sim::compare::Mismatch;
use brownout_sim::link::Stalls;
use brownout_sim::simulator::{Simulator, source};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::cycles::{program_cycles, step_clocks};
use brownout_spec::fault::FaultMode;
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::{Operation, Shape, Window};
use brownout_spec::quantity::{BitErrorRate, ChipSeed};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{self, Graph};
use brownout_tests::mutant::Change;
use brownout_tests::session::tools;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::num::NonZeroUsize;
use std::path::Path;

const MEGABYTES: u64 = 1_000_000;

/// An accelerator whose requantizer rounds down, as it is simulated fast and with waveforms.
fn broken(configuration: &Configuration) -> [Simulator; 2] {
    let (toolchain, cache) = tools();
    let mut emitted = generate(configuration).unwrap_or_else(|e| panic!("{e}"));
    let towards_zero = "total[47] ? total + ((48'd1 << shift) - 48'd1) : total";
    Change::register("requantizer", "sum_q", towards_zero).apply(&mut emitted);
    [false, true].map(|trace| {
        let options = BuildOptions {
            trace,
            ..BuildOptions::default()
        };
        let source = source(&emitted);
        Simulator::from_verilog(&toolchain, &cache, configuration, &source, options)
            .unwrap_or_else(|e| panic!("{e}"))
    })
}

/// Two convolutions, of which the last gives the network's results, and images.
struct Task {
    graph: Graph,
    image: WeightImage,
    data: Dataset,
}

impl Task {
    fn new(configuration: &Configuration) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let convolution = |kernel, output_channels| {
            Operation::convolution(Window::square(kernel, 1, 0), output_channels)
        };
        let input = Shape {
            height: 6,
            width: 6,
            channels: 1,
        };
        let operations = [convolution(3, 12), convolution(4, 10)];
        let graph = graph::with_operations(configuration, input, &operations, &mut random)
            .expect("the network fits");
        let layout = Layout::new(configuration, graph.model.weight_shapes()).expect("it fits");
        let image = WeightImage::encode(layout, &graph.model.weight_tensors()).expect("in range");
        let images = ndarray::Array4::<u8>::from_shape_fn((4, 6, 6, 1), |_| random.random());
        let labels = (0..4).map(|_| random.random_range(0..10)).collect();
        let data = Dataset::new("noise", images, labels, 10);
        Self { graph, image, data }
    }

    fn campaign<'a>(&'a self, simulator: &'a Simulator) -> Campaign<'a> {
        Campaign {
            hardware: Hardware::One(simulator),
            model: &self.graph.model,
            program: &self.graph.program,
            image: &self.image,
            data: &self.data,
            first_image: 7,
            seed: ChipSeed(3),
            threads: NonZeroUsize::new(1),
            stalls: Stalls::default(),
            reproduce: &|_, image| format!("again --image {image}"),
        }
    }
}

fn in_place() -> Configuration {
    configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57)
}

const CALM: Point<'static> = Point {
    supply: Supply::Rate(BitErrorRate::ZERO),
    mode: FaultMode::None,
    map: None,
    policy: Policy::Zero,
};

fn trace(campaign: &Campaign, found: &Mismatch, file: &Path, most: u64) -> LayerWaveform {
    campaign
        .trace_layer(&CALM, found, file, most)
        .unwrap_or_else(|e| panic!("{e}"))
        .expect("the image differs alone")
}

#[test]
fn a_layer_without_room_is_shown_up_to_its_first_wrong_value_and_never_beyond_the_limit() {
    let configuration = in_place();
    let task = Task::new(&configuration);
    let [fast, traceable] = broken(&configuration);
    let run = task.campaign(&fast).run(&CALM, &|| ());
    let (_, found) = run.unwrap_or_else(|e| panic!("{e}"));
    let found = found.expect("truncation shows in a network with negative sums");
    let layer = found.place.as_ref().expect("a value differs").layer;
    let campaign = task.campaign(&traceable);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("layer.vcd");
    let size = || fs::metadata(&file).expect("it was written").len();

    let whole = trace(&campaign, &found, &file, 50 * MEGABYTES);
    let clocks = step_clocks(&configuration, &task.graph.program);
    assert_eq!(whole.place, found.place);
    assert_eq!(whole.clocks, clocks[layer]);
    assert_eq!(whole.held, whole.clocks);
    assert!(whole.clocks.contains(&whole.written));
    let name = &found.place.as_ref().expect("a value differs").name;
    let expected = format!("all of layer {layer} ({name})");
    assert!(whole.to_string().ends_with(&expected), "{whole}");
    let all = size();

    // Less and less of the layer.
    for most in [all - 1, all / 2, all / 3] {
        let part = trace(&campaign, &found, &file, most);
        assert!(size() <= most, "{} of {most} bytes", size());
        assert!(part.held.contains(&part.written), "{part}");
        assert!(part.held.start >= whole.clocks.start && part.held.end <= whole.clocks.end);
        assert!(part.held != whole.held);
        assert!(part.to_string().contains("which takes clocks"), "{part}");
        assert_eq!(part.groups().map(|g| g.len()), Ok(8));
    }
}

#[test]
fn a_pass_of_which_only_a_counter_differs_is_shown_from_its_beginning() {
    let configuration = in_place();
    let task = Task::new(&configuration);
    let (toolchain, cache) = tools();
    let mut emitted = generate(&configuration).unwrap_or_else(|e| panic!("{e}"));
    let twice = Change {
        module: "event_counter",
        before: "if (increment) count_q <= ".into(),
        after: ";",
        instead: "count_q + 64'd2".into(),
    };
    twice.apply(&mut emitted);
    let options = BuildOptions {
        trace: true,
        ..BuildOptions::default()
    };
    let simulator = Simulator::from_verilog(
        &toolchain,
        &cache,
        &configuration,
        &source(&emitted),
        options,
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let campaign = task.campaign(&simulator);
    let run = campaign.run(&CALM, &|| ());
    let (_, found) = run.unwrap_or_else(|e| panic!("{e}"));
    let found = found.expect("cycles are counted twice");
    assert_eq!(found.place, None);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("pass.vcd");
    let whole = trace(&campaign, &found, &file, 50 * MEGABYTES);
    assert_eq!(
        whole.held,
        0..program_cycles(&configuration, &task.graph.program)
    );
    assert!(
        whole.to_string().contains("only a counter differs"),
        "{whole}"
    );
}
