//! Which arrays are images, and which are labels.

use crate::{Hold, Parts};
use brownout_spec::text::printable;

/// Names of training images and labels, and of test images and labels: those of Keras' files, and
/// those of MedMNIST's, whose validation images are not used.
const OF_PARTS: [[&str; 4]; 2] = [
    ["x_train", "y_train", "x_test", "y_test"],
    ["train_images", "train_labels", "test_images", "test_labels"],
];
/// Names of images, and of labels, in files of one set.
const IMAGES: [&str; 4] = ["images", "x", "inputs", "vectors"];
const LABELS: [&str; 4] = ["labels", "y", "outputs", "targets"];
/// Names that are shown of those that were found.
const MOST_SHOWN: usize = 12;

/// Names of an array of images and one of their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The images.
    pub images: String,
    /// Their labels.
    pub labels: String,
}

/// Which arrays are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// Arrays that say themselves what they are for.
    Parts {
        /// Of these as many as are asked for.
        training: Option<Pair>,
        /// Likewise.
        test: Option<Pair>,
    },
    /// One set, and what of it is held out.
    Whole {
        /// Its arrays.
        pair: Pair,
        /// The rule.
        hold: Hold,
    },
}

/// Chooses among the names of arrays.
///
/// # Errors
/// What was found and what is allowed.
pub fn choose(names: &[String], parts: Parts, hold: Option<Hold>) -> Result<Chosen, String> {
    let pair = |images: &str, labels: &str| Pair {
        images: images.to_owned(),
        labels: labels.to_owned(),
    };
    let has = |name: &str| names.iter().any(|n| n == name);
    let forms: Vec<_> = OF_PARTS
        .iter()
        .filter(|form| form.iter().any(|n| has(n)))
        .collect();
    let only = |known: [&'static str; 4]| {
        let there: Vec<&str> = known.into_iter().filter(|name| has(name)).collect();
        (there.len() == 1).then(|| there[0])
    };
    match (&forms[..], only(IMAGES), only(LABELS)) {
        ([[train_images, train_labels, test_images, test_labels]], ..) => {
            if let Some(hold) = hold {
                return Err(format!(
                    "{hold} is for one set without parts, and its arrays say which are for tests ({test_images}); allowed is to leave it out"
                ));
            }
            let needed = |asked: bool, pair: Pair| match asked {
                false => Ok(None),
                true if has(&pair.images) && has(&pair.labels) => Ok(Some(pair)),
                true => Err(format!(
                    "it lacks {} or {}; {}",
                    pair.images,
                    pair.labels,
                    found(names)
                )),
            };
            Ok(Chosen::Parts {
                training: needed(parts.training(), pair(train_images, train_labels))?,
                test: needed(parts.test(), pair(test_images, test_labels))?,
            })
        }
        ([], Some(images), Some(labels)) => {
            let hold = hold.ok_or_else(|| {
                format!(
                    "{images} and {labels} do not say which images are for tests; allowed is hold=all before the file (all are) or hold=K (the first of every K is)"
                )
            })?;
            Ok(Chosen::Whole {
                pair: pair(images, labels),
                hold,
            })
        }
        _ => Err(format!(
            "{}; allowed are {}, or of one set just one of {} and one of {}",
            found(names),
            OF_PARTS.map(|form| form.join(", ")).join("; or "),
            IMAGES.join(", "),
            LABELS.join(", "),
        )),
    }
}

/// What there is.
fn found(names: &[String]) -> String {
    let shown: Vec<String> = names
        .iter()
        .take(MOST_SHOWN)
        .map(|name| printable(&name.chars().take(40).collect::<String>()))
        .collect();
    match names.len() {
        0 => "it has no array with a name that ends in .npy".to_owned(),
        count if count > MOST_SHOWN => {
            format!("its {count} arrays are {} and others", shown.join(", "))
        }
        _ => format!("its arrays are {}", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str], parts: Parts, hold: Option<Hold>) -> Result<Chosen, String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        choose(&names, parts, hold)
    }

    #[test]
    fn the_names_of_keras_and_of_medmnist_say_what_is_for_tests() {
        for form in OF_PARTS {
            let names = [&form[..], &["val_images", "val_labels"]].concat();
            let Chosen::Parts { training, test } = of(&names, Parts::Both, None).unwrap() else {
                panic!("parts")
            };
            assert_eq!(training.unwrap().images, form[0]);
            assert_eq!(test.unwrap().labels, form[3]);
            // The other part need not be there.
            assert!(of(&form[2..], Parts::Test, None).is_ok());
            let message = of(&form[2..], Parts::Both, None).unwrap_err();
            assert!(message.contains(&format!("lacks {}", form[0])), "{message}");
            let message = of(&names, Parts::Test, Some(Hold::All)).unwrap_err();
            assert!(message.contains("hold=all is for one set"), "{message}");
        }
    }

    #[test]
    fn one_set_needs_a_word_on_what_is_held_out() {
        for (images, labels) in [("images", "labels"), ("x", "y"), ("inputs", "outputs")] {
            let names = [images, labels, "mean"];
            let chosen = of(&names, Parts::Test, Some(Hold::Every(5))).unwrap();
            let Chosen::Whole { pair, hold } = chosen else {
                panic!("one set")
            };
            assert_eq!((&pair.images[..], &pair.labels[..]), (images, labels));
            assert_eq!(hold, Hold::Every(5));
            let message = of(&names, Parts::Test, None).unwrap_err();
            assert!(message.contains("hold=all before the file"), "{message}");
        }
    }

    #[test]
    fn other_names_are_listed_and_two_candidates_are_one_too_many() {
        for names in [
            &["arr_0", "arr_1"][..],
            &["x", "images", "y"],
            &["x"],
            &["x_train", "train_images", "y_train"],
        ] {
            let message = of(names, Parts::Test, Some(Hold::All)).unwrap_err();
            let listed = format!("its arrays are {}; allowed are x_train", names.join(", "));
            assert!(message.contains(&listed), "{message}");
        }
        let message = of(&[], Parts::Test, None).unwrap_err();
        assert!(message.contains("it has no array"), "{message}");
        let many: Vec<String> = (0..100).map(|i| format!("arr_{i}")).collect();
        let message = choose(&many, Parts::Test, None).unwrap_err();
        assert!(
            message.contains("its 100 arrays are") && message.len() < 500,
            "{message}"
        );
    }
}
