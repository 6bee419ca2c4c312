//! When a module looks at its inputs: claims of time.

use super::netlist::Cut;
use super::yosys::Window;
use brownout_hdl::emit::Port;

/// An input which matters at one clock only.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The input.
    pub input: String,
    /// Clocks after the first input of the computation.
    pub clock: usize,
    /// The value that it must have then, if the computation needs one.
    pub value: Option<u64>,
}

impl Moment {
    /// `input` matters at `clock`, whatever its value.
    pub fn any(input: &str, clock: usize) -> Self {
        let input = input.to_owned();
        Self {
            input,
            clock,
            value: None,
        }
    }

    /// `input` has to have a value at `clock`.
    pub fn with(input: &str, clock: usize, value: u64) -> Self {
        Self {
            value: Some(value),
            ..Self::any(input, clock)
        }
    }
}

/// The claim that `outputs`, `latency` clocks after the first input, depend on
/// each input at its moment and on nothing else, neither on the state nor on the
/// inputs of other clocks.
///
/// It is proved with a third value, x, that stands for anything: all registers
/// are x at first, and so is each input but at its moment; x spreads wherever it
/// might matter. What is never x at the end depended on none of it.
///
/// Inputs in `held` do not change while the module works, and some have a value
/// all the time; all inputs but the clock must be in `held` or `moments`.
///
/// # Panics
/// If an input is in neither list.
pub fn depends_only_on(
    cut: &Cut,
    outputs: &[&str],
    latency: usize,
    held: &[(&str, Option<u64>)],
    moments: &[Moment],
) -> Window {
    let clocks = latency + 1;
    let mut premises = String::new();
    let mut add = |premise: &str| premises.push_str(&format!(" {premise}"));
    for port in inputs(cut) {
        let name = &port.name;
        match held.iter().find(|(held, _)| held == name) {
            Some((_, Some(value))) => add(&format!("-set {name} {value}")),
            Some((_, None)) => add(&format!("-set-def {name}")),
            None => {
                let moment = moments
                    .iter()
                    .find(|moment| moment.input == *name)
                    .unwrap_or_else(|| panic!("when does {} look at {name}?", cut.name));
                for clock in 1..=clocks {
                    add(&match (clock == 1 + moment.clock, moment.value) {
                        (true, Some(value)) => format!("-set-at {clock} {name} {value}"),
                        (true, None) => format!("-set-def-at {clock} {name}"),
                        (false, _) => format!("-set-all-undef-at {clock} {name}"),
                    });
                }
            }
        }
    }
    Window {
        premises,
        outputs: outputs.join(","),
        clocks,
    }
}

/// All inputs but the clock.
fn inputs(cut: &Cut) -> impl Iterator<Item = &Port> {
    use brownout_hdl::emit::Direction::Input;
    cut.ports
        .iter()
        .filter(|port| port.direction == Input && port.name != "clock")
}

/// `[width-1:0]`.
pub fn range(width: usize) -> String {
    format!("[{}:0]", width - 1)
}
