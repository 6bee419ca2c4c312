//! Campaigns: sums that do not depend on the number of threads, and where a mismatch ends them.

use brownout_golden::data::Dataset;
use brownout_hdl::generate::generate;
use brownout_sim::build::BuildOptions;
use brownout_sim::campaign::{Campaign, CampaignError, Hardware, Point, PointSummary, Supply};
use brownout_sim::compare::Mismatch;
use brownout_sim::engine::{Apart, Engine, source as engine_source};
use brownout_sim::link::Stalls;
use brownout_sim::simulator::{Simulator, source};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::FaultMode;
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::{Operation, Shape, Window};
use brownout_spec::quantity::{BitErrorRate, ChipSeed, Millivolts};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{self, Graph};
use brownout_tests::lanes::engine;
use brownout_tests::mutant::Change;
use brownout_tests::session::{simulator, tools};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

const IMAGES: usize = 10;

fn in_place() -> Configuration {
    configuration(4, 8, WeightBits::Eight, CodeName::Inplace64_57)
}

/// A small network and images that it has never seen.
fn task(configuration: &Configuration) -> (Graph, WeightImage, Dataset) {
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
    let images = ndarray::Array4::<u8>::from_shape_fn((IMAGES, 6, 6, 1), |_| random.random());
    let labels = (0..IMAGES).map(|_| random.random_range(0..10)).collect();
    let data = Dataset::new("noise", images, labels, 10);
    (graph, image, data)
}

type Outcome = Result<(PointSummary, Option<Mismatch>), CampaignError>;

fn run(simulator: &Simulator, point: &Point, threads: usize) -> Outcome {
    run_on(Hardware::One(simulator), point, threads)
}

fn run_on(hardware: Hardware, point: &Point, threads: usize) -> Outcome {
    let configuration = match hardware {
        Hardware::One(simulator) => simulator.configuration(),
        Hardware::SideBySide(engine) => engine.configuration(),
    };
    let (graph, image, data) = task(configuration);
    let steps = AtomicUsize::new(0);
    let outcome = Campaign {
        hardware,
        model: &graph.model,
        program: &graph.program,
        image: &image,
        data: &data,
        first_image: 0,
        seed: ChipSeed(3),
        threads: NonZeroUsize::new(threads),
        stalls: Stalls::default(),
        reproduce: &|_, image| format!("again --image {image}"),
    }
    .run(point, &|| {
        steps.fetch_add(1, Ordering::Relaxed);
    })?;
    if outcome.1.is_none() {
        assert_eq!(
            steps.load(Ordering::Relaxed),
            IMAGES,
            "progress counts images"
        );
    }
    Ok(outcome)
}

fn point(supply: Supply, mode: FaultMode) -> Point<'static> {
    Point {
        supply,
        mode,
        map: None,
        policy: Policy::Zero,
    }
}

#[test]
fn sums_are_the_same_for_any_number_of_threads() {
    let simulator = simulator(&in_place(), BuildOptions::default());
    let rate = BitErrorRate::new(0.01).expect("a probability");
    let transient = point(Supply::Rate(rate), FaultMode::Transient);
    let (one, mismatch) = run(&simulator, &transient, 1).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(mismatch, None);
    assert_eq!((one.images, one.mismatches), (IMAGES, 0));
    assert_eq!(one.logits_compared, 10 * IMAGES as u64);
    assert_eq!(one.accuracy_rtl, one.accuracy_golden);
    assert_eq!(one.cycles_per_image, one.cycles_predicted);
    assert!(one.corrected > 0 && one.detected > 0 && one.residual_bit_errors > 0);
    for threads in [2, 3] {
        let (more, _) = run(&simulator, &transient, threads).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(more, one, "{threads} threads");
    }
}

#[test]
fn sums_are_the_same_side_by_side() {
    let simulator = simulator(&in_place(), BuildOptions::default());
    let rate = BitErrorRate::new(0.01).expect("a probability");
    for mode in [FaultMode::Transient, FaultMode::Persistent] {
        let point = point(Supply::Rate(rate), mode);
        let (one, _) = run(&simulator, &point, 1).unwrap_or_else(|e| panic!("{e}"));
        // Ten images are two full batches and a half; without passes of their own, one by one.
        for (apart, threads) in [(Apart::Passes, 1), (Apart::Passes, 2), (Apart::Images, 2)] {
            let engine = engine(&in_place(), 4, apart);
            let many = run_on(Hardware::SideBySide(&engine), &point, threads);
            let (many, mismatch) = many.unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(
                (mismatch, many),
                (None, one.clone()),
                "{mode}, {threads} threads"
            );
        }
    }
}

#[test]
fn a_mismatch_in_a_lane_is_reported_with_its_image_and_place() {
    let (toolchain, cache) = tools();
    let mut wrong = engine_source(&in_place(), 4, Apart::Images).expect("a valid configuration");
    assert!(
        wrong.text.contains("sext<8, b32>"),
        "activations are signed"
    );
    wrong.text = wrong.text.replace("sext<8, b32>", "to<b32>");
    let engine = Engine::from_source(&toolchain, &cache, &in_place(), wrong, 4, Apart::Images)
        .unwrap_or_else(|e| panic!("{e}"));
    let calm = point(Supply::Rate(BitErrorRate::ZERO), FaultMode::None);
    let outcome = run_on(Hardware::SideBySide(&engine), &calm, 1);
    let (summary, mismatch) = outcome.unwrap_or_else(|e| panic!("{e}"));
    let mismatch = mismatch.expect("negative activations are drawn");
    assert_eq!((summary.images, summary.mismatches), (mismatch.image, 1));
    let place = mismatch.place.expect("it can be found again");
    assert_eq!(place.layer, 0);
    let again = format!("again --image {}", mismatch.image);
    assert_eq!(mismatch.reproduce, Some(again));
}

#[test]
fn a_voltage_applies_the_threshold_of_the_hardwares_rom() {
    let simulator = simulator(&in_place(), BuildOptions::default());
    let supply = Supply::Voltage(Millivolts(390));
    let persistent = point(supply, FaultMode::Persistent);
    let (summary, mismatch) = run(&simulator, &persistent, 2).unwrap_or_else(|e| panic!("{e}"));
    assert_eq!(mismatch, None);
    assert_eq!(summary.voltage_mv, Some(390));
    assert!((summary.ber / summary.ber_applied - 1.0).abs() < 1e-6);
    assert!(summary.disturbed_words > 0);
    let energy = summary
        .sram_energy_relative
        .expect("a voltage has an energy");
    assert!((energy - (0.39f64 / 0.8).powi(2)).abs() < 1e-12);
}

#[test]
fn a_voltage_outside_the_model_is_refused_with_its_range() {
    let simulator = simulator(&in_place(), BuildOptions::default());
    let supply = Supply::Voltage(Millivolts(100));
    let refused = run(&simulator, &point(supply, FaultMode::Persistent), 1);
    let message = refused.expect_err("100 mV is outside").to_string();
    assert!(
        message.contains("100") && message.contains("335"),
        "{message}"
    );
}

#[test]
fn the_first_mismatch_is_reported_whatever_the_number_of_threads() {
    let (toolchain, cache) = tools();
    let configuration = in_place();
    let mut emitted = generate(&configuration).unwrap_or_else(|e| panic!("{e}"));
    let towards_zero = "total[47] ? total + ((48'd1 << shift) - 48'd1) : total";
    Change::register("requantizer", "sum_q", towards_zero).apply(&mut emitted);
    let mutant = Simulator::from_verilog(
        &toolchain,
        &cache,
        &configuration,
        &source(&emitted),
        BuildOptions::default(),
    )
    .unwrap_or_else(|e| panic!("{e}"));
    let calm = point(Supply::Rate(BitErrorRate::ZERO), FaultMode::None);
    let (summary, first) = run(&mutant, &calm, 1).unwrap_or_else(|e| panic!("{e}"));
    let first = first.expect("truncation shows in a network with negative sums");
    assert_eq!((summary.images, summary.mismatches), (first.image, 1));
    let again = format!("again --image {}", first.image);
    assert_eq!(first.reproduce.as_deref(), Some(again.as_str()));
    for threads in [2, 4] {
        let (_, other) = run(&mutant, &calm, threads).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(other.as_ref(), Some(&first), "{threads} threads");
    }
}

#[test]
fn a_machine_without_threads_ends_a_campaign_in_a_sentence() {
    const AGAIN: &str = "BROWNOUT_TEST_WITHOUT_THREADS";
    const NAME: &str = "a_machine_without_threads_ends_a_campaign_in_a_sentence";
    let simulator = simulator(&in_place(), BuildOptions::default());
    let still = point(Supply::Voltage(Millivolts(800)), FaultMode::Persistent);
    if std::env::var_os(AGAIN).is_some() {
        let outcome = run(&simulator, &still, 4);
        println!("{}", outcome.expect_err("no thread can start"));
        return;
    }
    run(&simulator, &still, 4).unwrap_or_else(|e| panic!("{e}"));
    // This program again, with stacks that no machine has.
    let output = std::process::Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", NAME, "--nocapture"])
        .env(AGAIN, "1")
        .env("RUST_MIN_STACK", (1u64 << 50).to_string())
        .output()
        .expect("this program runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{text}");
    let sentence = text
        .lines()
        .find(|line| line.contains("could not start thread 1 of 4"));
    assert!(
        sentence.is_some_and(|s| s.contains("fewer threads")),
        "{text}"
    );
}
