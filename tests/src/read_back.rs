//! What a host sees outside of its networks: registers hold what was written, a reset clears
//! them, and a pass that runs is shown and takes no input.

use crate::graph::Graph;
use crate::session::{Conditions, compare_images};
use brownout_sim::compare::CompareError;
use brownout_sim::driver::{Driver, DriverError};
use brownout_sim::link::{Link, LinkError, ModelLink};
use brownout_spec::code::Policy;
use brownout_spec::fault::{FaultMap, FaultMode};
use brownout_spec::program::Program;
use brownout_spec::quantity::{ChipSeed, Pass, Threshold};
use brownout_spec::registers::{self as map, Access, LoadTarget, REGISTERS, Register};

/// What registers are written with, one after the other.
const PATTERNS: [fn(Register) -> u32; 4] = [
    |_| u32::MAX,
    |_| 0,
    |r| 0x9e37_79b9_u32.wrapping_mul(u32::from(r.address) + 1),
    |r| !0x9e37_79b9_u32.wrapping_mul(u32::from(r.address) + 1),
];

/// Reads of the status at the beginning of a pass; no pass is shorter.
const RUNNING_READS: usize = 8;

/// Clocks in which a result that waits is offered.
const RESULT_LATENCY: u64 = 11;

/// Clocks after a start in which words are read, wrong ones found, counted and corrected.
const WORDS_FLOW: std::ops::Range<u64> = 24..64;

/// Clocks of the shortest pass during which beats are offered: the sender gives up after 1,000.
const SHORTEST_REFUSAL: u64 = 1_100;

/// Writes all registers and reads them back; says which one is wrong.
///
/// # Errors
/// When the wire fails.
pub fn check_written<L: Link>(driver: &mut Driver<L>) -> Result<Option<String>, LinkError> {
    let configuration = driver.configuration().clone();
    let link = driver.link_mut();
    let writable = || REGISTERS.iter().filter(|r| r.access == Access::ReadWrite);
    for pattern in PATTERNS {
        for register in writable() {
            link.write_register(*register, pattern(*register))?;
        }
        for register in writable() {
            let bits = u32::from(register.bits_with(&configuration));
            let expected = pattern(*register) & u32::MAX.unbounded_shr(u32::BITS - bits);
            let found = link.read_register(*register)?;
            if found != expected {
                return Ok(Some(wrong(*register, found, expected)));
            }
        }
    }
    Ok(None)
}

/// Reads every address after a reset, also those without a register, which read as zero; says
/// which one is wrong.
///
/// # Errors
/// When the wire fails.
pub fn check_cleared<L: Link>(driver: &mut Driver<L>) -> Result<Option<String>, LinkError> {
    let geometry = map::geometry(driver.configuration());
    let link = driver.link_mut();
    for address in 0..=u8::MAX {
        let nothing = Register {
            name: "an address without a register",
            address,
            ..map::STATUS
        };
        let known = REGISTERS.iter().find(|r| r.address == address);
        let register = known.copied().unwrap_or(nothing);
        let expected = match register {
            map::IDENTIFICATION => map::IDENTIFICATION_VALUE,
            map::VERSION => map::VERSION_VALUE,
            map::GEOMETRY => geometry,
            map::STOP_AFTER_LAYER => map::RUN_TO_THE_END,
            // What the activation buffer holds.
            map::DEBUG_DATA => continue,
            _ => 0,
        };
        let found = link.read_register(register)?;
        if found != expected {
            return Ok(Some(wrong(register, found, expected)));
        }
    }
    Ok(None)
}

/// Writes every bit of the control register but that which starts a pass; says if one runs.
///
/// # Errors
/// When the wire fails.
pub fn check_not_started<L: Link>(driver: &mut Driver<L>) -> Result<Option<String>, LinkError> {
    let link = driver.link_mut();
    link.write_register(map::CONTROL, !map::CONTROL_START)?;
    let found = link.read_register(map::STATUS)?;
    Ok((found != 0).then(|| wrong(map::STATUS, found, 0)))
}

/// Starts the loaded program; says what is wrong while it runs. The accelerator needs a reset
/// afterwards.
///
/// # Errors
/// When the wire fails.
pub fn check_running<L: Link>(driver: &mut Driver<L>) -> Result<Option<String>, LinkError> {
    let link = driver.link_mut();
    link.write_register(map::CONTROL, map::CONTROL_START)?;
    for _ in 0..RUNNING_READS {
        let found = link.read_register(map::STATUS)?;
        if found != map::STATUS_RUNNING {
            return Ok(Some(wrong(map::STATUS, found, map::STATUS_RUNNING)));
        }
    }
    Ok(None)
}

/// Stops after a layer and reads the buffer that it read: it still holds the map of the layer
/// before; says if not. Programs of fewer than three layers have no such layer.
///
/// # Errors
/// When the accelerator does not answer as one does.
pub fn check_source<L: Link>(
    driver: &mut Driver<L>,
    program: &Program,
    image: &[i8],
) -> Result<Option<String>, DriverError> {
    let pairs = program
        .steps
        .windows(2)
        .take(program.steps.len().saturating_sub(2));
    let Some(layer) = pairs
        .into_iter()
        .position(|pair| pair[1].source == pair[0].destination)
    else {
        return Ok(None);
    };
    let source = program.steps[layer].destination;
    let layers = [layer, layer + 1].map(|step| program.steps[step].layer());
    // A copy is no layer to stop after.
    let [Some(layer), Some(next)] = layers else {
        return Ok(None);
    };
    let run = |driver: &mut Driver<L>, layer| {
        if driver.configuration().fault_emulation {
            driver.set_pass(Pass(0))?;
        }
        driver.run_to_layer(image, layer)
    };
    let (shape, map) = run(driver, layer)?;
    run(driver, next)?;
    let found = driver.read_activations(source, shape)?;
    Ok((found != map).then(|| format!("{source:?} is not what layer {layer} wrote")))
}

/// Resets for a single clock; says if a result of before is offered after it.
///
/// # Errors
/// When the wire fails.
pub fn check_broken(driver: &mut Driver<ModelLink>) -> Result<Option<String>, LinkError> {
    let link = driver.link_mut();
    link.reset_for(1);
    let results = link.receive(1, RESULT_LATENCY)?;
    Ok((!results.is_empty())
        .then(|| "a result of before the reset is offered after it".to_string()))
}

/// Breaks passes off by resets of a single clock, one clock later each time, while words are
/// read of which half of the bits are wrong, if the configuration emulates faults; says what of
/// before shows afterwards.
///
/// # Errors
/// When the accelerator does not answer as one does.
pub fn check_resets(
    driver: &mut Driver<ModelLink>,
    graph: &Graph,
) -> Result<Option<String>, CompareError> {
    let mode = match driver.configuration().fault_emulation {
        true => FaultMode::Persistent,
        false => FaultMode::None,
    };
    let conditions = Conditions {
        seed: ChipSeed(1),
        mode,
        threshold: Threshold(1 << 31),
        supply: None,
        map: FaultMap::default(),
        policy: Policy::Keep,
        first_pass: Pass(0),
    };
    for clocks in WORDS_FLOW {
        // Loads, and runs nothing.
        compare_images(driver, graph, &conditions, &[], &[])?;
        let mut broken = || {
            let link = driver.link_mut();
            link.write_register(map::CONTROL, map::CONTROL_START)?;
            link.wait(clocks)?;
            Ok(match check_broken(driver)? {
                None => check_cleared(driver)?,
                found => found,
            })
        };
        let found = broken().map_err(|error: LinkError| CompareError::Driver(error.into()))?;
        if let Some(text) = found {
            return Ok(Some(format!("{text}, {clocks} clocks after a start")));
        }
    }
    Ok(None)
}

/// Runs an image, then a pass during which beats are offered and a start is asked for, then the
/// image again; says what differs. Passes of fewer than [`SHORTEST_REFUSAL`] clocks are
/// not disturbed, as they might end before the sender gives up.
///
/// # Errors
/// When the accelerator does not answer as one does.
pub fn check_refused<L: Link>(
    driver: &mut Driver<L>,
    image: &[i8],
    clocks: u64,
) -> Result<Option<String>, DriverError> {
    if clocks < SHORTEST_REFUSAL {
        return Ok(None);
    }
    let emulation = driver.configuration().fault_emulation;
    let run = |driver: &mut Driver<L>| {
        if emulation {
            driver.set_pass(Pass(0))?;
        }
        driver.run_image(image)
    };
    let first = run(driver)?;
    if emulation {
        driver.set_pass(Pass(0))?;
    }
    let link = driver.link_mut();
    let target = LoadTarget::Weights as u32;
    link.write_register(map::LOAD_TARGET, target)?;
    link.write_register(map::CONTROL, map::CONTROL_START)?;
    // In the clock of the read, the pass begins.
    let found = link.read_register(map::STATUS)?;
    if found != map::STATUS_RUNNING {
        return Ok(Some(wrong(map::STATUS, found, map::STATUS_RUNNING)));
    }
    match link.send(&[0xdead_beef]) {
        Err(LinkError::Stuck { .. }) => {}
        Err(error) => return Err(error.into()),
        Ok(()) => return Ok(Some("a beat was accepted during a pass".to_string())),
    }
    link.write_register(map::CONTROL, map::CONTROL_START)?;
    let logits = link.receive(first.logits.len(), 4 * clocks)?;
    link.wait(clocks)?;
    // Their values are those of what the pass before left in the buffers.
    if logits.len() != first.logits.len() {
        return Ok(Some("beats offered during a pass stop it".to_string()));
    }
    // A start that was not refused would be running, or have left results.
    let found = link.read_register(map::STATUS)?;
    if found != map::STATUS_ENDED {
        return Ok(Some(wrong(map::STATUS, found, map::STATUS_ENDED)));
    }
    let again = run(driver)?;
    Ok(
        (again.logits != first.logits || again.counters != first.counters)
            .then(|| "beats offered during a pass change the next one".to_string()),
    )
}

fn wrong(register: Register, found: u32, expected: u32) -> String {
    let Register { name, address, .. } = register;
    format!("{name} ({address}) reads {found:#x} instead of {expected:#x}")
}
