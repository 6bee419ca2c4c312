//! Whether a network does better than one that always says the same.

use super::known::Known;
use crate::table::percent;
use brownout_golden::data::Dataset;
#[cfg(feature = "foreign")]
use brownout_golden::model::InputMap;
use brownout_golden::network::Score;

/// Share of the way from guessing to no error that a network which has learned anything goes,
/// at the very least: a pretrained network with another ε or pixel map goes two hundredths.
const LEAST: f64 = 0.1;
/// Standard deviations of a guesser's accuracy that chance explains.
const DEVIATIONS: f64 = 3.0;

/// The accuracy of guessing: that of the most frequent class, or of one class among all.
pub fn level(data: &Dataset, classes: usize) -> f64 {
    let largest = data.labels.iter().copied().max().unwrap_or(0);
    let mut counts = vec![0_usize; usize::from(largest) + 1];
    for &label in &data.labels {
        counts[usize::from(label)] += 1;
    }
    let most = counts.into_iter().max().unwrap_or(0);
    let share = most as f64 / data.len().max(1) as f64;
    share.max(1.0 / classes.max(1) as f64)
}

/// Whether so many right answers are what guessing gives.
pub fn is_guessing(score: Score, level: f64) -> bool {
    let chance = (level * (1.0 - level) / score.images.max(1) as f64).sqrt();
    let above = score.accuracy() - level;
    above <= DEVIATIONS * chance || above < LEAST * (1.0 - level)
}

/// The sentence for such a network, with the usual causes, of which what was assumed is first.
pub fn remark(score: Score, level: f64, known: &Known) -> String {
    let target = &known.target;
    let assumed = known.assumed();
    let mut flags = vec![(
        "--input",
        format!("another pixel map than {}", target.input),
    )];
    if known.from.epsilon.is_some() {
        flags.push((
            "--epsilon",
            format!("another epsilon in its norms than {}", target.epsilon),
        ));
    }
    sentence(score, level, flags, &assumed)
}

/// The same for a network that brings all but the map from pixels.
#[cfg(feature = "foreign")]
pub fn remark_on_map(score: Score, level: f64, (map, assumed): (InputMap, bool)) -> String {
    let flags = vec![("--input", format!("another pixel map than {map}"))];
    let assumed = assumed.then_some("--input");
    sentence(score, level, flags, assumed.as_slice())
}

fn sentence(
    score: Score,
    level: f64,
    mut flags: Vec<(&'static str, String)>,
    assumed: &[&str],
) -> String {
    if level >= 1.0 {
        return "all test images have the same label, so that their accuracy says little"
            .to_owned();
    }
    // What nobody has said is most likely wrong.
    flags.sort_by_key(|(flag, _)| !assumed.contains(flag));
    let causes: Vec<String> = flags
        .into_iter()
        .map(|(flag, cause)| match assumed.contains(&flag) {
            true => format!("{cause} ({flag}, which is assumed)"),
            false => format!("{cause} ({flag})"),
        })
        .collect();
    format!(
        "{} is little more than guessing gives ({}); the usual causes are {}, images whose rows and columns \
         or whose colours are in another order, tensors under each other's names or with shuffled \
         values (a transposed NumPy array that was saved as it lay), and images or labels of \
         another data set",
        percent(score.accuracy()),
        percent(level),
        causes.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(correct: usize, images: usize) -> Score {
        Score {
            correct,
            images,
            loss: 0.0,
            ..Score::default()
        }
    }

    #[test]
    fn a_network_at_the_level_of_guessing_is_told_from_one_that_has_learned_little() {
        for (correct, images, level, expected) in [
            (1_146, 10_000, 0.1, true),
            (1_000, 10_000, 0.1, true),
            (500, 10_000, 0.1, true),
            (3_770, 10_000, 0.1, false),
            (2_500, 10_000, 0.1, false),
            // In two classes of nine to one.
            (9_050, 10_000, 0.9, true),
            (9_200, 10_000, 0.9, false),
            // Few images say little.
            (3, 10, 0.1, true),
            (9, 10, 0.1, false),
            (30, 10_000, 0.01, true),
            (6_000, 10_000, 0.01, false),
        ] {
            let found = is_guessing(score(correct, images), level);
            assert_eq!(found, expected, "{correct} of {images} at {level}");
        }
    }
}
