//! A model on an accelerator: its program, and its weights as words.

use crate::configuration::Chosen;
use crate::error::Error;
use brownout_golden::model::IntegerModel;
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::Program;
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
        let checked = if ours == theirs {
            model.check_code(code).map_err(|problem| {
                format!(
                    "the model was trained for code {}, and code is \"{code}\": {problem}",
                    model.code
                )
            })
        } else {
            Err(format!(
                "weight_bits is {ours}; allowed is {theirs}, the model's"
            ))
        };
        let placed = checked.and_then(|()| {
            let program = Program::new(configuration, &model.network).map_err(text)?;
            let layout = Layout::new(configuration, model.weight_shapes()).map_err(text)?;
            let image = WeightImage::encode(layout, &model.weight_tensors()).map_err(text)?;
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
                problem: match chosen.is_default() {
                    true => format!("{problem}; --config FILE chooses another accelerator"),
                    false => problem,
                },
                configuration: chosen.name,
            }),
        }
    }
}

fn text(problem: impl Display) -> String {
    problem.to_string()
}
