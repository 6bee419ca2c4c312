//! What a training run is made of: defaults, then a TOML recipe, then flags.

use crate::arguments::{Global, TrainArguments};
use crate::data::DataSource;
use crate::error::Error;
use crate::files;
use crate::recipe;
use brownout_golden::float::FloatModel;
use brownout_golden::network::Builtin;
use brownout_golden::quantize::{ActivationCodes, BitWidth};
use brownout_golden::quantized::{Quantization, QuantizedNetwork};
use brownout_golden::train::{Perturbation, Scheme, Start, TrainingOptions};
use brownout_spec::code::CodeName;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Everything that decides a training run, and where its results go.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Name of the network to train from random parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Checkpoint to start from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<PathBuf>,
    /// Whether its own grids are gone on from.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub own_grids: bool,
    /// Images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Training images to use.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub train_images: Option<usize>,
    /// Outputs of a network from random parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
    /// Integer model to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// Checkpoint to write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<PathBuf>,
    /// The run's state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<PathBuf>,
    /// Everything else.
    pub training: TrainingOptions,
}

/// A recipe whose names are understood.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The network that is trained from random parameters, unless there is a checkpoint.
    pub network: Builtin,
    /// The checkpoint whose network is trained.
    pub from: Option<PathBuf>,
    /// Whether its own grids are gone on from.
    pub own_grids: bool,
    /// What somebody has said of how weights are rounded.
    pub said: Said,
    /// On which images.
    pub data: DataSource,
    /// On how many.
    pub train_images: Option<usize>,
    /// Outputs of a network from random parameters; none is as many as the data have classes.
    pub classes: Option<usize>,
    /// Integer model to write.
    pub out: Option<PathBuf>,
    /// Checkpoint to write.
    pub checkpoint: Option<PathBuf>,
    /// The run's state.
    pub state: Option<PathBuf>,
    /// How.
    pub options: TrainingOptions,
    /// Whether an integer model is written whatever it loses.
    pub accept: bool,
}

/// What somebody has said of how weights are rounded, by flag or recipe; the rest is that of a
/// network's own grids.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    weight_bits: bool,
    granularity: bool,
    code: bool,
}

impl Said {
    fn new(arguments: &TrainArguments) -> Result<Self, Error> {
        let weights = &arguments.weights;
        let recipe: toml::Table = match &arguments.config {
            Some(path) => recipe::read(path)?,
            None => toml::Table::new(),
        };
        let training = recipe.get("training").and_then(toml::Value::as_table);
        let has = |key: &str| training.is_some_and(|training| training.contains_key(key));
        Ok(Self {
            weight_bits: weights.weight_bits.is_some() || has("weight_bits"),
            granularity: weights.scale.is_some() || has("granularity"),
            code: weights.code.is_some() || has("code"),
        })
    }

    /// Gives what nobody has said the values of a network's own grids.
    fn fill(self, options: &mut TrainingOptions, own: &Quantization) {
        if !self.weight_bits {
            options.weight_bits = own.width;
        }
        if !self.granularity {
            options.granularity = own.granularity();
        }
        if !self.code {
            options.code = own.code;
        }
    }
}

impl Plan {
    /// What a run from a checkpoint begins with; of its own grids, if it goes on from them, the plan
    /// takes what they say.
    ///
    /// # Errors
    /// When the checkpoint cannot be read or has no grids, or its grids are not for the code.
    pub fn begin(&mut self, path: &Path) -> Result<Start, Error> {
        if !self.own_grids {
            return Ok(FloatModel::read(path)?.into());
        }
        let network = QuantizedNetwork::read(path)?;
        self.said.fill(&mut self.options, &network.quantization);
        self.options
            .validate()
            .map_err(|e| Error::Train(e.into()))?;
        Ok(network.into())
    }
}

/// Refuses outputs that are an input or another output.
fn check_outputs(inputs: &[&Path], outputs: &[&Path]) -> Result<(), Error> {
    for (index, path) in outputs.iter().enumerate() {
        if outputs[..index]
            .iter()
            .any(|other| files::are_same(path, other))
        {
            return Err(Error::Recipe(format!(
                "{} is to be written twice; allowed are different files for model, checkpoint and state",
                path.display()
            )));
        }
        if inputs.iter().any(|input| files::are_same(path, input)) {
            return Err(Error::Recipe(format!(
                "{} is read and would be written over; allowed is another file for the results",
                path.display()
            )));
        }
    }
    Ok(())
}

impl Recipe {
    /// The recipe that flags, a recipe file and defaults make.
    ///
    /// # Errors
    /// When the file cannot be read, has an unknown key or a value that is not allowed.
    pub fn new(arguments: &TrainArguments, global: &Global) -> Result<Self, Error> {
        let mut recipe: Self = match &arguments.config {
            Some(path) => recipe::read(path)?,
            None => Self::default(),
        };
        if let Some(network) = &arguments.network {
            recipe.network = Some(network.to_string());
            recipe.from = None;
            recipe.own_grids = false;
        }
        if let Some(from) = &arguments.from {
            recipe.from = Some(from.clone());
            recipe.network = None;
            recipe.classes = None;
        }
        recipe.own_grids |= arguments.own_grids;
        if let Some(data) = &arguments.data {
            recipe.data = Some(data.to_string());
        }
        let choose = |flag: &Option<PathBuf>, key: &mut Option<PathBuf>| {
            if flag.is_some() {
                key.clone_from(flag);
            }
        };
        choose(&arguments.out, &mut recipe.out);
        choose(&arguments.checkpoint, &mut recipe.checkpoint);
        choose(&arguments.state, &mut recipe.state);
        recipe.train_images = arguments.train_images.or(recipe.train_images);
        recipe.classes = arguments.classes.or(recipe.classes);
        apply(arguments, global, &mut recipe.training)?;
        Ok(recipe)
    }

    /// With what the checkpoint's own grids say, where it goes on from them: the settings that are
    /// in force.
    ///
    /// # Errors
    /// When the checkpoint cannot be read or has no grids.
    pub fn in_force(mut self, arguments: &TrainArguments) -> Result<Self, Error> {
        if let (true, Some(from)) = (self.own_grids, &self.from) {
            let network = QuantizedNetwork::read(from)?;
            Said::new(arguments)?.fill(&mut self.training, &network.quantization);
        }
        Ok(self)
    }

    /// Understands the names.
    ///
    /// # Errors
    /// When a name or a setting is not allowed, or nothing is to be written.
    pub fn plan(self, arguments: &TrainArguments) -> Result<Plan, Error> {
        if self.network.is_some() && self.from.is_some() {
            return Err(Error::Recipe(
                "both network and from are given; allowed is one of them".to_owned(),
            ));
        }
        if self.classes.is_some() && self.from.is_some() {
            return Err(Error::Recipe(
                "both classes and from are given; allowed is one of them, since a checkpoint has its own outputs".to_owned(),
            ));
        }
        if self.own_grids && self.from.is_none() {
            return Err(Error::Recipe(
                "own_grids is given without from; allowed is it with the checkpoint that has the grids".to_owned(),
            ));
        }
        let network = self.network.as_deref().unwrap_or("cnn").parse()?;
        let data = self.data.as_deref().unwrap_or("glyphs");
        let data: DataSource = data.parse().map_err(Error::Recipe)?;
        if !self.own_grids {
            // Else once it is known what these say.
            self.training
                .validate()
                .map_err(|e| Error::Train(e.into()))?;
        }
        if self.out.is_none() && self.checkpoint.is_none() {
            return Err(Error::Recipe(
                "nothing is to be written; allowed is --out FILE, an integer model, or --checkpoint FILE".to_owned(),
            ));
        }
        for path in [&self.out, &self.checkpoint, &self.state]
            .into_iter()
            .flatten()
        {
            files::check_writable(path)?;
        }
        fn given<'a>(paths: &[&'a Option<PathBuf>]) -> Vec<&'a Path> {
            paths.iter().filter_map(|path| path.as_deref()).collect()
        }
        let mut inputs = given(&[&self.from, &arguments.config]);
        inputs.extend(data.path().map(|path| path.as_path()));
        let outputs = given(&[&self.out, &self.checkpoint, &self.state]);
        check_outputs(&inputs, &outputs)?;
        Ok(Plan {
            network,
            from: self.from,
            own_grids: self.own_grids,
            said: Said::new(arguments)?,
            data,
            train_images: self.train_images,
            classes: self.classes,
            out: self.out,
            checkpoint: self.checkpoint,
            state: self.state,
            options: self.training,
            accept: arguments.accept,
        })
    }
}

/// Lets flags count more than the recipe.
fn apply(
    arguments: &TrainArguments,
    global: &Global,
    options: &mut TrainingOptions,
) -> Result<(), Error> {
    fn choose<T: Copy>(flag: Option<T>, key: &mut T) {
        if let Some(value) = flag {
            *key = value;
        }
    }
    let (schedule, weights) = (&arguments.schedule, &arguments.weights);
    let robustness = &arguments.robustness;
    options.quiet = global.quiet;
    choose(global.seed, &mut options.seed);
    choose(schedule.epochs, &mut options.epochs);
    choose(schedule.batch, &mut options.batch);
    choose(schedule.learning_rate, &mut options.learning_rate);
    choose(schedule.augment, &mut options.augmentation);
    choose(schedule.precision.map(Into::into), &mut options.precision);
    choose(weights.weight_bits, &mut options.weight_bits);
    choose(weights.quantizer, &mut options.quantizer);
    choose(weights.code, &mut options.code);
    choose(weights.scale.map(Into::into), &mut options.granularity);
    // The default code constrains weights around zero, which such a quantizer cannot.
    let unasked = weights.code.is_none() && arguments.config.is_none();
    if unasked && !options.quantizer.is_symmetric() {
        options.code = CodeName::None;
    }
    if let Some(bits) = weights.activation_bits {
        options.activations.bits = bits;
        // Fewer than 8 bits leave no sign to values that ReLUs made.
        options.activations.codes = match bits {
            BitWidth::EIGHT => ActivationCodes::Signed,
            _ => ActivationCodes::Unsigned,
        };
    }
    if weights.float_activations {
        options.activations.quantize = false;
    }
    if let Some(range) = robustness.clip {
        options.clip.get_or_insert_default().range = range;
    }
    let schemes = [
        (robustness.randbet, Scheme::Randbet),
        (robustness.noise, Scheme::Noise),
    ];
    for (rate, scheme) in schemes {
        if let Some(rate) = rate {
            let perturbation = options.perturbation.get_or_insert_default();
            *perturbation = Perturbation {
                rate,
                scheme,
                ..perturbation.clone()
            };
        }
    }
    if robustness.through_decoder {
        let memory = match (&mut options.perturbation, &mut options.adversarial) {
            (Some(perturbation), _) => &mut perturbation.memory,
            (None, Some(adversarial)) => adversarial.memory.get_or_insert_default(),
            (None, None) => {
                return Err(Error::Recipe(
                    "--through-decoder decodes disturbed weights, but none are disturbed; allowed is it with --randbet or --noise, or a recipe with training.perturbation or training.adversarial".to_owned(),
                ));
            }
        };
        memory.decode = true;
    }
    Ok(())
}
