//! What a network should answer to the images of a batch, and how far it is from that: classes by
//! cross entropy, and tensors by the mean squared error.

use super::error::TrainError;
use super::loss::{cross_entropy, squared_error};
use super::options::TrainingOptions;
use crate::data::Dataset;

/// The answers to the images of a batch.
pub(super) struct Answers {
    /// A class each.
    pub labels: Vec<u16>,
    /// `[image][output]`, where the data say that instead.
    targets: Option<Vec<f32>>,
}

impl Answers {
    /// To these images of a data set.
    pub fn to(data: &Dataset, images: &[usize]) -> Self {
        let targets = data.targets.as_ref();
        Self {
            labels: images.iter().map(|&i| data.labels[i]).collect(),
            targets: targets.map(|t| images.iter().flat_map(|&i| t.row(i)).copied().collect()),
        }
    }

    /// The summed loss of a chunk, counted by `number` among those of the batch, and the gradient
    /// of its outputs, times `share`.
    pub fn loss(
        &self,
        (number, images): (usize, usize),
        (outputs, smoothing): (&[f32], f32),
        share: f32,
        gradient: &mut [f32],
    ) -> f32 {
        match &self.targets {
            None => {
                let labels = &self.labels[number * images..][..images];
                cross_entropy(outputs, labels, smoothing, share, gradient).0
            }
            Some(targets) => {
                let targets = &targets[number * outputs.len()..][..outputs.len()];
                squared_error(outputs, (targets, images), share, gradient)
            }
        }
    }
}

/// Checks that tensors to answer with have a network's size, and that nothing of the run needs
/// classes.
pub(super) fn check(
    data: &Dataset,
    outputs: usize,
    options: &TrainingOptions,
) -> Result<(), TrainError> {
    let Some(targets) = &data.targets else {
        return Ok(());
    };
    let refused = |problem: String| {
        Err(TrainError::Targets {
            data: data.name.clone(),
            problem,
        })
    };
    if targets.ncols() != outputs {
        return refused(format!(
            "they have {} values an image and the network gives {outputs} results; allowed are as many",
            targets.ncols()
        ));
    }
    if options.adversarial.is_some() {
        return refused(
            "adversarial training attacks what classes are told apart by; allowed are labels that are classes, or other methods"
                .to_owned(),
        );
    }
    if options.label_smoothing > 0.0 {
        return refused(format!(
            "label smoothing is {}; allowed is 0, since it spreads a label over the classes",
            options.label_smoothing
        ));
    }
    Ok(())
}
