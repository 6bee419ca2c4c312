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

    /// As Verilog; a common factor stands before a parenthesis: `8 * (16 * i + j)`.
    pub fn text(&self, variable: &dyn Fn(LoopId) -> String) -> String {
        let numbers = self.steps.iter().map(|(_, step)| *step);
        let unit = numbers.chain([self.base]).fold(0, greatest_common_divisor);
        let unit = if unit == 0 { 1 } else { unit };
        let mut terms: Vec<String> = Vec::new();
        // Outermost loop first: the rows before the columns.
        for (id, step) in self.steps.iter().rev() {
            let (factor, name) = (step / unit, variable(*id));
            let term = match factor.abs() {
                1 => name,
                many => format!("{many} * {name}"),
            };
            push(&mut terms, factor < 0, &term);
        }
        let rest = self.base / unit;
        if rest != 0 || terms.is_empty() {
            push(&mut terms, rest < 0, &rest.abs().to_string());
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

fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    match b {
        0 => a.abs(),
        _ => greatest_common_divisor(b, a % b),
    }
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
        assert_eq!(number(0, &[(1, 8), (0, 128)]).text(&variables), "8 * (16 * i + j)");
        assert_eq!(number(-8, &[(0, 8)]).text(&variables), "8 * (i - 1)");
        assert_eq!(number(3, &[(0, -1)]).text(&variables), "-i + 3");
        assert_eq!(number(24, &[]).text(&variables), "24");
        assert_eq!(number(0, &[(0, 8)]).text(&variables), "8 * i");
    }

    #[test]
    fn a_loop_may_begin_anywhere() {
        let second = Affine::number(8).stepping(0, 1, 8);
        assert_eq!(second, Affine { base: 0, steps: vec![(0, 8)] });
    }
}
