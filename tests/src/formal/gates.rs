//! Registers behind an enable keep what they hold while it is low.
//!
//! No result depends on that, as what such a register holds then is not used;
//! what moves costs energy, and the file says of these that they do not move.

use super::netlist::Cut;
use super::window::range;
use super::yosys::{Theorem, View};
use brownout_hdl::emit::{Direction, Port};

/// What has to be so, for some outputs to keep their values.
#[derive(Clone, Copy, Debug)]
struct Gate {
    /// Ends the names of the modules.
    kind: &'static str,
    /// Inputs and their values in each clock.
    given: &'static [(&'static str, u64)],
    /// Clocks until the outputs have settled.
    settled: usize,
    /// Outputs, or the beginning of the names of outputs, which are kept.
    kept: &'static [&'static str],
}

const GATES: [Gate; 5] = [
    Gate {
        kind: "cipher_mix",
        given: &[("enable", 0)],
        settled: 1,
        kept: &["row_after_"],
    },
    Gate {
        kind: "cipher_fold",
        given: &[("enable", 0)],
        settled: 1,
        kept: &["row_after_", "less"],
    },
    // Lane 0 is not delayed.
    Gate {
        kind: "skew",
        given: &[("enable", 0)],
        settled: 1,
        kept: &["skewed_1"],
    },
    Gate {
        kind: "multiplier",
        given: &[("enable_sum", 0)],
        settled: 1,
        kept: &["product"],
    },
    // The second stage shows that the first one keeps its value.
    Gate {
        kind: "multiplier",
        given: &[("enable", 0), ("enable_sum", 1)],
        settled: 2,
        kept: &["product"],
    },
];

/// The claims about a module; none if it has no enable.
pub fn theorems(cut: &Cut) -> Vec<Theorem> {
    GATES
        .iter()
        .filter(|gate| is_kind(&cut.module, gate.kind))
        .map(|gate| gate.theorem(cut))
        .collect()
}

/// `x_skew_2` is a skew as well; `x_weight_skew` is not.
fn is_kind(name: &str, kind: &str) -> bool {
    let name = name.trim_end_matches(|c: char| c.is_ascii_digit());
    let name = name.strip_suffix('_').unwrap_or(name);
    name.strip_suffix(kind)
        .is_some_and(|rest| rest.ends_with('_') && !rest.ends_with("_weight_"))
}

impl Gate {
    fn keeps(&self, port: &Port) -> bool {
        let named = |name: &&str| match name.ends_with('_') {
            true => port.name.starts_with(*name),
            false => port.name == **name,
        };
        port.direction == Direction::Output && self.kept.iter().any(named)
    }

    /// The claim `kept`.
    fn theorem(&self, cut: &Cut) -> Theorem {
        let (mut inputs, mut outputs, mut ports) = (String::new(), String::new(), String::new());
        let (mut kept, mut bits) = (Vec::new(), 0);
        for port in &cut.ports {
            let (name, width) = (&port.name, range(port.width));
            match port.direction {
                Direction::Input if name == "clock" => {}
                Direction::Input => inputs.push_str(&format!(", input wire {width} {name}")),
                Direction::Output => outputs.push_str(&format!("    wire {width} {name};\n")),
            }
            ports.push_str(&format!(", .{name}({name})"));
            if self.keeps(port) {
                kept.push(name.as_str());
                bits += port.width;
            }
        }
        assert!(!kept.is_empty(), "{} has none of {self:?}", cut.name);
        let text = format!(
            "
module theorem (input wire clock{inputs}, output wire kept);
{outputs}    {} gated ({});
    reg {} before;
    always @(posedge clock) before <= {{{all}}};
    assign kept = before == {{{all}}};
endmodule
",
            cut.name,
            ports.trim_start_matches(", "),
            range(bits),
            all = kept.join(", "),
        );
        let clocks = self.settled + 1;
        let given = (1..clocks).flat_map(|clock| {
            let at = move |&(input, value): &(&str, u64)| (clock, input.to_owned(), value);
            self.given.iter().map(at)
        });
        Theorem {
            text,
            claims: vec!["kept"],
            view: View::Time {
                first: clocks,
                clocks,
                given: given.collect(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart_by_their_names() {
        assert!(is_kind("brownout_skew", "skew") && is_kind("brownout_skew_2", "skew"));
        assert!(!is_kind("brownout_weight_skew", "skew"));
        assert!(!is_kind("brownout_multiplier", "skew"));
    }
}
