//! `generate`: memories made of macros, and what a folder holds after a second accelerator.

mod common;

use common::{SMALL, Sandbox, names};
use std::fs;

const MACROS: &str = "
[[macro]]
name = \"sram_256x32\"
words = 256
width = 32
mask = 8
ports = \"1rw1r\"
pins = \"openram\"
column_mux = 4
";
const GENERATE: [&str; 9] = [
    "generate",
    "--config",
    "small.toml",
    "--memories",
    "macro",
    "--macros",
    "macros.toml",
    "--out",
    "rtl",
];

fn sandbox(macros: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("small.toml", SMALL);
    sandbox.write("macros.toml", macros);
    sandbox
}

#[test]
fn a_macro_is_declared_modelled_and_listed_apart_from_the_accelerator() {
    let sandbox = sandbox(MACROS);
    sandbox.ok(&GENERATE);
    let read = |name: &str| fs::read_to_string(sandbox.path("rtl").join(name)).unwrap();
    assert_eq!(read("narrow_models.f"), "sram_256x32.v\n");
    assert_eq!(read("narrow_blackboxes.f"), "sram_256x32.bb.v\n");
    assert!(!read("narrow.f").contains("sram"));
    assert!(read("sram_256x32.v").contains("reg [31:0] cells [0:255]"));
    let declared = read("sram_256x32.bb.v");
    assert!(declared.contains("(* blackbox *)") && !declared.contains("reg"));
    let table: serde_json::Value = serde_json::from_str(&read("memories.json")).unwrap();
    assert_eq!(table["macros"][0]["cell_rows"], 64);
    assert_eq!(table["macros"][0]["cell_columns"], 128);
    let memories = table["memories"].as_array().unwrap();
    let buffers = memories
        .iter()
        .find(|m| m["name"] == "narrow_memory_1024x8x8");
    let buffers = buffers.unwrap();
    assert_eq!(
        (&buffers["ports"], &buffers["instances"]),
        (&"1rw".into(), &3.into())
    );
    assert_eq!(buffers["made_of"]["deep"], 4);
    assert_eq!(buffers["made_of"]["wide"], 2);
    // Every memory has its macros counted.
    let count = |m: &serde_json::Value| {
        let made = &m["made_of"];
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        number(&made["deep"]) * number(&made["wide"]) * number(&m["instances"])
    };
    let all: u64 = memories.iter().map(count).sum();
    assert_eq!(table["macros"][0]["instances"], all);
    for memory in memories {
        let name = memory["name"].as_str().unwrap();
        assert!(
            read(&format!("{name}.v")).contains("sram_256x32 sram ("),
            "{name}"
        );
        for place in memory["places"].as_array().unwrap() {
            assert_ne!(place["holds"], "unknown", "{place}");
        }
    }
}

#[test]
fn a_list_of_macros_that_cannot_be_used_is_refused_and_nothing_is_written() {
    for (from, to, says) in [
        (
            "mask = 8",
            "mask = 64",
            "mask of macro 1 (sram_256x32) is 64",
        ),
        (
            "width = 32",
            "width = 4",
            "a divisor of its width of 4 bits",
        ),
        (
            "\"sram_256x32\"",
            "\"entity\"",
            "no keyword of Verilog, VHDL",
        ),
        (
            "\"sram_256x32\"",
            "\"always\"",
            "no keyword of Verilog, VHDL",
        ),
        (
            "\"sram_256x32\"",
            "\"narrow_array\"",
            "no module of the accelerator or its board",
        ),
        ("\"1rw1r\"", "\"1rw\"", "which narrow_memory_"),
        (
            "words = 256\nwidth = 32",
            "words = 2\nwidth = 16",
            "allowed are at most 4096",
        ),
        ("[[macro]]", "[[marco]]", "unknown field `marco`"),
    ] {
        let sandbox = sandbox(&MACROS.replace(from, to).replace("column_mux = 4", ""));
        let answer = sandbox.run(&GENERATE);
        assert_eq!(answer.status, Some(2), "{to}: {}", answer.err);
        assert!(answer.err.contains(says), "{to}: {}", answer.err);
        assert!(answer.err.contains("macros.toml: "), "{to}: {}", answer.err);
        assert_eq!(sandbox.names(), ["macros.toml", "small.toml"], "{to}");
    }
    let sandbox = sandbox(MACROS);
    for (arguments, says) in [
        (
            &["generate", "--memories", "macro", "--out", "rtl"][..],
            "--macros FILE",
        ),
        (
            &["generate", "--macros", "macros.toml", "--out", "rtl"],
            "--memories is inferred",
        ),
        (&["generate", "--memories", "lego", "--out", "rtl"], "lego"),
    ] {
        let answer = sandbox.run(arguments);
        assert_eq!(answer.status, Some(2), "{}", answer.err);
        assert!(answer.err.contains(says), "{}", answer.err);
    }
    // The top of a board is none of the accelerator's modules.
    sandbox.write("macros.toml", MACROS.replace("sram_256x32", "narrow_ULX3S"));
    let answer = sandbox.run(&[&GENERATE[..], &["--board", "ulx3s"]].concat());
    assert_eq!(answer.status, Some(2), "{}", answer.err);
    assert!(
        answer.err.contains("name of macro narrow_ULX3S"),
        "{}",
        answer.err
    );
    assert_eq!(sandbox.names(), ["macros.toml", "small.toml"]);
}

#[test]
fn a_second_accelerator_leaves_nothing_of_the_first_and_all_that_is_not_of_it() {
    let sandbox = sandbox(MACROS);
    sandbox.ok(&GENERATE);
    let rtl = sandbox.path("rtl");
    let others = ["notes.txt", "mine.v", "mine.f"];
    for name in others {
        fs::write(rtl.join(name), "mine.v\n").unwrap();
    }
    sandbox.write(
        "wide.toml",
        SMALL
            .replace("narrow", "wide")
            .replace("columns = 8", "columns = 16"),
    );
    sandbox.ok(&["generate", "--config", "wide.toml", "--out", "fresh"]);
    sandbox.ok(&["generate", "--config", "wide.toml", "--out", "rtl"]);
    let mut expected = names(&sandbox.path("fresh"));
    // What no list of files names: settings, tables, and the user's own.
    expected.extend(["memories.json", "narrow.toml"].map(str::to_owned));
    expected.extend(others.map(str::to_owned));
    expected.sort();
    assert_eq!(names(&rtl), expected);
}

#[test]
fn the_same_accelerator_again_keeps_the_board_and_another_of_its_name_does_not() {
    let sandbox = sandbox(MACROS);
    let generate = ["generate", "--config", "small.toml", "--out", "rtl"];
    sandbox.ok(&[
        "generate",
        "--config",
        "small.toml",
        "--out",
        "rtl",
        "--board",
        "ulx3s",
    ]);
    let with_board = names(&sandbox.path("rtl"));
    sandbox.ok(&generate);
    assert_eq!(names(&sandbox.path("rtl")), with_board);
    sandbox.write("small.toml", SMALL.replace("columns = 8", "columns = 16"));
    sandbox.ok(&generate);
    let left = names(&sandbox.path("rtl"));
    assert!(
        !left.iter().any(|name| name.starts_with("ulx3s")),
        "{left:?}"
    );
    assert!(!left.contains(&"narrow_memory_1024x8x8.v".to_owned()));
}
