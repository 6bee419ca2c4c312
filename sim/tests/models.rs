//! Small hand-written designs through the whole chain: verilate, compile,
//! load, step, compare with Rust.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use brownout_sim::build::{BuildOptions, ModelSource, lint, model_key};
use brownout_sim::cache::{CompiledModel, ModelCache};
use brownout_sim::model::{Model, ModelError, ModelLibrary};
use brownout_sim::toolchain::Toolchain;

/// A sum, its square, the last twelve and a half bytes, and a register without reset.
const ACCUMULATOR: &str = "
module accumulator (
    input clock, input reset, input enable, input [7:0] byte_in, input [15:0] scale,
    input [95:0] wide_in,
    output [31:0] sum, output [63:0] square, output [99:0] history, output at_hundred,
    output [23:0] scaled, output [95:0] wide_out, output [31:0] unset
);
    reg [31:0] sum_q;
    reg [99:0] history_q;
    reg [31:0] unset_q;
    always @(posedge clock) begin
        if (reset) begin
            sum_q <= 32'd0;
            history_q <= 100'd0;
        end else if (enable) begin
            sum_q <= sum_q + {24'd0, byte_in};
            history_q <= {history_q[91:0], byte_in};
        end
        unset_q <= unset_q;
    end
    assign sum = sum_q;
    assign square = {32'd0, sum_q} * {32'd0, sum_q};
    assign history = history_q;
    assign at_hundred = sum_q == 32'd100;
    assign scaled = {16'd0, byte_in} * {8'd0, scale};
    assign wide_out = ~wide_in;
    assign unset = unset_q;
endmodule
";

fn accumulator() -> ModelSource {
    ModelSource {
        top: "accumulator".into(),
        clock: Some("clock".into()),
        files: vec![("accumulator.v".into(), ACCUMULATOR.into())],
    }
}

/// A toolchain and an empty cache which goes away with the returned folder.
fn setup() -> (Toolchain, ModelCache, tempfile::TempDir) {
    let toolchain = Toolchain::locate().unwrap_or_else(|error| panic!("{error}"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cache = ModelCache::new(folder.path().join("models"));
    (toolchain, cache, folder)
}

/// The accumulator, built once for all tests which do not harm its entry.
fn build(options: BuildOptions) -> CompiledModel {
    let toolchain = Toolchain::locate().unwrap_or_else(|error| panic!("{error}"));
    let cache = ModelCache::new(Path::new(env!("CARGO_TARGET_TMPDIR")).join("models"));
    cache
        .get(&toolchain, &accumulator(), options)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// What the accumulator should hold.
#[derive(Default)]
struct Reference {
    sum: u32,
    history: u128,
}

impl Reference {
    fn add(&mut self, byte: u8) {
        self.sum = self.sum.wrapping_add(byte.into());
        self.history = (self.history << 8 | u128::from(byte)) & ((1 << 100) - 1);
    }
}

fn reset(model: &mut Model) {
    let (reset, enable) = (model.port("reset").unwrap(), model.port("enable").unwrap());
    model.write(reset, 1);
    model.step();
    model.write(reset, 0);
    model.write(enable, 1);
}

/// Steps a model through pseudo-random bytes and compares every port.
fn compare_with_reference(model: &mut Model, cycles: u32, seed: u32) -> u32 {
    let port = |name| model.port(name).unwrap();
    let (byte_in, scale, wide_in) = (port("byte_in"), port("scale"), port("wide_in"));
    let (sum, square, history) = (port("sum"), port("square"), port("history"));
    let (scaled, wide_out) = (port("scaled"), port("wide_out"));
    reset(model);
    let mut reference = Reference::default();
    let mut state = seed | 1;
    for cycle in 0..cycles {
        state = state.wrapping_mul(0x9e37_79b9).rotate_left(11) ^ cycle;
        let (byte, factor) = (state as u8, (state >> 8) as u16);
        model.write(byte_in, byte.into());
        model.write(scale, factor.into());
        model.write_words(wide_in, &[state, cycle, !state]);
        model.settle();
        // Before the edge: combinational outputs are new, registers are old.
        assert_eq!(model.read(scaled), u64::from(byte) * u64::from(factor));
        assert_eq!(model.words(wide_out), [!state, !cycle, state]);
        assert_eq!(model.read(sum), u64::from(reference.sum));
        model.edge();
        reference.add(byte);
        assert_eq!(model.read(sum), u64::from(reference.sum), "cycle {cycle}");
        assert_eq!(model.read(square), u64::from(reference.sum).pow(2));
        let expected: Vec<u32> = (0..4)
            .map(|i| (reference.history >> (32 * i)) as u32)
            .collect();
        assert_eq!(model.words(history), expected, "cycle {cycle}");
    }
    reference.sum
}

#[test]
fn a_loaded_model_computes_what_rust_computes_on_ports_of_every_width() {
    let compiled = build(BuildOptions::default());
    let mut model = Model::load(&compiled).unwrap();
    compare_with_reference(&mut model, 2000, 1);
    assert_eq!(model.cycles(), 2001);
}

#[test]
fn running_until_an_output_rises_counts_its_cycles() {
    let compiled = build(BuildOptions::default());
    let mut model = Model::load(&compiled).unwrap();
    let (byte_in, stop) = (
        model.port("byte_in").unwrap(),
        model.port("at_hundred").unwrap(),
    );
    reset(&mut model);
    model.write(byte_in, 4);
    assert_eq!(model.run_until(stop, 24), None);
    assert_eq!(model.run_until(stop, 24), Some(1));
    assert_eq!(model.run_until(stop, 24), Some(0));
    assert_eq!(model.cycles(), 26);
}

#[test]
fn the_same_source_is_built_once_and_one_changed_byte_makes_another_key() {
    let (toolchain, cache, _folder) = setup();
    let options = BuildOptions::default();
    let source = accumulator();
    assert!(cache.find(&toolchain, &source, options).is_none());
    let first = cache.get(&toolchain, &source, options).unwrap();
    let second = cache.get(&toolchain, &source, options).unwrap();
    assert!(first.is_fresh() && !second.is_fresh());
    assert_eq!(first.library(), second.library());

    let mut keys = vec![first.key().to_string()];
    let mut changed = source.clone();
    changed.files[0].1 = ACCUMULATOR.replacen("32'd100", "32'd101", 1);
    keys.push(model_key(&toolchain, &changed, options));
    let mut renamed = source.clone();
    renamed.files[0].0 = "accumulator2.v".into();
    keys.push(model_key(&toolchain, &renamed, options));
    let mut unclocked = source.clone();
    unclocked.clock = None;
    keys.push(model_key(&toolchain, &unclocked, options));
    for (random_initial, trace) in [(true, false), (false, true), (true, true)] {
        let options = BuildOptions {
            random_initial,
            trace,
            ..BuildOptions::default()
        };
        keys.push(model_key(&toolchain, &source, options));
    }
    let count = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!(keys.len(), count, "two different models share a key");
    assert!(cache.find(&toolchain, &changed, options).is_none());
}

#[test]
fn threads_which_ask_for_the_same_model_share_one_build() {
    let (toolchain, cache, _folder) = setup();
    let fresh: usize = thread::scope(|scope| {
        let get = || {
            let model = cache.get(&toolchain, &accumulator(), BuildOptions::default());
            usize::from(model.unwrap().is_fresh())
        };
        let threads: Vec<_> = (0..3).map(|_| scope.spawn(get)).collect();
        threads.into_iter().map(|t| t.join().unwrap()).sum()
    });
    assert_eq!(fresh, 1);
}

#[test]
fn a_damaged_cache_entry_is_built_again() {
    let (toolchain, cache, folder) = setup();
    let options = BuildOptions::default();
    let first = cache.get(&toolchain, &accumulator(), options).unwrap();
    let whole = fs::read(first.library()).unwrap();
    let manifest = first.library().with_file_name("manifest.json");
    let text = fs::read(&manifest).unwrap();
    let is_found = || cache.find(&toolchain, &accumulator(), options).is_some();
    fs::remove_file(first.library()).unwrap();
    assert!(!is_found(), "the shared object is missing");
    fs::write(first.library(), &whole).unwrap();
    fs::write(&manifest, &text[..text.len() / 2]).unwrap();
    assert!(!is_found(), "the manifest is cut off");
    fs::write(&manifest, &text).unwrap();
    assert!(is_found(), "everything is whole again");
    fs::write(first.library(), &whole[..whole.len() / 2]).unwrap();
    assert!(!is_found(), "the shared object is cut off");

    let again = cache.get(&toolchain, &accumulator(), options).unwrap();
    assert!(again.is_fresh());
    compare_with_reference(&mut Model::load(&again).unwrap(), 10, 1);
    let left: Vec<_> = fs::read_dir(folder.path().join("models"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "only the entry is left: {left:?}");
}

#[test]
fn refused_verilog_is_a_message_and_leaves_nothing_in_the_cache() {
    let (toolchain, cache, folder) = setup();
    let options = BuildOptions::default();
    let mut source = accumulator();
    source.files[0].1 = ACCUMULATOR.replace("sum_q + ", "sum_q + nothing + ");
    let message = cache
        .get(&toolchain, &source, options)
        .unwrap_err()
        .to_string();
    assert!(
        message.starts_with("Verilator refused module `accumulator`:"),
        "{message}"
    );
    assert!(message.contains("nothing"), "{message}");

    let mut source = accumulator();
    source.clock = Some("sum".into());
    let message = cache
        .get(&toolchain, &source, options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("no one-bit input `sum`"), "{message}");

    let mut source = accumulator();
    source.files[0].0 = "../accumulator.v".into();
    let message = cache
        .get(&toolchain, &source, options)
        .unwrap_err()
        .to_string();
    assert!(message.contains("\"../accumulator.v\""), "{message}");
    assert_eq!(
        fs::read_dir(folder.path().join("models")).unwrap().count(),
        0
    );
}

#[test]
fn linting_reports_a_warning_which_building_lets_pass() {
    let (toolchain, cache, _folder) = setup();
    let text = "module loose (input a, input spare, output y); assign y = a; endmodule\n";
    let source = ModelSource {
        top: "loose".into(),
        clock: None,
        files: vec![("loose.v".into(), text.into())],
    };
    assert!(
        cache
            .get(&toolchain, &source, BuildOptions::default())
            .is_ok()
    );
    let message = lint(&toolchain, &source).unwrap_err().to_string();
    assert!(message.contains("UNUSEDSIGNAL"), "{message}");
    assert!(lint(&toolchain, &accumulator()).is_ok());
}

#[test]
fn a_model_contains_no_runtime_and_finds_all_of_it_in_this_program() {
    let symbols = |file: &Path, filter: &str| -> Vec<String> {
        let output = Command::new("nm")
            .args(["-D", filter])
            .arg(file)
            .output()
            .unwrap();
        assert!(output.status.success(), "nm fails on {}", file.display());
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.trim().to_string()).collect()
    };
    let is_runtime = |line: &&String| {
        let name = line.rsplit(' ').next().unwrap_or_default();
        [
            "_ZN9Verilated",
            "_ZN16VerilatedContext",
            "_ZN14VerilatedModel",
            "_Z23vl_",
        ]
        .iter()
        .any(|prefix| name.starts_with(prefix))
            || name.starts_with("_ZN11VerilatedVcd")
    };
    let compiled = build(BuildOptions {
        trace: true,
        random_initial: true,
        ..BuildOptions::default()
    });
    let wanted = symbols(compiled.library(), "--undefined-only");
    let wanted: Vec<_> = wanted.iter().filter(is_runtime).collect();
    assert!(
        wanted
            .iter()
            .any(|line| line.ends_with("_ZN16VerilatedContextC1Ev")),
        "{wanted:?}"
    );
    // `T` and `D` are strong definitions; inline functions of the headers are `W`.
    let own = symbols(compiled.library(), "--defined-only");
    let strong =
        |line: &&String| line.contains(" T ") || line.contains(" D ") || line.contains(" B ");
    let own: Vec<_> = own.iter().filter(is_runtime).filter(strong).collect();
    assert!(own.is_empty(), "the model brings its own runtime: {own:?}");

    let program = std::env::current_exe().unwrap();
    let exported = symbols(&program, "--defined-only");
    for line in wanted {
        let name = line.rsplit(' ').next().unwrap();
        assert!(
            exported.iter().any(|e| e.ends_with(name)),
            "{name} is not exported"
        );
    }
    // Also what no model of today refers to, so that none of tomorrow fails.
    for name in ["_Z9vl_finishPKciS0_", "_Z8vl_fatalPKciS0_S0_"] {
        let found = exported.iter().any(|e| e.ends_with(name));
        assert!(found, "{name} is not exported");
    }
}

#[test]
fn two_models_in_two_threads_do_not_see_each_other() {
    let compiled = build(BuildOptions::default());
    let library = ModelLibrary::open(&compiled).unwrap();
    let sums: Vec<u32> = thread::scope(|scope| {
        let run = |seed| {
            let mut model = Model::new(&library);
            scope.spawn(move || compare_with_reference(&mut model, 20_000, seed))
        };
        let threads = [run(3), run(5)];
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    assert_ne!(sums[0], sums[1]);
}

#[test]
fn a_random_start_randomizes_registers_by_seed_and_a_fast_start_does_not() {
    let value = |library, seed| {
        let mut model = Model::with_seed(library, seed);
        model.settle();
        model.read(model.port("unset").unwrap())
    };
    let options = BuildOptions {
        random_initial: true,
        trace: false,
        ..BuildOptions::default()
    };
    let compiled = build(options);
    let library = ModelLibrary::open(&compiled).unwrap();
    let values: Vec<_> = (0..8).map(|seed| value(&library, seed)).collect();
    let again: Vec<_> = (0..8).map(|seed| value(&library, seed)).collect();
    assert_eq!(values, again);
    let mut distinct = values.clone();
    distinct.sort();
    distinct.dedup();
    assert_eq!(distinct.len(), 8, "{values:x?}");
    compare_with_reference(&mut Model::with_seed(&library, 1), 100, 1);

    let compiled = build(BuildOptions::default());
    let library = ModelLibrary::open(&compiled).unwrap();
    assert_eq!(value(&library, 1), 0);
}

#[test]
fn a_waveform_holds_the_signals_of_the_traced_cycles() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = build(BuildOptions {
        trace: true,
        random_initial: false,
        ..BuildOptions::default()
    });
    let path = folder.path().join("wave.vcd");
    let mut model = Model::load(&compiled).unwrap();
    compare_with_reference(&mut model, 3, 1);
    model.trace_to(&path).unwrap();
    compare_with_reference(&mut model, 3, 2);
    drop(model);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains("$timescale"), "{text}");
    for signal in ["sum_q [31:0]", "history_q [99:0]", "clock"] {
        assert!(text.contains(signal), "{signal} is not in the waveform");
    }
    // Four cycles before it began, four (one reset, three bytes) inside.
    let times: Vec<_> = text.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(
        times,
        ["#40", "#45", "#50", "#55", "#60", "#65", "#70", "#75"]
    );
}

#[test]
fn a_waveform_without_tracing_or_without_a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let compiled = build(BuildOptions::default());
    let mut model = Model::load(&compiled).unwrap();
    let refused = model.trace_to(&folder.path().join("wave.vcd"));
    assert!(matches!(refused, Err(ModelError::NotTraceable(_))));
    assert!(!folder.path().join("wave.vcd").exists());

    let folder = tempfile::tempdir().unwrap();
    let compiled = build(BuildOptions {
        trace: true,
        random_initial: false,
        ..BuildOptions::default()
    });
    let mut model = Model::load(&compiled).unwrap();
    let message = model
        .trace_to(&folder.path().join("no/wave.vcd"))
        .unwrap_err()
        .to_string();
    assert!(message.contains("no/wave.vcd"), "{message}");
    compare_with_reference(&mut model, 3, 1);
}

#[test]
fn an_unknown_port_is_refused_with_the_names_there_are() {
    let compiled = build(BuildOptions::default());
    let model = Model::load(&compiled).unwrap();
    let message = model.port("total").unwrap_err().to_string();
    assert!(
        message.contains("`total`") && message.contains("history"),
        "{message}"
    );
}

#[test]
fn a_design_without_a_clock_settles() {
    let (toolchain, cache, _folder) = setup();
    let text = "module inverter (input [71:0] a, output [71:0] y); assign y = ~a; endmodule";
    let source = ModelSource {
        top: "inverter".into(),
        clock: None,
        files: vec![("inverter.v".into(), text.into())],
    };
    let compiled = cache
        .get(&toolchain, &source, BuildOptions::default())
        .unwrap();
    let mut model = Model::load(&compiled).unwrap();
    let (a, y) = (model.port("a").unwrap(), model.port("y").unwrap());
    model.write_words(a, &[0x1234_5678, 0, 0xa5]);
    model.settle();
    assert_eq!(model.words(y), [!0x1234_5678, !0, 0x5a]);
}
