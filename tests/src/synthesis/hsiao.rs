//! A plain decoder to compare ours with.

use std::fmt::Write;

/// Lanes of the reference code.
const LANES: usize = 64;
/// Its check bits.
const CHECKS: usize = 7;

/// Verilog of a plain Hsiao (64,57) decoder, module `hsiao_64_57`: data in lanes 0..57, check
/// bits behind them, columns of odd weight in rising order (Hsiao 1970). It corrects and
/// detects as ours do, in the same two clocks, and has neither policies nor restored signs.
pub fn plain_decoder() -> String {
    let columns = columns();
    let mut text = String::from(
        "`default_nettype none\nmodule hsiao_64_57 (\n    input wire clock,\n    input wire [63:0] word,\n    \
         output reg [56:0] data,\n    output reg corrected,\n    output reg detected\n);\n    \
         reg [63:0] received;\n    reg [6:0] syndrome;\n    wire [56:0] accused;\n",
    );
    for (lane, column) in columns.iter().take(LANES - CHECKS).enumerate() {
        writeln!(
            text,
            "    assign accused[{lane}] = syndrome == 7'd{column};"
        )
        .expect("writing to a string cannot fail");
    }
    text.push_str("    always @(posedge clock) begin\n        received <= word;\n");
    for check in 0..CHECKS {
        let mask = columns
            .iter()
            .enumerate()
            .filter(|&(_, column)| column >> check & 1 == 1)
            .fold(0u64, |mask, (lane, _)| mask | 1 << lane);
        writeln!(
            text,
            "        syndrome[{check}] <= ^(word & 64'h{mask:016x});"
        )
        .expect("writing to a string cannot fail");
    }
    text.push_str(
        "        data <= received[56:0] ^ accused;\n        corrected <= ^syndrome;\n        \
         detected <= (|syndrome) & ~(^syndrome);\n    end\nendmodule\n",
    );
    text
}

/// Columns of odd weight: three and five and seven bits for the data, one bit for the checks.
fn columns() -> Vec<u8> {
    let mut data: Vec<u8> = (0..1u8 << CHECKS)
        .filter(|column| column.count_ones() % 2 == 1 && column.count_ones() > 1)
        .collect();
    data.sort_by_key(|column| (column.count_ones(), *column));
    data.truncate(LANES - CHECKS);
    data.extend((0..CHECKS).map(|check| 1 << check));
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_has_64_different_columns_of_odd_weight() {
        let mut columns = columns();
        assert_eq!(columns.len(), LANES);
        assert!(columns.iter().all(|column| column.count_ones() % 2 == 1));
        columns.sort_unstable();
        columns.dedup();
        assert_eq!(columns.len(), LANES);
    }
}
