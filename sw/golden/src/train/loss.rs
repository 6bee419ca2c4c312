//! Cross entropy of softmax outputs, and the mean squared error of any.

/// Writes the gradient of the summed loss, times `share`, and returns the sum of
/// losses and the number of images whose largest logit is the label's.
///
/// `logits` and `gradient` are `[image][class]`. With `smoothing` ε the label is the
/// distribution (1 − ε)·onehot + ε/K over the K classes.
pub fn cross_entropy(
    logits: &[f32],
    labels: &[u16],
    smoothing: f32,
    share: f32,
    gradient: &mut [f32],
) -> (f32, usize) {
    let classes = logits.len() / labels.len();
    let floor = smoothing / classes as f32;
    let (mut loss, mut correct) = (0.0, 0);
    let rows = logits
        .chunks_exact(classes)
        .zip(gradient.chunks_exact_mut(classes));
    for ((logits, gradient), &label) in rows.zip(labels) {
        let label = usize::from(label);
        let top = logits.iter().copied().fold(f32::MIN, f32::max);
        let sum: f32 = logits.iter().map(|l| (l - top).exp()).sum();
        for (g, l) in gradient.iter_mut().zip(logits) {
            *g = ((l - top).exp() / sum - floor) * share;
        }
        gradient[label] -= (1.0 - smoothing) * share;
        let mut expected = (1.0 - smoothing) * logits[label];
        if smoothing > 0.0 {
            expected += floor * logits.iter().sum::<f32>();
        }
        loss += sum.ln() + top - expected;
        correct += usize::from(arg_max(logits) == label);
    }
    (loss, correct)
}

/// The sum over so many images of the mean squared error of their outputs; writes its gradient
/// times `share`.
///
/// `outputs`, `targets` and `gradient` are `[image][output]`.
pub(super) fn squared_error(
    outputs: &[f32],
    (targets, images): (&[f32], usize),
    share: f32,
    gradient: &mut [f32],
) -> f32 {
    let part = images as f32 / outputs.len().max(1) as f32;
    let pairs = outputs.iter().zip(targets).zip(gradient);
    pairs.fold(0.0, |loss, ((output, target), gradient)| {
        let error = output - target;
        *gradient = 2.0 * part * share * error;
        loss + part * error * error
    })
}

/// Index of the largest value; of equal ones, the first.
pub(crate) fn arg_max<T: PartialOrd + Copy>(values: &[T]) -> usize {
    (1..values.len()).fold(0, |best, i| if values[i] > values[best] { i } else { best })
}

/// Number of values that come before one of them: larger ones, and of equal ones those before.
pub(crate) fn rank<T: PartialOrd + Copy>(values: &[T], place: usize) -> usize {
    let own = values[place];
    let before = |&(at, &value): &(usize, &T)| value > own || (value == own && at < place);
    values.iter().enumerate().filter(before).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rank_is_that_of_the_largest_value_and_of_equal_ones_the_first() {
        for values in [&[3, 1, 3, 2][..], &[0, 0], &[5]] {
            assert_eq!(rank(values, arg_max(values)), 0);
        }
        let ranks: Vec<usize> = (0..4).map(|place| rank(&[3, 1, 3, 2], place)).collect();
        assert_eq!(ranks, [0, 3, 1, 2]);
    }

    #[test]
    fn the_squared_error_is_a_mean_over_outputs_and_its_gradient_equals_central_differences() {
        let outputs = [0.5, -1.0, 2.0, 0.0, 1.0, 1.5];
        let targets = [0.0, -1.0, 1.0, 2.0, 1.0, 1.0];
        let mut gradient = [9.0; 6];
        let loss = squared_error(&outputs, (&targets, 2), 0.5, &mut gradient);
        let expected = (0.25 + 1.0) / 3.0 + (4.0 + 0.25) / 3.0;
        assert!((loss - expected).abs() < 1e-6, "{loss} is not {expected}");
        for i in 0..6 {
            let at = |delta: f32| {
                let mut moved = outputs;
                moved[i] += delta;
                squared_error(&moved, (&targets, 2), 0.5, &mut [0.0; 6]) * 0.5
            };
            let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
            assert!((gradient[i] - numeric).abs() < 1e-3, "output {i}");
        }
    }

    #[test]
    fn the_gradient_of_cross_entropy_equals_central_differences() {
        let logits = [0.3, -1.2, 2.0, 0.1, 0.4, -0.5];
        let labels = [2, 0];
        for smoothing in [0.0, 0.1] {
            let mut gradient = [0.0; 6];
            let (_, correct) = cross_entropy(&logits, &labels, smoothing, 0.5, &mut gradient);
            assert_eq!(correct, 1);
            for i in 0..6 {
                let at = |delta: f32| {
                    let mut moved = logits;
                    moved[i] += delta;
                    cross_entropy(&moved, &labels, smoothing, 0.5, &mut [0.0; 6]).0 * 0.5
                };
                let numeric = (at(1e-2) - at(-1e-2)) / 2e-2;
                assert!((gradient[i] - numeric).abs() < 1e-3, "logit {i}");
            }
        }
    }

    #[test]
    fn a_smoothed_label_is_lost_least_at_its_own_distribution() {
        // ε = 0.3 over 3 classes: 0.8, 0.1, 0.1.
        let logits = [0.8f32.ln(), 0.1f32.ln(), 0.1f32.ln()];
        let mut gradient = [1.0; 3];
        cross_entropy(&logits, &[0], 0.3, 1.0, &mut gradient);
        assert!(gradient.iter().all(|g| g.abs() < 1e-6), "{gradient:?}");
    }

    #[test]
    fn huge_logits_give_a_finite_loss() {
        let (loss, _) = cross_entropy(&[1e4, -1e4], &[1], 0.0, 1.0, &mut [0.0; 2]);
        assert_eq!(loss, 2e4);
    }
}
