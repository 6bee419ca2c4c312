//! An accelerator behind the serial line of a simulated board: the pins of the
//! ULX3S top are driven bit by bit, at the board's own baud rate.

use brownout_hdl::emit::Module;
use brownout_hdl::{generate, generate_board};
use brownout_sim::build::{BuildOptions, ModelSource, lint};
use brownout_sim::compare::CompareError;
use brownout_sim::driver::{Driver, DriverError};
use brownout_sim::link::{Link, LinkError};
use brownout_sim::model::{Model, ModelLibrary};
use brownout_sim::serial::{SerialLink, SimulatedLine};
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::config::{Configuration, WeightBits};
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::quantity::{ChipSeed, Pass, Threshold};
use brownout_spec::registers;
use brownout_spec::serial::{Board, DONE, NOT_DONE, PUSH, READ, TAKE, WRITE};
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{self, Focus};
use brownout_tests::session::{Conditions, compare_images, tools};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::io::{self, ErrorKind, Read, Write};
use std::sync::{Arc, OnceLock};

const BOARD: Board = Board::Ulx3s;
/// Neither of the two buttons: PWR is low where pressed, FIRE1 high.
const RELEASED: u64 = 0b01;
/// Clocks of the reset after power-up, and some more.
const POWER_UP: u64 = 300;

fn small() -> Configuration {
    configuration(4, 4, WeightBits::Eight, CodeName::None)
}

/// Board and accelerator, one file a module.
fn source(board: Board) -> ModelSource {
    let accelerator = generate(&small()).unwrap_or_else(|e| panic!("{e}"));
    let top = generate_board(&small(), board).unwrap_or_else(|e| panic!("{e}"));
    let files = [&top, &accelerator].map(|emitted| {
        let file = |m: &Module| (format!("{}.v", m.name), emitted.module_file(m));
        emitted.modules.iter().map(file).collect::<Vec<_>>()
    });
    ModelSource {
        top: top.top().name.clone(),
        clock: Some(board.clock().to_owned()),
        files: files.concat(),
    }
}

/// A board whose registers and memories start at random values, but for the
/// reset's counter, and the host's line, whose bits last `clocks_per_bit`.
fn line(seed: u32, clocks_per_bit: u32) -> SimulatedLine {
    static LIBRARY: OnceLock<Arc<ModelLibrary>> = OnceLock::new();
    let library = LIBRARY.get_or_init(|| {
        let (toolchain, cache) = tools();
        let options = BuildOptions {
            random_initial: true,
            trace: false,
            ..BuildOptions::default()
        };
        let compiled = cache.get(&toolchain, &source(BOARD), options);
        let compiled = compiled.unwrap_or_else(|e| panic!("{e}"));
        ModelLibrary::open(&compiled).unwrap_or_else(|e| panic!("{e}"))
    });
    let model = Model::with_seed(library, seed);
    let mut line = SimulatedLine::new(model, "ftdi_txd", "ftdi_rxd", clocks_per_bit)
        .unwrap_or_else(|e| panic!("{e}"));
    press(&mut line, RELEASED);
    line.hold(true, POWER_UP);
    line
}

fn press(line: &mut SimulatedLine, buttons: u64) {
    let port = line.model_mut().port("btn").unwrap();
    line.model_mut().write(port, buttons);
}

fn host(seed: u32, clocks_per_bit: u32) -> Result<Driver<SerialLink<SimulatedLine>>, DriverError> {
    let link = SerialLink::new(line(seed, clocks_per_bit), BOARD.clocks_per_bit());
    Driver::new(link, &small())
}

fn ask(line: &mut SimulatedLine, bytes: &[u8], answer: usize) -> Vec<u8> {
    line.write_all(bytes).unwrap();
    let mut answered = vec![0; answer];
    line.read_exact(&mut answered)
        .unwrap_or_else(|e| panic!("{bytes:?}: {e}"));
    answered
}

fn is_silent(line: &mut SimulatedLine) -> bool {
    let error = line.read(&mut [0]).map_err(|e| e.kind());
    error == Err(ErrorKind::TimedOut)
}

/// Two graphs and two images each, over any line to a board; the first mismatch.
fn run_networks<S: Read + Write>(line: S) -> Result<Option<String>, CompareError> {
    let link = SerialLink::new(line, BOARD.clocks_per_bit());
    let mut driver = Driver::new(link, &small())?;
    let mut random = ChaCha8Rng::seed_from_u64(21);
    for (focus, threshold) in [(Focus::Residual, 0), (Focus::MaxPool, 1 << 25)] {
        let graph = graph::draw(&small(), focus, &mut random);
        let images: Vec<_> = (0..2)
            .map(|_| draw_image(graph.program.input.volume(), &mut random))
            .collect();
        let conditions = Conditions {
            seed: ChipSeed(9),
            mode: FaultMode::Persistent,
            threshold: Threshold(threshold),
            supply: None,
            map: FaultMap::default(),
            policy: Policy::Keep,
            first_pass: Pass(3),
        };
        let mismatch = compare_images(&mut driver, &graph, &conditions, &images, &[1])?;
        if let Some(mismatch) = mismatch {
            return Ok(Some(format!("{focus:?}: {mismatch}")));
        }
    }
    Ok(None)
}

/// A line on which the lowest bit of one byte flips on its way to the board.
struct Noisy<S> {
    line: S,
    bytes_before: usize,
}

impl<S: Write> Write for Noisy<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut bytes = bytes.to_vec();
        if let Some(byte) = bytes.get_mut(self.bytes_before) {
            *byte ^= 1;
        }
        let written = self.line.write(&bytes)?;
        // Past the byte that was damaged, none is.
        self.bytes_before = self.bytes_before.checked_sub(written).unwrap_or(usize::MAX);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.line.flush()
    }
}

impl<S: Read> Read for Noisy<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.line.read(buffer)
    }
}

#[test]
fn the_driver_runs_networks_over_the_boards_serial_line_as_the_golden_model_does() {
    let mismatch = run_networks(line(5, BOARD.clocks_per_bit()));
    assert_eq!(mismatch.unwrap_or_else(|e| panic!("{e}")), None);
}

#[test]
fn a_bit_that_flips_on_the_line_in_an_opcode_or_in_the_program_is_noticed() {
    // In the identification, in opcodes, and in the values of programs; not in a step's first
    // word, which says nothing of a layer without groups.
    for bytes_before in [0, 1, 6, 12, 17, 24, 28, 34, 39] {
        let line = line(5, BOARD.clocks_per_bit());
        let outcome = run_networks(Noisy { line, bytes_before });
        assert!(!matches!(outcome, Ok(None)), "byte {bytes_before}");
    }
}

#[test]
fn hosts_four_percent_off_the_baud_rate_are_understood_and_twelve_percent_off_are_not() {
    let exact = BOARD.clocks_per_bit();
    for clocks in [exact - 1, exact, exact + 1] {
        let driver = host(1, clocks);
        assert!(driver.is_ok(), "{clocks}: {}", driver.err().unwrap());
    }
    for clocks in [exact - 3, exact + 3] {
        assert!(host(1, clocks).is_err(), "{clocks} of {exact}");
    }
}

#[test]
fn every_command_is_answered_as_its_table_says() {
    let mut line = line(2, BOARD.clocks_per_bit());
    let (read, write, take, push) = (READ.opcode, WRITE.opcode, TAKE.opcode, PUSH.opcode);
    let identification = registers::IDENTIFICATION_VALUE.to_le_bytes();
    let asked = [read, registers::IDENTIFICATION.address];
    assert_eq!(ask(&mut line, &asked, READ.answer), identification);
    let words = registers::CHIP_SEED_LOW.address;
    assert_eq!(
        ask(&mut line, &[write, words, 1, 2, 3, 0xfe], WRITE.answer),
        [DONE]
    );
    assert_eq!(ask(&mut line, &[read, words], READ.answer), [1, 2, 3, 0xfe]);
    assert_eq!(ask(&mut line, &[push, 9, 9, 9, 9], PUSH.answer), [DONE]);
    assert_eq!(ask(&mut line, &[take], TAKE.answer)[0], NOT_DONE);
    assert!(
        is_silent(&mut line),
        "an answer is longer than its command's"
    );

    // Both writes are done though the host does not wait for the first answer.
    let seed = |value| [write, words, value, 0, 0, 0];
    assert_eq!(
        ask(&mut line, &[seed(5), seed(6)].concat(), 2),
        [DONE, DONE]
    );
    assert_eq!(ask(&mut line, &[read, words], READ.answer)[0], 6);
}

#[test]
fn what_opens_no_command_is_ignored_and_a_break_abandons_one() {
    let mut line = line(3, BOARD.clocks_per_bit());
    let seed = registers::CHIP_SEED_LOW.address;
    let asked = [READ.opcode, seed];
    let noise: Vec<u8> = (0..=255)
        .filter(|b| ![WRITE, READ, PUSH, TAKE].map(|c| c.opcode).contains(b))
        .collect();
    line.write_all(&noise).unwrap();
    assert!(is_silent(&mut line));
    ask(&mut line, &[WRITE.opcode, seed, 7, 0, 0, 0], 1);
    for begun in [
        &[WRITE.opcode][..],
        &[WRITE.opcode, seed, 1, 2, 3],
        &[READ.opcode],
        &[PUSH.opcode, 0],
    ] {
        line.write_all(begun).unwrap();
        line.hold(false, u64::from(20 * BOARD.clocks_per_bit()));
        line.hold(true, u64::from(BOARD.clocks_per_bit()));
        assert_eq!(ask(&mut line, &asked, 4), [7, 0, 0, 0], "behind {begun:?}");
        // Zeros do the same, where a host can send no break.
        line.write_all(begun).unwrap();
        line.write_all(&[0; 5]).unwrap();
        while !is_silent(&mut line) {}
        assert_eq!(ask(&mut line, &asked, 4).len(), 4);
        ask(&mut line, &[WRITE.opcode, seed, 7, 0, 0, 0], 1);
    }
    // A line that falls for less than half a bit has sent nothing.
    line.hold(false, u64::from(BOARD.clocks_per_bit() / 4));
    line.hold(true, u64::from(20 * BOARD.clocks_per_bit()));
    assert_eq!(ask(&mut line, &asked, 4), [7, 0, 0, 0]);
}

#[test]
fn either_button_resets_and_the_line_rests_meanwhile() {
    let mut line = line(4, BOARD.clocks_per_bit());
    let seed = registers::CHIP_SEED_LOW.address;
    for pressed in [0b00, 0b11, 0b10] {
        ask(&mut line, &[WRITE.opcode, seed, 7, 0, 0, 0], 1);
        assert_eq!(ask(&mut line, &[READ.opcode, seed], 4), [7, 0, 0, 0]);
        press(&mut line, pressed);
        line.hold(true, 10);
        line.write_all(&[READ.opcode, seed]).unwrap();
        assert!(is_silent(&mut line));
        press(&mut line, RELEASED);
        line.hold(true, POWER_UP);
        assert_eq!(ask(&mut line, &[READ.opcode, seed], 4), [0; 4]);
    }
}

#[test]
fn beats_are_refused_while_a_pass_runs() {
    let mut driver = host(6, BOARD.clocks_per_bit()).unwrap_or_else(|e| panic!("{e}"));
    let link = driver.link_mut();
    // No program was loaded: what lies in the memory runs, for long.
    link.write_register(registers::CONTROL, registers::CONTROL_START)
        .unwrap();
    let running = link.read_register(registers::STATUS).unwrap() & registers::STATUS_RUNNING;
    assert_eq!(running, registers::STATUS_RUNNING);
    let refused = link.send(&[1, 2, 3]);
    assert!(
        matches!(
            refused,
            Err(LinkError::Stuck {
                sent: 0,
                beats: 3,
                ..
            })
        ),
        "{refused:?}"
    );
}

#[test]
fn the_tops_of_all_boards_are_free_of_warnings() {
    let (toolchain, _) = tools();
    for board in Board::ALL {
        lint(&toolchain, &source(board)).unwrap_or_else(|e| panic!("{e}"));
    }
}
