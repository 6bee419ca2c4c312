//! The files in `constraints/` name the ports that are emitted: all of them, and no others.

use brownout_hdl::emit::{Direction, Port};
use brownout_hdl::{generate, generate_board};
use brownout_spec::code::{CodeName, Storage};
use brownout_spec::config::{Configuration, Depths, VoltageModelChoice, WeightBits};
use brownout_spec::serial::Board;
use std::collections::BTreeSet;
use std::path::Path;

fn configuration() -> Configuration {
    Configuration {
        name: "brownout".into(),
        rows: 4,
        columns: 4,
        weight_bits: WeightBits::Eight,
        code: CodeName::None,
        storage: Storage::Coset,
        depths: Depths {
            weights: 512,
            activations: 256,
            accumulators: 128,
            parameters: 32,
            layers: 8,
            results: Depths::RESULTS,
        },
        voltage_model: VoltageModelChoice::Fdx22nm,
        vmin_mv: None,
        fault_emulation: false,
        zero_points: false,
        tables: 0,
    }
}

fn accelerator_ports() -> Vec<Port> {
    generate(&configuration()).unwrap().top().ports.clone()
}

fn board_ports(board: Board) -> Vec<Port> {
    let emitted = generate_board(&configuration(), board).unwrap();
    emitted.top().ports.clone()
}

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../constraints")
        .join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The text without comments, statement by statement; `;` and line ends end one.
fn statements(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .flat_map(|line| line.split(';'))
        .map(str::trim)
        .filter(|statement| !statement.is_empty())
}

/// A port's bits as constraint files name them: `led[3]`, or the port if it has one bit.
fn bits(ports: &[Port]) -> Vec<String> {
    let bits = |p: &Port| match p.width {
        1 => vec![p.name.clone()],
        n => (0..n).map(|bit| format!("{}[{bit}]", p.name)).collect(),
    };
    ports.iter().flat_map(bits).collect()
}

/// Pins as (port bit, site), and which bits have an electrical standard.
struct Pins {
    placed: Vec<(String, String)>,
    standard: BTreeSet<String>,
}

impl Pins {
    fn lpf(text: &str) -> Self {
        let mut pins = Self {
            placed: Vec::new(),
            standard: BTreeSet::new(),
        };
        for statement in statements(text) {
            let words: Vec<&str> = statement.split_whitespace().collect();
            let name = |n: usize| words[n].trim_matches('"').to_owned();
            match words[..] {
                ["LOCATE", "COMP", _, "SITE", _] => pins.placed.push((name(2), name(4))),
                ["IOBUF", "PORT", ..] if statement.contains("IO_TYPE=") => {
                    pins.standard.insert(name(2));
                }
                ["FREQUENCY", "PORT", _, _, "MHz"] => {}
                _ => panic!("not a statement of these files: {statement}"),
            }
        }
        pins
    }

    fn xdc(text: &str) -> Self {
        let mut pins = Self {
            placed: Vec::new(),
            standard: BTreeSet::new(),
        };
        for statement in statements(text) {
            let Some(rest) = statement.strip_prefix("set_property -dict {PACKAGE_PIN ") else {
                continue;
            };
            let (properties, _) = rest.split_once('}').expect("a closed list");
            let port = patterns(statement).concat();
            let site = properties.split_whitespace().next().unwrap_or_default();
            pins.placed.push((port.clone(), site.to_owned()));
            if properties.contains("IOSTANDARD ") {
                pins.standard.insert(port);
            }
        }
        pins
    }

    /// Whether exactly the bits of `ports` are placed, each on a site of its own.
    fn check(&self, ports: &[Port]) -> Result<(), String> {
        let mut bits: BTreeSet<String> = bits(ports).into_iter().collect();
        let mut sites = BTreeSet::new();
        for (bit, site) in &self.placed {
            if !bits.remove(bit) {
                return Err(format!("{bit} is no port of the top, or placed twice"));
            }
            if !sites.insert(site) {
                return Err(format!("{site} has two ports"));
            }
            if !self.standard.contains(bit) {
                return Err(format!("{bit} has no electrical standard"));
            }
        }
        match bits.first() {
            Some(bit) => Err(format!("{bit} has no pin")),
            None => Ok(()),
        }
    }
}

/// The names within `[get_ports ..]` of a Tcl statement.
fn patterns(statement: &str) -> Vec<String> {
    let mut found = Vec::new();
    for list in statement.split("[get_ports ").skip(1) {
        // The bracket that closes the command is the last: `{led[0]}` has its own.
        let names = match list.strip_prefix('{') {
            Some(list) => list.split_once('}').expect("a closed list").0,
            None => list.split_once(']').expect("a closed command").0,
        };
        found.extend(names.split_whitespace().map(str::to_owned));
    }
    found
}

fn matches(pattern: &str, port: &Port) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => port.name.starts_with(start) && port.width > 1,
        None => port.name == pattern,
    }
}

/// Whether a file times every port of the accelerator by its clock, and names no others.
fn check_timing(text: &str, ports: &[Port]) -> Result<(), String> {
    let mut lists: Vec<(String, Vec<String>)> = Vec::new();
    let (mut clocks, mut inputs, mut outputs) = (Vec::new(), Vec::new(), Vec::new());
    for statement in statements(text) {
        let mut names = patterns(statement);
        for name in &names {
            if !ports.iter().any(|port| matches(name, port)) {
                return Err(format!("{name} is no port of the accelerator"));
            }
        }
        if let Some(("set", rest)) = statement.split_once(' ') {
            let (variable, _) = rest.split_once(' ').expect("a value");
            lists.push((format!("${variable}"), names));
            continue;
        }
        for (variable, listed) in &lists {
            if statement.contains(variable) {
                names.extend(listed.iter().cloned());
            }
        }
        match statement.split_whitespace().next() {
            Some("create_clock") => clocks.extend(names),
            Some("set_input_delay") => inputs.extend(names),
            Some("set_output_delay") => outputs.extend(names),
            _ => {}
        }
    }
    if clocks != ["clock"] {
        return Err(format!("the clocks are {clocks:?}"));
    }
    for port in ports.iter().filter(|port| port.name != "clock") {
        let delayed = match port.direction {
            Direction::Input => &inputs,
            Direction::Output => &outputs,
        };
        if !delayed.iter().any(|name| matches(name, port)) {
            return Err(format!("{} has no delay", port.name));
        }
    }
    Ok(())
}

#[test]
fn every_port_of_the_ulx3s_top_has_a_pin_of_its_own_and_no_pin_lacks_its_port() {
    let ports = board_ports(Board::Ulx3s);
    let text = file("ulx3s.lpf");
    assert_eq!(Pins::lpf(&text).check(&ports), Ok(()));
    for (from, to, complaint) in [
        (
            "LOCATE COMP \"led[3]\" SITE \"D2\";",
            "",
            "led[3] has no pin",
        ),
        (
            "\"ftdi_txd\" SITE",
            "\"ftdi_tdx\" SITE",
            "ftdi_tdx is no port",
        ),
        ("SITE \"R1\"", "SITE \"D6\"", "D6 has two ports"),
        (
            "IOBUF PORT \"btn[0]\"",
            "IOBUF PORT \"btn[1]\"",
            "btn[0] has no electrical",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let broken = Pins::lpf(&text.replace(from, to)).check(&ports);
        let broken = broken.expect_err(complaint);
        assert!(broken.starts_with(complaint), "{broken}");
    }
}

#[test]
fn every_port_of_the_arty_top_has_a_pin_of_its_own_and_no_pin_lacks_its_port() {
    let ports = board_ports(Board::ArtyA7);
    let text = file("arty_a7_100t.xdc");
    assert_eq!(Pins::xdc(&text).check(&ports), Ok(()));
    for (from, to, complaint) in [
        ("PACKAGE_PIN T9", "SLEW", "led[2] has no pin"),
        ("[get_ports btn]", "[get_ports button]", "button is no port"),
        ("PACKAGE_PIN J5", "PACKAGE_PIN H5", "H5 has two ports"),
        (
            "PACKAGE_PIN A9 IOSTANDARD",
            "PACKAGE_PIN A9 SLEW",
            "uart_txd_in has no electrical",
        ),
    ] {
        assert!(text.contains(from), "{from}");
        let broken = Pins::xdc(&text.replace(from, to)).check(&ports);
        let broken = broken.expect_err(complaint);
        assert!(broken.starts_with(complaint), "{broken}");
    }
    let names: BTreeSet<String> = statements(&text).flat_map(patterns).collect();
    for name in names {
        let exists = ports.iter().any(|port| matches(&name, port)) || bits(&ports).contains(&name);
        assert!(exists, "{name} is no port of the top");
    }
}

#[test]
fn the_boards_clocks_have_the_frequency_that_the_serial_line_is_divided_from() {
    let lpf = file("ulx3s.lpf");
    let megahertz = Board::Ulx3s.clock_hertz() / 1_000_000;
    let clock = Board::Ulx3s.clock();
    let frequency = format!("FREQUENCY PORT \"{clock}\" {megahertz} MHz");
    assert!(statements(&lpf).any(|s| s == frequency), "{frequency}");
    let xdc = file("arty_a7_100t.xdc");
    let period = 1e9 / f64::from(Board::ArtyA7.clock_hertz());
    let clock = Board::ArtyA7.clock();
    let created = format!("create_clock -name {clock} -period {period:.3} [get_ports {clock}]");
    assert!(statements(&xdc).any(|s| s == created), "{created}");
}

#[test]
fn every_port_of_the_accelerator_is_timed_and_no_other_is_named() {
    let ports = accelerator_ports();
    for name in ["brownout.sdc", "artix7_100t.xdc"] {
        let text = file(name);
        assert_eq!(check_timing(&text, &ports), Ok(()), "{name}");
        for (from, to, complaint) in [
            ("output_ready}", "}", "output_ready has no delay"),
            ("input_ready ", "input_steady ", "input_steady is no port"),
            ("create_clock -name", "remark -name", "the clocks are []"),
            ("register_read_data*", "", "register_read_data has no delay"),
        ] {
            assert!(text.contains(from), "{name}: {from}");
            let broken = check_timing(&text.replace(from, to), &ports);
            let broken = broken.expect_err(complaint);
            assert!(broken.starts_with(complaint), "{broken}");
        }
    }
    let lpf = file("brownout_ecp5.lpf");
    let only: Vec<&str> = statements(&lpf).collect();
    assert_eq!(only, ["FREQUENCY PORT \"clock\" 150 MHz"]);
}
