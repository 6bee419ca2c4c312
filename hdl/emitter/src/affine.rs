//! Whole numbers that depend on the turns of the loops around them: `8 * i - 8`.

/// Number of a loop among those around it: 0 is the innermost.
pub(crate) type LoopId = usize;

/// `base + sum of factor * (variable of loop)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Affine {
    pub base: i64,
    /// Outermost loop last, as loops are found from inside out; no factor is zero.
    pub steps: Vec<(LoopId, i64)>,
}

impl Affine {
    pub fn number(base: usize) -> Self {
        Self {
            base: base as i64,
            steps: Vec::new(),
        }
    }

    /// The number in every turn of a new loop whose variable begins with `start`: `base` is its
    /// value in the first turn, `step` what it grows by.
    pub fn stepping(&self, id: LoopId, start: i64, step: i64) -> Self {
        let mut steps = self.steps.clone();
        if step != 0 {
            steps.push((id, step));
        }
        Self {
            base: self.base - step * start,
            steps,
        }
    }

    /// The number where the variables of the loops around it have the values `turns`, innermost
    /// last.
    pub fn value(&self, turns: &[(LoopId, i64)]) -> i64 {
        let terms = self.steps.iter().map(|(id, step)| {
            let turn = turns.iter().rev().find(|(other, _)| other == id);
            step * turn.map_or(0, |(_, turn)| *turn)
        });
        self.base + terms.sum::<i64>()
    }

    /// As Verilog; `unit`, the width of a lane, stands before a parenthesis if it divides all:
    /// `8 * (16 * i + j)`.
    pub fn text(&self, unit: usize, variable: &dyn Fn(LoopId) -> String) -> String {
        let numbers = self.steps.iter().map(|(_, step)| *step);
        let divides = |unit: i64| numbers.clone().chain([self.base]).all(|n| n % unit == 0);
        let unit = if divides(unit as i64) { unit as i64 } else { 1 };
        let mut terms: Vec<String> = Vec::new();
        // Outermost loop first: the rows before the columns.
        for (id, step) in self.steps.iter().rev() {
            let (factor, name) = (step / unit, variable(*id));
            // What falls comes behind what it falls from.
            let term = match factor.abs() {
                1 => name,
                many => format!("{many} * {name}"),
            };
            push(&mut terms, factor < 0, &term);
        }
        let rest = self.base / unit;
        if rest != 0 || terms.is_empty() {
            let falls = terms.first().is_some_and(|t| t.starts_with('-'));
            match falls && rest > 0 {
                true => {
                    let first = terms.remove(0).replacen('-', " - ", 1);
                    terms.insert(0, first);
                    terms.insert(0, rest.to_string());
                }
                false => push(&mut terms, rest < 0, &rest.abs().to_string()),
            }
        }
        let sum = terms.concat();
        match (unit, terms.len()) {
            (1, _) => sum,
            (unit, 1) if self.steps.is_empty() => (unit * rest).to_string(),
            (unit, 1) => format!("{unit} * {sum}"),
            (unit, _) => format!("{unit} * ({sum})"),
        }
    }
}

fn push(terms: &mut Vec<String>, negative: bool, term: &str) {
    terms.push(match (terms.is_empty(), negative) {
        (true, false) => term.to_string(),
        (true, true) => format!("-{term}"),
        (false, false) => format!(" + {term}"),
        (false, true) => format!(" - {term}"),
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_common_factor_stands_before_a_parenthesis() {
        let variables = |id: LoopId| ["i", "j"][id].to_string();
        let number = |base, steps: &[(LoopId, i64)]| Affine {
            base,
            steps: steps.to_vec(),
        };
        assert_eq!(
            number(0, &[(1, 8), (0, 128)]).text(8, &variables),
            "8 * (16 * i + j)"
        );
        assert_eq!(number(-8, &[(0, 8)]).text(8, &variables), "8 * (i - 1)");
        assert_eq!(number(8, &[(0, 9)]).text(9, &variables), "9 * i + 8");
        assert_eq!(number(3, &[(0, -1)]).text(1, &variables), "3 - i");
        assert_eq!(number(24, &[]).text(8, &variables), "24");
        assert_eq!(number(0, &[(0, 512)]).text(8, &variables), "8 * 64 * i");
    }

    #[test]
    fn a_loop_may_begin_anywhere() {
        let second = Affine::number(8).stepping(0, 1, 8);
        assert_eq!(
            second,
            Affine {
                base: 0,
                steps: vec![(0, 8)]
            }
        );
    }
}
