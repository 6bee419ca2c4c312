//! The part of Python's literals that headers of arrays are written in.

/// A value of a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// Text in quotes.
    Text(String),
    /// `True` or `False`.
    Truth(bool),
    /// A whole number, as Python 3 or Python 2 (with an L) writes it.
    Number(u64),
    /// A tuple of whole numbers.
    Numbers(Vec<u64>),
    /// A list: the fields of a structured type, which is all that is asked of it.
    List,
}

/// Most numbers in a tuple: NumPy has at most 64 dimensions.
const MOST_NUMBERS: usize = 64;

/// The keys and values of a dictionary, in the order of the text; `None` if it is none.
pub fn dictionary(text: &str) -> Option<Vec<(String, Literal)>> {
    let mut rest = Scanner(text.trim());
    rest.mark('{')?;
    let mut pairs = Vec::new();
    while rest.mark('}').is_none() {
        let Literal::Text(key) = rest.value()? else {
            return None;
        };
        rest.mark(':')?;
        pairs.push((key, rest.value()?));
        if rest.mark(',').is_none() {
            rest.mark('}')?;
            break;
        }
    }
    rest.0.trim().is_empty().then_some(pairs)
}

/// What is left of a text.
struct Scanner<'t>(&'t str);

impl<'t> Scanner<'t> {
    fn mark(&mut self, mark: char) -> Option<()> {
        self.0 = self.0.trim_start().strip_prefix(mark)?;
        Some(())
    }

    fn value(&mut self) -> Option<Literal> {
        self.0 = self.0.trim_start();
        match self.0.chars().next()? {
            quote @ ('\'' | '"') => {
                let (text, rest) = self.0[1..].split_once(quote)?;
                self.0 = rest;
                Some(Literal::Text(text.to_owned()))
            }
            '(' => self.tuple(),
            '[' => {
                // Nothing behind a list is of use, since such arrays are refused.
                self.0 = "}";
                Some(Literal::List)
            }
            digit if digit.is_ascii_digit() => self.number().map(Literal::Number),
            _ => {
                let (word, truth) = match self.0.starts_with("True") {
                    true => ("True", true),
                    false => ("False", false),
                };
                self.0 = self.0.strip_prefix(word)?;
                Some(Literal::Truth(truth))
            }
        }
    }

    fn tuple(&mut self) -> Option<Literal> {
        self.mark('(')?;
        let mut numbers = Vec::new();
        while self.mark(')').is_none() {
            self.0 = self.0.trim_start();
            numbers.push(self.number()?);
            if numbers.len() > MOST_NUMBERS {
                return None;
            }
            if self.mark(',').is_none() {
                self.mark(')')?;
                break;
            }
        }
        Some(Literal::Numbers(numbers))
    }

    fn number(&mut self) -> Option<u64> {
        let end = self.0.find(|c: char| !c.is_ascii_digit());
        let (digits, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest.strip_prefix('L').unwrap_or(rest);
        digits.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy_are_read_and_what_is_no_dictionary_is_not() {
        let text = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n";
        let pairs = dictionary(text).unwrap();
        assert_eq!(pairs[0], ("descr".into(), Literal::Text("<f4".into())));
        assert_eq!(pairs[1], ("fortran_order".into(), Literal::Truth(false)));
        assert_eq!(pairs[2], ("shape".into(), Literal::Numbers(vec![3, 4])));
        for (text, shape) in [("(5L,)", vec![5]), ("()", vec![]), ("( 1 ,2 )", vec![1, 2])] {
            let pairs = dictionary(&format!("{{\"shape\":{text}}}")).unwrap();
            assert_eq!(pairs[0].1, Literal::Numbers(shape));
        }
        assert_eq!(dictionary("{}"), Some(vec![]));
        assert_eq!(
            dictionary("{'descr': [('a', '<f4')], 'shape': (3,)}").unwrap()[0].1,
            Literal::List
        );
        for text in [
            "",
            "{",
            "{'a'}",
            "{'a': }",
            "{'a': 1",
            "{'a': (1, }",
            "{'a': 1} x",
            "{'a: 1}",
            "{1: 1}",
            "{'a': 99999999999999999999}",
            "{'a': -1}",
            "{'é",
        ] {
            assert_eq!(dictionary(text), None, "{text}");
        }
    }
}
