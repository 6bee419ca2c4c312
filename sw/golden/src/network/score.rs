//! How well a network answers.

use crate::data::Dataset;
use crate::train::{arg_max, rank};
use ndarray::ArrayView1;

/// Among how many largest outputs a label is looked for besides the first.
const FIRST: usize = 5;

/// How well a network classifies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Images classified right: the largest logit, of equal ones the first, is the label's.
    pub correct: usize,
    /// Images whose label is among the five largest logits.
    pub among_five: usize,
    /// All images.
    pub images: usize,
    /// Mean of −ln softmax(logits)\[label\], or of the squared error where images have tensors to
    /// answer with.
    pub loss: f64,
    /// Which of the two it is.
    pub measure: Measure,
}

/// How far an answer is from the right one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Measure {
    /// By the cross entropy of the classes.
    #[default]
    CrossEntropy,
    /// By the squared error, a mean over the outputs.
    SquaredError,
}

impl Measure {
    /// Its mean's name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::CrossEntropy => "mean loss",
            Self::SquaredError => "mean squared error",
        }
    }
}

impl Score {
    /// Share classified right.
    pub fn accuracy(&self) -> f64 {
        self.correct as f64 / self.images.max(1) as f64
    }

    /// Takes in the outputs for an image; the loss is a sum so far.
    pub(super) fn count(&mut self, outputs: &[f32], data: &Dataset, image: usize) {
        let label = usize::from(data.labels[image]);
        self.correct += usize::from(arg_max(outputs) == label);
        let is_among = label < outputs.len() && rank(outputs, label) < FIRST;
        self.among_five += usize::from(is_among);
        self.loss += match &data.targets {
            Some(targets) => squared_error(outputs, targets.row(image)),
            None => cross_entropy(outputs, label),
        };
    }

    /// The score of all images of which these are counts.
    pub(super) fn of_parts(parts: &[Self], data: &Dataset) -> Self {
        Self {
            correct: parts.iter().map(|p| p.correct).sum(),
            among_five: parts.iter().map(|p| p.among_five).sum(),
            images: data.len(),
            loss: parts.iter().map(|p| p.loss).sum::<f64>() / data.len().max(1) as f64,
            measure: match data.targets {
                Some(_) => Measure::SquaredError,
                None => Measure::CrossEntropy,
            },
        }
    }
}

/// −ln softmax(logits)\[label\].
fn cross_entropy(logits: &[f32], label: usize) -> f64 {
    let top = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&l| f64::from(l - top).exp()).sum();
    sum.ln() - f64::from(logits[label] - top)
}

/// The mean over the outputs of what they are off, squared.
fn squared_error(outputs: &[f32], targets: ArrayView1<'_, f32>) -> f64 {
    let pairs = outputs.iter().zip(targets);
    let squares = pairs.map(|(output, target)| f64::from(output - target).powi(2));
    squares.sum::<f64>() / outputs.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array4;

    #[test]
    fn a_label_is_among_five_if_at_most_four_outputs_come_before_it() {
        let outputs = [6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 2.0];
        let data = Dataset::new(
            "images",
            Array4::<u8>::zeros((7, 1, 1, 1)),
            (0..7).collect(),
            7,
        );
        let mut score = Score::default();
        (0..7).for_each(|image| score.count(&outputs, &data, image));
        // Of the equal ones the first; the last and the least come behind five.
        assert_eq!((score.correct, score.among_five), (1, 5));
    }
}
