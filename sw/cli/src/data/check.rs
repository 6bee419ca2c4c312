//! Images against what a network takes.

use super::{DataSource, Part};
use crate::error::Error;
#[cfg(feature = "foreign")]
use brownout_golden::data::Images;
use brownout_golden::data::{Dataset, Split};
#[cfg(feature = "foreign")]
use brownout_golden::model::InputMap;
use brownout_spec::program::Shape;

/// Labels that are named one by one where no image has them.
const MOST_NAMED: usize = 5;

/// Checks a number of images against how many there can be.
///
/// # Errors
/// When there are none or fewer.
pub fn check_count(flag: &'static str, count: usize, there_are: usize) -> Result<(), Error> {
    if (1..=there_are).contains(&count) {
        return Ok(());
    }
    Err(Error::flag(flag, count, format!("1 to {there_are}")))
}

/// Checks that test images are such as a network takes; `whose` says where that is from.
///
/// # Errors
/// When they have another shape, or a label for which the network has no output.
pub fn check_images(
    source: &DataSource,
    data: &Dataset,
    (image, outputs): (Shape, usize),
    whose: &str,
) -> Result<(), Error> {
    if data.shape() != image {
        let value = format!("{source}, whose images are {}", data.shape());
        let allowed = format!("images of {image} in at most {outputs} classes ({whose})");
        return Err(Error::flag("--data", value, allowed));
    }
    check_labels(source, data, Part::Test, (outputs, whose))
}

/// Checks that a network has an output for each label of the files; `whose` says where the
/// number of its outputs is from.
///
/// # Errors
/// With the first label that has none, and where it is.
pub fn check_labels(
    source: &DataSource,
    data: &Dataset,
    part: Part,
    (outputs, whose): (usize, &str),
) -> Result<(), Error> {
    if let Some(targets) = &data.targets
        && targets.ncols() != outputs
    {
        let value = format!(
            "{source}, whose labels are tensors of {} values",
            targets.ncols()
        );
        let allowed = format!("tensors of {outputs} values, one for each output ({whose})");
        return Err(Error::flag("--data", value, allowed));
    }
    if data.classes <= outputs {
        return Ok(());
    }
    let found = match (data.label_beyond(outputs), source.label_file(part)) {
        (Some((number, label)), Some(file)) => {
            format!("image {number} has label {label} in {}", file.display())
        }
        (Some((number, label)), _) => {
            let which = match part {
                Part::Training => "training",
                Part::Test => "test",
            };
            format!("{which} image {number} has label {label}")
        }
        // It is one of an image that is left out here, or of no image of this form at all.
        (None, _) => format!("labels go up to {}", data.classes - 1),
    };
    let value = format!("{source}, where {found}");
    let mut allowed = format!(
        "labels 0 to {} for {outputs} outputs ({whose})",
        outputs.saturating_sub(1)
    );
    if data.classes == outputs + 1 && !data.labels.contains(&0) {
        // As EMNIST's letters do.
        allowed +=
            "; labels begin at 1 here, so a network needs one output more, or the labels one less";
    }
    Err(Error::flag("--data", value, allowed))
}

/// What to say of images of real numbers of which some are beyond what a signed byte of the map's
/// step holds.
#[cfg(feature = "foreign")]
pub fn values_beyond(data: &Dataset, map: InputMap) -> Option<String> {
    let Images::Reals(values) = &data.images else {
        return None;
    };
    let step = map.step();
    let (low, high) = (f32::from(i8::MIN), f32::from(i8::MAX));
    let is_beyond = |value: &&f32| !(low..=high).contains(&(**value / step).round_ties_even());
    let beyond = values.iter().filter(is_beyond).count();
    (beyond > 0).then(|| {
        format!(
            "{beyond} of {} values of {} are beyond the {} to {} that its map {map} holds, and are clipped to these where the network computes in integers",
            values.len(),
            data.name,
            low * step,
            high * step
        )
    })
}

/// What to say of a network with outputs that no training image is for, if it has some.
pub fn unused_outputs(split: &Split, outputs: usize) -> Option<String> {
    let mut unused = split.unused_labels();
    unused.extend(split.train.classes..outputs);
    let named: Vec<String> = unused.iter().map(usize::to_string).collect();
    let data = &split.train.name;
    match &named[..] {
        [] => None,
        [one] => Some(format!(
            "{outputs} outputs, but no training image of {data} has label {one}"
        )),
        some if some.len() <= MOST_NAMED => Some(format!(
            "{outputs} outputs, but no training image of {data} has one of the labels {}",
            some.join(", ")
        )),
        many => Some(format!(
            "{outputs} outputs, but {} of these labels ({} and others) occur in no training image of {data}",
            many.len(),
            many[..MOST_NAMED].join(", ")
        )),
    }
}
