//! A model on an accelerator: its program, and its weights as words.

use crate::configuration::Chosen;
use crate::error::Error;
use brownout_golden::model::IntegerModel;
use brownout_spec::config::most_depth;
use brownout_spec::image::{Layout, LayoutError, WeightImage};
use brownout_spec::program::{Program, ProgramError};
use std::fmt::Display;

/// A model placed on an accelerator.
#[derive(Clone, Debug)]
pub struct Placement {
    /// The accelerator.
    pub chosen: Chosen,
    /// What its sequencer runs.
    pub program: Program,
    /// What its weight memory holds.
    pub image: WeightImage,
}

impl Placement {
    /// Places a model, which messages call `model_name`.
    ///
    /// # Errors
    /// When widths differ, weights do not satisfy the code's constraint, or a memory is too small.
    pub fn new(chosen: Chosen, model_name: &str, model: &IntegerModel) -> Result<Self, Error> {
        let configuration = &chosen.configuration;
        let code = configuration.code;
        let (ours, theirs) = (configuration.weight_bits, model.weight_bits);
        let is_default = chosen.is_default();
        let checked = if ours != theirs {
            let problem = format!("weight_bits is {ours}; allowed is {theirs}, the model's");
            let cure = Cure::Field("weight_bits".to_owned(), theirs.to_string());
            Err(hinted(&problem, Some(cure), is_default))
        } else {
            model.check_code(code).map_err(|problem| {
                let own = model.code;
                let problem = format!(
                    "the model was trained for code {own}, and code is \"{code}\": {problem}"
                );
                let cure = Cure::Field("code".to_owned(), format!("\"{own}\""));
                hinted(&problem, Some(cure), is_default)
            })
        };
        let placed = checked.and_then(|()| {
            let program = Program::new(configuration, &model.network).map_err(|problem| {
                let depth = match &problem {
                    ProgramError::Depth { field, need, .. } => cure(field, *need as u128),
                    _ => None,
                };
                hinted(&problem, depth, is_default)
            })?;
            let layout = Layout::new(configuration, model.weight_shapes()).map_err(|problem| {
                let depth = match &problem {
                    LayoutError::Depth { need, .. } => cure("depths.weights", *need),
                    _ => None,
                };
                hinted(&problem, depth, is_default)
            })?;
            let image = WeightImage::encode(layout, &model.weight_tensors())
                .map_err(|problem| problem.to_string())?;
            Ok((program, image))
        });
        match placed {
            Ok((program, image)) => Ok(Self {
                chosen,
                program,
                image,
            }),
            Err(problem) => Err(Error::Fit {
                model: model_name.to_owned(),
                problem,
                configuration: chosen.name,
            }),
        }
    }
}

/// What another configuration would have to say, if one can be large enough.
enum Cure {
    /// A field and what it would have to be.
    Field(String, String),
    /// No value of the field is large enough.
    None(String, usize),
}

/// What cures a memory that is too small.
fn cure(field: &str, need: u128) -> Option<Cure> {
    let most = most_depth(field)?;
    Some(match need <= most as u128 {
        true => Cure::Field(field.to_owned(), format!("{need} or more")),
        false => Cure::None(field.to_owned(), most),
    })
}

/// A problem, and what another configuration would do about it, if it would. Of the built-in
/// configuration nobody sees the file, so the flag is named as well.
fn hinted(problem: &dyn Display, cure: Option<Cure>, is_default: bool) -> String {
    match cure {
        Some(Cure::Field(field, value)) if is_default => {
            format!("{problem}; --config FILE with {field} = {value} chooses another accelerator")
        }
        Some(Cure::None(field, most)) => {
            format!("{problem}; no configuration allows {field} above {most}")
        }
        Some(Cure::Field(..)) | None => problem.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_memory_that_can_be_larger_is_cured_by_a_configuration() {
        let hint = |field, need, default| hinted(&"it is small", cure(field, need), default);
        assert_eq!(
            hint("depths.layers", 20, true),
            "it is small; --config FILE with depths.layers = 20 or more chooses another accelerator"
        );
        assert_eq!(hint("depths.layers", 20, false), "it is small");
        for default in [true, false] {
            assert_eq!(
                hint("depths.layers", 256, default),
                "it is small; no configuration allows depths.layers above 255"
            );
            assert_eq!(hint("results", 300, default), "it is small");
        }
    }
}
