//! Full disks, kills at any moment, a machine without threads: nothing is lost,
//! nothing half-written, and what went wrong is one sentence.
#![cfg(unix)]

mod common;

use common::{Answer, Sandbox, names};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

const MODEL: &str = "model.safetensors";
const TRAIN: [&str; 7] = [
    "train",
    "--quiet",
    "--train-images",
    "320",
    "--epochs",
    "1",
    "--out",
];
const GENERATE: [&str; 7] = [
    "generate",
    "--config",
    "small.toml",
    "--model",
    MODEL,
    "--out",
    "rtl",
];
/// How often a command is killed in the middle of its work.
const KILLS: usize = 8;
/// Runs that may end before they are killed, for each that does not.
const SPARE: usize = 4;
/// How temporary names begin.
const TEMPORARY: &str = ".brownout-";

/// The command with files of at most `blocks` times 512 bytes.
fn starved(sandbox: &Sandbox, blocks: &str, arguments: &[&str]) -> Answer {
    let script = "trap '' XFSZ; ulimit -f $0; exec \"$@\"";
    let output = Command::new("sh")
        .args(["-c", script, blocks, env!("CARGO_BIN_EXE_brownout")])
        .args(arguments)
        .current_dir(sandbox.path("."))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    output.into()
}

fn check_sentence(answer: &Answer, expected: &str) {
    assert_eq!(answer.status, Some(2), "{}", answer.err);
    assert_eq!(answer.err.lines().count(), 1, "{}", answer.err);
    let sentence = answer.err.strip_prefix("brownout: could not ");
    let named = sentence.is_some_and(|s| s.contains(expected) && !s.contains(TEMPORARY));
    assert!(named, "{:?} lacks {expected:?}", answer.err);
}

/// Names and contents of a folder's files.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let names = names(folder).into_iter();
    names
        .filter(|name| folder.join(name).is_file())
        .map(|name| (name.clone(), fs::read(folder.join(&name)).unwrap()))
        .collect()
}

/// Files under temporary names; every other one must be a whole one of `whole`.
fn unfinished(folder: &Path, whole: &[(String, Vec<u8>)]) -> Result<usize, String> {
    let mut count = 0;
    for name in names(folder) {
        if name.starts_with(TEMPORARY) {
            count += 1;
            continue;
        }
        let bytes = fs::read(folder.join(&name)).map_err(|e| format!("{name}: {e}"))?;
        if !whole.contains(&(name.clone(), bytes)) {
            return Err(format!("{name} is not what a whole run writes"));
        }
    }
    Ok(count)
}

/// Runs the command and kills it after a while, with everything it started.
/// Whether it was still running.
fn kill_after(sandbox: &Sandbox, arguments: &[&str], delay: Duration) -> bool {
    let mut command = sandbox.command(arguments);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut process = command.process_group(0).spawn().unwrap();
    thread::sleep(delay);
    let group = format!("-{}", process.id());
    let mut kill = Command::new("kill");
    kill.args(["-KILL", "--", &group]).stderr(Stdio::null());
    kill.status().unwrap();
    process.wait().unwrap().signal() == Some(9)
}

/// Kills a command at random moments until `kills` runs died of it. `check` looks
/// at what is left and counts unfinished files.
fn kill_often(sandbox: &Sandbox, arguments: &[&str], kills: usize, check: impl Fn() -> usize) {
    let time = || {
        let start = Instant::now();
        sandbox.ok(arguments);
        start.elapsed()
    };
    // The shorter of two, since the machine may have other things to do.
    let mut whole = time().min(time());
    let mut rng = ChaCha8Rng::seed_from_u64(0xB20_5000);
    let (mut runs, mut killed, mut left) = (0, 0, 0);
    while killed < kills && runs < kills * (1 + SPARE) {
        runs += 1;
        // Every other moment is where a run writes: at its end.
        let earliest = if runs % 2 == 0 { 0.1 } else { 0.8 };
        let delay = whole.mul_f64(rng.random_range(earliest..1.05));
        if kill_after(sandbox, arguments, delay) {
            killed += 1;
        } else {
            // No longer than this, then: the machine has less to do than before.
            whole = whole.min(delay);
        }
        left += check();
    }
    println!("{arguments:?}: {killed} of {runs} killed, {left} unfinished files or folders seen");
    assert_eq!(killed, kills, "of {runs} runs, the others ended before");
    sandbox.ok(arguments);
    assert_eq!(check(), 0, "the next run leaves nothing unfinished");
}

#[test]
fn a_full_disk_is_one_sentence_and_leaves_every_file_as_it_was() {
    let sandbox = Sandbox::with_model();
    fs::create_dir(sandbox.path("rtl")).unwrap();
    sandbox.write("rtl/narrow.v", "// an older one");
    let (before, older) = (sandbox.names(), contents(&sandbox.path("rtl")));
    let model = fs::read(sandbox.path(MODEL)).unwrap();
    for blocks in ["0", "1", "8"] {
        let train = [&TRAIN[..], &[MODEL]].concat();
        check_sentence(&starved(&sandbox, blocks, &train), MODEL);
        assert!(fs::read(sandbox.path(MODEL)).unwrap() == model);
    }
    // The largest file has some 40 blocks.
    for blocks in ["0", "1", "16", "32"] {
        check_sentence(&starved(&sandbox, blocks, &GENERATE), "rtl/");
        assert!(contents(&sandbox.path("rtl")) == older);
    }
    assert_eq!(sandbox.names(), before);
    sandbox.ok(&GENERATE);
}

#[test]
fn a_killed_training_leaves_the_whole_model_or_none_and_the_next_run_cleans_up() {
    let sandbox = Sandbox::new();
    let train = [&TRAIN[..], &["m"]].concat();
    sandbox.ok(&train);
    let whole = contents(&sandbox.path("."));
    kill_often(&sandbox, &train, KILLS, || {
        let found = unfinished(&sandbox.path("."), &whole).unwrap();
        fs::remove_file(sandbox.path("m")).ok();
        found
    });
}

#[test]
fn a_killed_generation_leaves_whole_files_or_none_and_the_next_run_cleans_up() {
    let sandbox = Sandbox::with_model();
    sandbox.ok(&GENERATE);
    let rtl = sandbox.path("rtl");
    let whole = contents(&rtl);
    assert!(whole.len() > 20);
    kill_often(&sandbox, &GENERATE, KILLS, || {
        unfinished(&rtl, &whole).unwrap()
    });
    assert!(contents(&rtl) == whole);
    // The check sees half a file.
    fs::write(rtl.join("narrow.v"), &whole[0].1[..10]).unwrap();
    assert!(unfinished(&rtl, &whole).is_err());
}

/// A stack that no machine has: then no thread can start.
#[test]
fn a_machine_without_threads_is_one_sentence() {
    let sandbox = Sandbox::with_model();
    let train = [&TRAIN[..], &["m"]].concat();
    let mut runs = vec![train];
    if cfg!(feature = "simulate") {
        runs.extend([vec!["simulate", MODEL], vec!["sweep", "--out", "s"]]);
    }
    for arguments in runs {
        let output = sandbox
            .command(&arguments)
            .env("RUST_MIN_STACK", (1u64 << 50).to_string())
            .output()
            .unwrap();
        check_sentence(&output.into(), "start the threads");
    }
    assert_eq!(sandbox.names(), [MODEL, "small.toml"]);
    // What needs no threads still works, the spinner stands still.
    let mut generate = sandbox.command(&GENERATE);
    let output = generate.env("RUST_MIN_STACK", (1u64 << 50).to_string());
    assert_eq!(output.output().unwrap().status.code(), Some(0));
}

#[cfg(feature = "simulate")]
mod simulate {
    use super::*;

    /// Kills of runs that are long and write all the time.
    const FEW_KILLS: usize = 3;
    const SIMULATE: [&str; 9] = [
        "simulate",
        "--quiet",
        MODEL,
        "--config",
        "small.toml",
        "--voltages",
        "420",
        "--images",
        "2",
    ];

    fn run<'a>(flags: &[&'a str]) -> Vec<&'a str> {
        [&SIMULATE[..], flags].concat()
    }

    #[test]
    fn a_full_disk_is_one_sentence_and_leaves_neither_summary_nor_waveform() {
        let sandbox = Sandbox::with_model();
        // Compiled before, so that the disk is full only for what is written now.
        sandbox.ok(&run(&["--trace", "wave.vcd", "--out", "s.json"]));
        let before = contents(&sandbox.path("."));
        for blocks in ["0", "1"] {
            let answer = starved(&sandbox, blocks, &run(&["--out", "s.json"]));
            check_sentence(&answer, "write s.json");
        }
        for blocks in ["0", "1000"] {
            let answer = starved(&sandbox, blocks, &run(&["--trace", "wave.vcd"]));
            check_sentence(&answer, "write the waveform wave.vcd");
        }
        assert!(contents(&sandbox.path(".")) == before);
    }

    #[test]
    fn a_killed_simulation_leaves_whole_files_or_none_and_the_next_run_cleans_up() {
        let sandbox = Sandbox::with_model();
        let runs = [
            (&["--out", "s.json"], KILLS),
            (&["--trace", "wave.vcd"], FEW_KILLS),
        ];
        for (flags, kills) in runs {
            let arguments = run(flags);
            sandbox.ok(&arguments);
            let whole = contents(&sandbox.path("."));
            kill_often(&sandbox, &arguments, kills, || {
                let found = unfinished(&sandbox.path("."), &whole).unwrap();
                fs::remove_file(sandbox.path(flags[1])).ok();
                found
            });
            fs::remove_file(sandbox.path(flags[1])).ok();
        }
    }

    #[test]
    fn two_runs_that_share_cache_and_folder_both_end_well() {
        let sandbox = Sandbox::with_model();
        let start = |name| {
            let mut command = sandbox.command(&run(&["--out", name]));
            command.stdout(Stdio::piped()).stderr(Stdio::piped());
            // A cache of their own, which both find empty.
            command.env("BROWNOUT_CACHE", sandbox.path("cache"));
            command.spawn().unwrap()
        };
        let both = [start("a.json"), start("b.json")];
        for process in both {
            let answer = Answer::from(process.wait_with_output().unwrap());
            assert_eq!(answer.status, Some(0), "{}", answer.err);
        }
        assert_eq!(names(&sandbox.path("cache")).len(), 1);
        let read = |name| fs::read(sandbox.path(name)).unwrap();
        assert!(read("a.json") == read("b.json"), "both measured the same");
        let expected = ["a.json", "b.json", "cache", MODEL, "small.toml"];
        assert_eq!(sandbox.names(), expected);
    }
}
