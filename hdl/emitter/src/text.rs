//! Literals, comments and lists, in lines of at most [`LINE`] columns.

use super::ir::mask;
use std::fmt::Write;

/// Longest line that is not broken where it can be.
pub(crate) const LINE: usize = 100;

/// Comma-separated; the first line starts in column `start`, the others in column `indent`.
pub(crate) fn fill(parts: &[String], start: usize, indent: usize) -> String {
    let mut out = String::new();
    let mut column = start;
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            out.push(',');
            if column + part.len() + 3 > LINE {
                out.push('\n');
                out.push_str(&" ".repeat(indent));
                column = indent;
            } else {
                out.push(' ');
                column += 2;
            }
        }
        out.push_str(part);
        column += part.len();
    }
    out
}

/// A comment in lines of at most [`LINE`] columns.
pub(crate) fn comment(text: &str, indent: usize) -> String {
    let head = format!("{}//", " ".repeat(indent));
    let mut out = String::new();
    let mut line = head.clone();
    for word in text.split_whitespace() {
        if line.len() + 1 + word.len() > LINE && line != head {
            let _ = writeln!(out, "{line}");
            line.clone_from(&head);
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(out, "{line}");
    out
}

/// Whether a value is rather a pattern of bits than a number.
pub(crate) fn is_large(value: u128) -> bool {
    value >= 10_000
}

/// A sized literal: decimal for numbers, all digits in hexadecimal for patterns.
pub(crate) fn literal(value: u128, width: usize, signed: bool, pattern: bool) -> String {
    if width == 1 {
        return if signed {
            format!("1'sb{value}")
        } else {
            format!("1'b{value}")
        };
    }
    let digits = width.div_ceil(4);
    if signed {
        let negative = width <= 128 && value >> (width - 1) & 1 == 1;
        let magnitude = if negative {
            (mask(width) - value).wrapping_add(1) & mask(width)
        } else {
            value
        };
        return match negative {
            true if magnitude == value => format!("{width}'sh{value:0digits$x}"),
            true => format!("-{width}'sd{magnitude}"),
            false => format!("{width}'sd{value}"),
        };
    }
    match pattern || is_large(value) {
        true => format!("{width}'h{value:0digits$x}"),
        false => format!("{width}'d{value}"),
    }
}

/// Whether all of `text` is one `$signed(..)` or `$unsigned(..)`.
pub(crate) fn is_call(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('$').and_then(|t| t.split_once('(')) else {
        return false;
    };
    let mut depth = 1;
    let closes = rest.1.char_indices().find(|(_, c)| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        depth == 0
    });
    closes.is_some_and(|(at, _)| at + 1 == rest.1.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_all_digits_and_numbers_are_decimal() {
        assert_eq!(literal(0x0370_7344, 32, false, true), "32'h03707344");
        assert_eq!(literal(7, 12, false, true), "12'h007");
        assert_eq!(literal(7, 12, false, false), "12'd7");
        assert_eq!(literal(0x80, 8, true, false), "8'sh80");
        assert_eq!(literal(0xff, 8, true, false), "-8'sd1");
    }

    #[test]
    fn no_comment_is_longer_than_a_line() {
        let text = comment(&"word ".repeat(60), 8);
        assert!(
            text.lines()
                .all(|line| line.len() <= LINE && line.starts_with("        // word"))
        );
        assert_eq!(text.matches("word").count(), 60);
    }

    #[test]
    fn a_comparison_of_casts_is_no_single_word() {
        assert!(is_call("$signed(a[7:0])") && is_call("$unsigned((a))"));
        assert!(!is_call("$signed(a) > $signed(b)") && !is_call("signed(a)"));
    }
}
