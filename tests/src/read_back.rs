//! Registers hold what was written, and a reset clears them.

use brownout_sim::driver::Driver;
use brownout_sim::link::{Link, LinkError};
use brownout_spec::registers::{self as map, Access, REGISTERS, Register};

/// What registers are written with, one after the other.
const PATTERNS: [fn(Register) -> u32; 4] = [
    |_| u32::MAX,
    |_| 0,
    |r| 0x9e37_79b9_u32.wrapping_mul(u32::from(r.address) + 1),
    |r| !0x9e37_79b9_u32.wrapping_mul(u32::from(r.address) + 1),
];

/// Writes all registers and reads them back; says which one is wrong.
///
/// # Errors
/// When the wire fails.
pub fn check_written<L: Link>(driver: &mut Driver<L>) -> Result<Option<String>, LinkError> {
    let emulation = driver.configuration().fault_emulation;
    let link = driver.link_mut();
    let writable = || REGISTERS.iter().filter(|r| r.access == Access::ReadWrite);
    for pattern in PATTERNS {
        for register in writable() {
            link.write_register(*register, pattern(*register))?;
        }
        for register in writable() {
            let bits = u32::MAX >> (u32::BITS - u32::from(register.bits));
            let expected = match emulation || !register.fault_emulation {
                true => pattern(*register) & bits,
                false => 0,
            };
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

fn wrong(register: Register, found: u32, expected: u32) -> String {
    let Register { name, address, .. } = register;
    format!("{name} ({address}) reads {found:#x} instead of {expected:#x}")
}
