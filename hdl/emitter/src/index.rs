//! Integers known while printing: index texts such as `pe[i * c + j]`.

use std::iter::Peekable;
use std::str::CharIndices;

/// Replaces every `[expression]` of a dotted name by `$value`.
///
/// `lookup` gives the value of loop variables and constants.
/// The error is a sentence without subject ("index `..` ...").
pub(crate) fn flatten(text: &str, lookup: &dyn Fn(&str) -> Option<i128>) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(open) = rest.find('[') {
        let close = closing(&rest[open..])
            .ok_or_else(|| format!("`{text}` has an unbalanced bracket"))?
            + open;
        out.push_str(&rest[..open]);
        let index = &rest[open + 1..close];
        let value = evaluate(index, lookup)?;
        if value < 0 {
            return Err(format!("index `{index}` is {value}, below zero"));
        }
        out.push('$');
        out.push_str(&value.to_string());
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth += 1,
            ']' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The value of an integer expression of `+ - * / %`, parentheses, numbers and names.
pub(crate) fn evaluate(text: &str, lookup: &dyn Fn(&str) -> Option<i128>) -> Result<i128, String> {
    let mut parser = Parser {
        text,
        chars: text.char_indices().peekable(),
        lookup,
    };
    let value = parser.sum()?;
    match parser.chars.peek() {
        None => Ok(value),
        Some((_, c)) => Err(format!("index `{text}` cannot be read at `{c}`")),
    }
}

struct Parser<'a> {
    text: &'a str,
    chars: Peekable<CharIndices<'a>>,
    lookup: &'a dyn Fn(&str) -> Option<i128>,
}

impl Parser<'_> {
    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let (_, c) = *self.chars.peek()?;
        wanted.contains(&c).then(|| {
            self.chars.next();
            c
        })
    }

    fn sum(&mut self) -> Result<i128, String> {
        let mut value = self.product()?;
        while let Some(op) = self.take(&['+', '-']) {
            let right = self.product()?;
            value = if op == '+' {
                value + right
            } else {
                value - right
            };
        }
        Ok(value)
    }

    fn product(&mut self) -> Result<i128, String> {
        let mut value = self.factor()?;
        while let Some(op) = self.take(&['*', '/', '%']) {
            let right = self.factor()?;
            if op != '*' && right == 0 {
                return Err(format!("index `{}` divides by zero", self.text));
            }
            value = match op {
                '*' => value
                    .checked_mul(right)
                    .ok_or_else(|| format!("index `{}` is too large", self.text))?,
                '/' => value / right,
                _ => value % right,
            };
        }
        Ok(value)
    }

    fn factor(&mut self) -> Result<i128, String> {
        if self.take(&['(']).is_some() {
            let value = self.sum()?;
            return match self.take(&[')']) {
                Some(_) => Ok(value),
                None => Err(format!("index `{}` lacks a parenthesis", self.text)),
            };
        }
        let word = self.word();
        if word.starts_with(|c: char| c.is_ascii_digit()) {
            return integer(&word)
                .ok_or_else(|| format!("`{word}` in index `{}` is not a number", self.text));
        }
        (self.lookup)(&word).ok_or_else(|| {
            format!(
                "`{word}` in index `{}` is neither a loop variable, a number nor a Constant; \
                 run-time fields and const generics become known through a one-turn loop \
                 (`for c in self._cols..(self._cols + 1)`)",
                self.text
            )
        })
    }

    /// Letters, digits, `_`, `$` and the empty parentheses of `val()` and `index()`.
    fn word(&mut self) -> String {
        let mut word = String::new();
        while let Some(&(at, c)) = self.chars.peek() {
            let call = c == '(' && !word.is_empty() && self.text[at..].starts_with("()");
            if !(c.is_ascii_alphanumeric() || c == '_' || c == '$' || call) {
                break;
            }
            self.chars.next();
            if call {
                self.chars.next();
                continue;
            }
            word.push(c);
        }
        word.trim_end_matches("$index")
            .trim_end_matches("$val")
            .to_string()
    }
}

/// A Rust integer literal, suffix allowed.
pub(crate) fn integer(text: &str) -> Option<i128> {
    let plain: String = text.chars().filter(|c| *c != '_').collect();
    let (digits, radix) = match plain.get(..2) {
        Some("0x") => (&plain[2..], 16),
        Some("0b") => (&plain[2..], 2),
        Some("0o") => (&plain[2..], 8),
        _ => (plain.as_str(), 10),
    };
    let suffixes = [
        "usize", "isize", "u128", "i128", "u64", "i64", "u32", "i32", "u16", "i16", "u8", "i8",
    ];
    let digits = suffixes
        .iter()
        .find_map(|s| digits.strip_suffix(s))
        .unwrap_or(digits);
    i128::from_str_radix(digits, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lookup(name: &str) -> Option<i128> {
        match name {
            "i" => Some(3),
            "c" | "cols" => Some(4),
            _ => None,
        }
    }

    #[test]
    fn an_index_is_evaluated_with_precedence() {
        assert_eq!(evaluate("i*c+(i-1)/2", &lookup), Ok(13));
        assert_eq!(evaluate("i%2+0x10_usize", &lookup), Ok(17));
    }

    #[test]
    fn a_constant_field_counts_as_a_number() {
        let name = flatten("pe[i*cols$val()$index()+1]$a_in[i]$next", &lookup);
        assert_eq!(name.as_deref(), Ok("pe$13$a_in$3$next"));
    }

    #[test]
    fn an_unknown_name_is_an_error_that_names_it() {
        let error = evaluate("i*_cols", &lookup).unwrap_err();
        assert!(error.contains("`_cols`"), "{error}");
    }

    #[test]
    fn an_index_below_zero_is_an_error() {
        assert!(flatten("x[i-4]", &lookup).is_err());
    }
}
