//! Lists of signals in the forms that viewers of waveforms read.

use super::CLOCK_NS;
use super::groups::Group;
use std::fmt::Write;
use std::path::Path;

/// How GTKWave is told to show a value: flags of its traces, in hexadecimal digits.
mod flag {
    /// A bit: binary, to the right.
    pub const BIT: &str = "28";
    /// A vector: hexadecimal, to the right.
    pub const VECTOR: &str = "22";
    /// A group begins, open.
    pub const BEGIN: &str = "800200";
    /// A group ends, open.
    pub const END: &str = "1000200";
}

/// Clocks in front of the marked one that are in sight at first.
const IN_SIGHT: u64 = 64;
/// Markers with a letter, of which none is set.
const LETTERS: usize = 26;

/// A save file of GTKWave: groups of signals, with a marker in the clock of this number.
pub fn gtkwave(waveform: &Path, save: &Path, groups: &[Group], clock: u64) -> String {
    let mut text = String::new();
    let time = clock * CLOCK_NS;
    let start = clock.saturating_sub(IN_SIGHT) * CLOCK_NS;
    let none = " -1".repeat(LETTERS);
    let (waveform, save) = (waveform.display(), save.display());
    line(&mut text, format_args!("[dumpfile] \"{waveform}\""));
    line(&mut text, format_args!("[savefile] \"{save}\""));
    line(&mut text, format_args!("[timestart] {start}"));
    // The first number is the zoom: about five pixels a clock.
    line(&mut text, format_args!("*-1.000000 {time}{none}"));
    for group in groups {
        line(&mut text, format_args!("@{}\n-{}", flag::BEGIN, group.name));
        let mut last = "";
        for signal in &group.signals {
            let flag = match signal.range.as_str() {
                "" => flag::BIT,
                _ => flag::VECTOR,
            };
            if flag != last {
                line(&mut text, format_args!("@{flag}"));
                last = flag;
            }
            line(&mut text, format_args!("{}{}", signal.path(), signal.range));
        }
        line(&mut text, format_args!("@{}\n-{}", flag::END, group.name));
    }
    text
}

/// Commands of Surfer: signals below the names of their groups, with the cursor in the clock of
/// this number.
pub fn surfer(groups: &[Group], clock: u64) -> String {
    let mut text = String::new();
    for group in groups {
        line(&mut text, format_args!("divider_add {}", group.name));
        for signal in &group.signals {
            line(&mut text, format_args!("variable_add {}", signal.path()));
        }
    }
    line(&mut text, format_args!("cursor_set {}", clock * CLOCK_NS));
    line(&mut text, format_args!("goto_cursor"));
    text
}

fn line(text: &mut String, arguments: std::fmt::Arguments<'_>) {
    // A text takes whatever is written into it.
    let _ = writeln!(text, "{arguments}");
}

#[cfg(test)]
mod tests {
    use super::super::contents::Signal;
    use super::*;

    fn groups() -> Vec<Group> {
        let signal = |name: &str, range: &str| Signal {
            scopes: vec!["TOP".into(), "chip".into()],
            name: name.into(),
            range: range.into(),
        };
        vec![Group {
            name: "weight path".into(),
            signals: vec![signal("a", "[7:0]"), signal("b", "[3:0]"), signal("c", "")],
        }]
    }

    #[test]
    fn gtkwave_is_given_groups_of_bits_and_vectors_and_a_marker() {
        let text = gtkwave(Path::new("/w.vcd"), Path::new("/w.gtkw"), &groups(), 100);
        let expected = format!(
            "[dumpfile] \"/w.vcd\"\n[savefile] \"/w.gtkw\"\n[timestart] 360\n*-1.000000 1000{}\n\
             @800200\n-weight path\n@22\nTOP.chip.a[7:0]\nTOP.chip.b[3:0]\n@28\nTOP.chip.c\n\
             @1000200\n-weight path\n",
            " -1".repeat(26)
        );
        assert_eq!(text, expected);
    }

    #[test]
    fn surfer_is_given_dividers_variables_and_the_cursor() {
        let expected = "divider_add weight path\nvariable_add TOP.chip.a\nvariable_add TOP.chip.b\n\
                        variable_add TOP.chip.c\ncursor_set 1000\ngoto_cursor\n";
        assert_eq!(surfer(&groups(), 100), expected);
    }
}
