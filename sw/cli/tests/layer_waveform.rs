//! What a difference between RTL and golden model leaves behind. A Verilator of our own changes the
//! design on its way into the simulation, which nothing else knows of.
#![cfg(feature = "simulate")]

mod common;

use common::{Answer, Sandbox};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const MODEL: &str = "model.safetensors";
/// All files of a layer's waveform.
const FILES: [&str; 3] = ["mismatch.gtkw", "mismatch.sucl", "mismatch.vcd"];
const MOST_BYTES: u64 = 50_000_000;
/// Where `info` says that the weights of `conv2` begin on the small accelerator.
const SECOND_LAYER: usize = 36;

/// A folder with a Verilator that inverts what is read from the weight memory, from a word on.
fn sandbox_with_broken_reads() -> Sandbox {
    let sandbox = Sandbox::with_model();
    let real = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.tools/bin/verilator_bin");
    let memory = "/^module narrow_memory_4096x1x64 /,/^endmodule/";
    let change = format!(
        "s/<= cells\\[read_address\\];/<= cells[read_address] ^ {{64{{read_address >= {SECOND_LAYER}}}}};/"
    );
    let script = format!(
        "#!/bin/sh\nfor file; do case $file in *.v) sed -i '{memory} {change}' \"$file\";; esac; done\n\
         exec '{}' \"$@\"\n",
        real.display()
    );
    let folder = sandbox.path("tools/bin");
    fs::create_dir_all(&folder).unwrap();
    let tool = folder.join("verilator_bin");
    fs::write(&tool, script).unwrap();
    fs::set_permissions(&tool, fs::Permissions::from_mode(0o755)).unwrap();
    sandbox
}

fn simulate(sandbox: &Sandbox, flags: &[&str]) -> Answer {
    let start = ["simulate", MODEL, "--config", "small.toml"];
    let calm = ["--voltages", "800", "--codes", "none", "--images", "2"];
    let mut command = sandbox.command(&[&start[..], &calm, flags].concat());
    command.env("BROWNOUT_TOOLS", sandbox.path("tools"));
    // What is built here is no accelerator, and none may find it.
    command.env("BROWNOUT_CACHE", sandbox.path("cache"));
    command.output().unwrap().into()
}

/// Every signal of a waveform by its path and bits.
fn signals(waveform: &str) -> BTreeSet<String> {
    let mut scopes = Vec::new();
    let mut signals = BTreeSet::new();
    let declarations = waveform.split("$enddefinitions").next().unwrap();
    for line in declarations.lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.first().copied().unwrap_or_default() {
            "$scope" => scopes.push(words[2]),
            "$upscope" => assert!(scopes.pop().is_some()),
            "$var" => {
                let range = words[5].trim_end_matches("$end");
                signals.insert(format!("{}.{}{range}", scopes.join("."), words[4]));
            }
            _ => {}
        }
    }
    signals
}

/// The values that a signal takes, each with the clock from which on it has it.
fn values(waveform: &str, name: &str) -> Vec<(u64, u64)> {
    let declaration = format!(" {name} [");
    let line = waveform.lines().find(|l| l.contains(&declaration)).unwrap();
    let code = line.split_whitespace().nth(3).unwrap();
    let mut time = 0;
    let mut found = Vec::new();
    for line in waveform.lines() {
        if let Some(now) = line.strip_prefix('#') {
            time = now.parse().unwrap();
        } else if let Some((value, of)) = line.split_once(' ')
            && of == code
            && let Some(bits) = value.strip_prefix('b')
        {
            found.push((time / 10, u64::from_str_radix(bits, 2).unwrap()));
        }
    }
    found
}

/// A waveform without the declarations of other parts of the design than this one.
fn part_of(waveform: &str, part: &str) -> String {
    let scope = format!("   $scope module {part} $end\n");
    let (_, inside) = waveform.split_once(&scope).unwrap();
    let (declarations, _) = inside.split_once("   $upscope $end\n").unwrap();
    let (_, changes) = waveform.split_once("$enddefinitions").unwrap();
    format!("{declarations}{changes}")
}

#[test]
fn a_difference_leaves_a_waveform_of_its_layer_alone_and_lists_of_signals_that_it_has() {
    let sandbox = sandbox_with_broken_reads();
    let answer = simulate(&sandbox, &[]);
    assert_eq!(answer.status, Some(1), "{}", answer.err);
    // `info` says 1809 clocks of conv1, 241 of the pool, 1809 of conv2; conv1 waits for 16 more.
    for part in [
        "first difference in layer 2 (conv2)",
        "clocks 2066 to 3874 of the pass, all of layer 2 (conv2), are in mismatch.vcd",
        "gtkwave mismatch.vcd mismatch.gtkw",
        "surfer mismatch.vcd --command-file mismatch.sucl",
        "built a simulation that writes waveforms",
    ] {
        assert!(answer.err.contains(part), "{:?} lacks {part:?}", answer.err);
    }
    let size = fs::metadata(sandbox.path("mismatch.vcd")).unwrap().len();
    assert!(size <= MOST_BYTES, "{size} bytes");
    let waveform = fs::read_to_string(sandbox.path("mismatch.vcd")).unwrap();
    assert!(waveform.contains("$timescale 1ns"), "times are nanoseconds");
    let times: Vec<u64> = waveform
        .lines()
        .filter_map(|line| line.strip_prefix('#')?.parse().ok())
        .collect();
    assert_eq!(times.len(), 2 * 1809, "two points in time a clock");
    let (first, last) = (times[0] / 10, times[times.len() - 1] / 10);
    assert_eq!(last - first + 1, 1809);
    // The accelerator's own count of layers is that of conv2 but where the neighbours begin and end.
    for (clock, layer) in values(&waveform, "layer_number_q") {
        let inside = first + 2 < clock && clock + 2 < last;
        assert!(!inside || layer == 2, "layer {layer} in clock {clock}");
    }

    // Behind the marked clock's edge the wrong value is on its way into the buffer.
    let save = fs::read_to_string(sandbox.path("mismatch.gtkw")).unwrap();
    let marker = save
        .lines()
        .find_map(|line| line.strip_prefix("*-1.000000 "));
    let marked: u64 = marker.unwrap().split(' ').next().unwrap().parse().unwrap();
    let number = |before: &str| -> u64 {
        let digits = answer.err.split_once(before).unwrap().1;
        let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap();
        digits[..end].parse().unwrap()
    };
    let (column, wrong) = (number("channel ") % 8, number(", RTL "));
    let lane = format!("write_data_{column}");
    let (name, shift) = match waveform.contains(&format!(" {lane} [7:0]")) {
        true => (lane.as_str(), 0),
        false => ("write_data", 8 * column),
    };
    let written = values(&part_of(&waveform, "buffers"), name);
    let there = written.iter().rfind(|(clock, _)| *clock <= marked / 10);
    assert_eq!(there.map(|(_, value)| value >> shift & 0xff), Some(wrong));

    let known = signals(&waveform);
    let shown: Vec<_> = save.lines().filter(|l| l.starts_with("TOP.")).collect();
    assert!(shown.len() > 100, "{save}");
    for signal in &shown {
        assert!(known.contains(*signal), "{signal} is not in the waveform");
    }
    let commands = fs::read_to_string(sandbox.path("mismatch.sucl")).unwrap();
    let named: Vec<_> = commands
        .lines()
        .filter_map(|line| line.strip_prefix("variable_add "))
        .collect();
    let without_bits = |signal: &&str| signal.split('[').next().unwrap().to_owned();
    assert_eq!(named.len(), shown.len());
    for (short, long) in named.iter().zip(&shown) {
        assert!(long.starts_with(short), "{short} and {long}");
        assert_eq!(without_bits(short), without_bits(long));
    }
    for group in [
        "host",
        "sequencer",
        "weight path",
        "array",
        "accumulators, column ",
        "requantizer, column ",
        "buffers",
        "results",
    ] {
        assert!(
            save.contains(&format!("@800200\n-{group}")),
            "{group}: {save}"
        );
        assert!(
            commands.contains(&format!("divider_add {group}")),
            "{group}"
        );
    }

    // Once more: from the cache, elsewhere, and not at all.
    let answer = simulate(&sandbox, &["--waveform", "again.vcd"]);
    assert_eq!(answer.status, Some(1));
    assert!(answer.err.contains("are in again.vcd"), "{}", answer.err);
    assert!(!answer.err.contains("built a simulation"), "{}", answer.err);
    let again = fs::read_to_string(sandbox.path("again.vcd")).unwrap();
    assert!(again == waveform, "the same clocks, the same bytes");
    let before = sandbox.names();
    let answer = simulate(&sandbox, &["--waveform", "no"]);
    assert_eq!(answer.status, Some(1));
    assert!(!answer.err.contains(".vcd,"), "{}", answer.err);
    assert_eq!(sandbox.names(), before);
}

#[test]
fn no_waveform_is_written_where_all_agree_and_none_where_it_would_hit_another_file() {
    let sandbox = Sandbox::with_model();
    let flags = [
        "--config",
        "small.toml",
        "--voltages",
        "800",
        "--images",
        "1",
    ];
    let run = |more: &[&str]| sandbox.run(&[&["simulate", MODEL][..], &flags, more].concat());
    let answer = run(&["--waveform", "here.vcd"]);
    assert_eq!(answer.status, Some(0), "{}", answer.err);
    assert_eq!(sandbox.names(), [MODEL, "small.toml"]);
    for (more, expected) in [
        (&["--waveform", "wave.fst"][..], "end in .vcd"),
        (&["--waveform", "no/wave.vcd"], "no/wave.vcd"),
        (&["--trace", "mismatch.vcd"], "another file than --trace"),
        (
            &["--waveform", "w.vcd", "--out", "./w.sucl"],
            "another file than --out",
        ),
    ] {
        let answer = run(more);
        assert_eq!(answer.status, Some(2), "{more:?}: {}", answer.err);
        assert!(answer.err.contains(expected), "{more:?}: {}", answer.err);
    }
    assert!(FILES.iter().all(|name| !sandbox.path(name).exists()));
}
