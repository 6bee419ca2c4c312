//! The flags of `generate`.

use brownout_spec::serial::Board;
use clap::Args;
use std::path::PathBuf;

/// Flags of `generate`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  brownout generate --out rtl
  brownout generate --config accelerator.toml --out rtl
  brownout generate --fit cnn.safetensors --out rtl
  brownout generate --board ulx3s --out rtl
  brownout generate --memories macro --macros macros.toml --out rtl
  verilator_bin --lint-only -Wall -F rtl/brownout.f")]
pub struct GenerateArguments {
    /// Configuration, a TOML file [default: 8 x 8, 8-bit weights, inplace-64-57]
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Also pack this model's weights, into weights.image
    #[arg(long, value_name = "FILE")]
    pub model: Option<PathBuf>,
    /// As --model, with memories just deep enough for it, and a table of what it costs on other arrays
    /// [array, code and voltages: the configuration's]
    #[arg(long, value_name = "FILE", conflicts_with = "model")]
    pub fit: Option<PathBuf>,
    /// Also write a top for a board, with a serial line: ulx3s or arty-a7
    #[arg(long, value_name = "NAME", value_parser = board)]
    pub board: Option<Board>,
    /// What memories are made of: inferred (what synthesis makes of them) or macro (those that
    /// --macros lists)
    #[arg(
        long,
        value_name = "KIND",
        value_enum,
        default_value = "inferred",
        hide_possible_values = true
    )]
    pub memories: Memories,
    /// List of memory macros, a TOML file; for --memories macro
    #[arg(long, value_name = "FILE")]
    pub macros: Option<PathBuf>,
    /// Folder to write into; it is created if it is missing
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
}

/// What memories are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
#[value(rename_all = "lower")]
pub enum Memories {
    /// What synthesis makes of a description.
    Inferred,
    /// Macros of a list.
    Macro,
}

fn board(text: &str) -> Result<Board, String> {
    let name = |board: &Board| board.name().replace('_', "-");
    let found = Board::ALL.into_iter().find(|board| name(board) == text);
    found.ok_or_else(|| {
        let allowed = Board::ALL.map(|board| name(&board)).join(" and ");
        format!("{text:?} is not a board with known pins; allowed are {allowed}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_that_is_not_known_is_answered_with_those_that_are() {
        assert!(board("ice40").unwrap_err().contains("ulx3s and arty-a7"));
    }
}
