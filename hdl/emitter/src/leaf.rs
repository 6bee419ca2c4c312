//! Text of a leaf: its own Verilog between declared ports.

use super::collect::RawKind;
use super::declare;
use super::ir::*;
use super::text::comment;
use std::fmt::Write;

/// Ports in order with the widths that the leaf uses, then the author's text.
pub(crate) fn print(name: &str, raw: &RawKind, ir: &ModuleIr, text: &str) -> String {
    let mut out = String::new();
    for line in &raw.notes.description {
        out.push_str(&comment(line, 0));
    }
    let _ = writeln!(out, "module {name} (");
    out.push_str(&declare::ports(ir, &raw.notes, |port| {
        match ir.signals[port].role {
            Role::Input => "input wire",
            _ if is_net(text, &ir.signals[port].name) => "output wire",
            _ => "output reg",
        }
    }));
    out.push_str(");\n\n");
    for line in text.lines() {
        match line.trim_end() {
            "" => out.push('\n'),
            line => {
                let _ = writeln!(out, "    {line}");
            }
        }
    }
    out.push_str("endmodule\n");
    out
}

/// Whether the text drives `port` with a continuous assignment.
fn is_net(text: &str, port: &str) -> bool {
    text.split("assign ").skip(1).any(|rest| {
        let name: String = rest
            .trim_start()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        name == port
    })
}
