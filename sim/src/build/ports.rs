//! The port table of a model, read from the header Verilator writes.
//!
//! The header is the one place which knows each port's C++ type, so nothing
//! has to be declared a second time.

use serde::{Deserialize, Serialize};

/// Direction of a port, seen from the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// Written by the host.
    Input,
    /// Read by the host.
    Output,
}

/// A port of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortInfo {
    /// Name in the Verilog.
    pub name: String,
    /// Input or output.
    pub direction: Direction,
    /// Width in bits, at least 1. Up to 64 bits a port is the smallest
    /// unsigned integer of 8, 16, 32 or 64 bits that holds it, above that an
    /// array of 32-bit words, least significant first.
    pub bits: u32,
}

/// Reads the ports from the text of a verilated model's header, in its order.
/// Lines which declare no port are passed over; a declaration which cannot be
/// read (an unpacked array, an inout) is returned as the error.
pub(super) fn parse_header(header: &str) -> Result<Vec<PortInfo>, String> {
    header
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("VL_IN") || line.starts_with("VL_OUT"))
        .map(|line| parse_declaration(line).ok_or_else(|| line.to_string()))
        .collect()
}

/// Reads `VL_IN8(&name,msb,lsb);` and its relatives for other widths.
fn parse_declaration(line: &str) -> Option<PortInfo> {
    let (kind, rest) = line.split_once("(&")?;
    let direction = match kind.trim_end_matches(|c: char| c.is_ascii_digit() || c == 'W') {
        "VL_IN" => Direction::Input,
        "VL_OUT" => Direction::Output,
        _ => return None,
    };
    let mut fields = rest.strip_suffix(");")?.split(',');
    let name = fields.next()?;
    let msb: u32 = fields.next()?.parse().ok()?;
    let lsb: u32 = fields.next()?.parse().ok()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    (name.chars().all(plain) && msb >= lsb).then(|| PortInfo {
        name: name.to_string(),
        direction,
        bits: msb - lsb + 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_width_class_is_read_with_its_direction() {
        let header = "class Vmodel {\n    VL_IN8(&clock,0,0);\n    VL_IN16(&b,15,4);\n\
                      VL_OUT(&c,31,0);\n VL_OUT64(&d,63,0);\n VL_INW(&e,99,0,4);\n VlUnpacked<int> x;\n}";
        let ports = parse_header(header).expect("all lines are ports");
        let seen: Vec<_> = ports
            .iter()
            .map(|p| (p.name.as_str(), p.direction, p.bits))
            .collect();
        use Direction::{Input, Output};
        assert_eq!(
            seen,
            [
                ("clock", Input, 1),
                ("b", Input, 12),
                ("c", Output, 32),
                ("d", Output, 64),
                ("e", Input, 100)
            ]
        );
    }

    #[test]
    fn an_unpacked_array_and_an_inout_are_refused() {
        for line in ["VL_IN8((&a)[4],7,0);", "VL_INOUT8(&pad,0,0);"] {
            assert_eq!(parse_header(line), Err(line.to_string()));
        }
    }
}
