//! What a state dict's network is, takes and adds, and who says so: flags, the file's own
//! metadata, its tensors, the images, or nobody.

use crate::arguments::ImportSettings;
use crate::error::Error;
use brownout_golden::data::Dataset;
use brownout_golden::model::{InputMap, Normalization};
use brownout_golden::network::{Architecture, Builtin, Epsilon};
use brownout_golden::state_dict::{Hints, Metadata, Target, hints, likely_network};
use brownout_spec::program::Shape;
use serde::Serialize;
use std::fmt::Display;
use std::path::Path;

/// Classes where neither a tensor nor anybody says how many: that of a file which then has no
/// last layer, and is refused for that.
const CLASSES: usize = 10;
/// Images where not even the tensors have a hint: CIFAR's.
const IMAGE: Shape = Shape {
    height: 32,
    width: 32,
    channels: 3,
};

/// Who says what a quantity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Source {
    /// A flag or a recipe.
    Given,
    /// The metadata of a state dict that was written here.
    Metadata,
    /// The shapes of its tensors.
    Tensors,
    /// The images of `--data`.
    Data,
    /// Nobody: it is what is usual, and may be wrong.
    Assumed,
}

impl Source {
    const ALL: [Self; 5] = [
        Self::Given,
        Self::Metadata,
        Self::Tensors,
        Self::Data,
        Self::Assumed,
    ];

    fn words(self) -> &'static str {
        match self {
            Self::Given => "given",
            Self::Metadata => "from its metadata",
            Self::Tensors => "from its tensors",
            Self::Data => "from the images",
            Self::Assumed => "ASSUMED",
        }
    }
}

/// Who says what each quantity of a network is.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sources {
    pub network: Source,
    pub image: Source,
    pub classes: Source,
    pub input_map: Source,
    /// `None` for a network without norms.
    pub epsilon: Option<Source>,
}

/// A network's quantities, and who says what they are.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    pub target: Target,
    pub from: Sources,
}

/// What a state dict says before it is read as one.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub network: (Builtin, Source),
    metadata: Option<Metadata>,
    hints: Hints,
}

impl Said {
    /// What the bytes of a state dict say, whose name is `path`.
    ///
    /// # Errors
    /// When they are no state dict, or a flag contradicts them.
    pub fn by(bytes: &[u8], path: &Path, settings: &ImportSettings) -> Result<Self, Error> {
        let metadata = Metadata::from_bytes(bytes, path)?;
        if let Some(own) = metadata {
            let same = Same { path };
            same.check("--network", settings.network, own.network)?;
            same.check("--image", settings.image, own.image)?;
            same.check("--classes", settings.classes, own.classes)?;
            // One pair of moments may stand for all channels.
            let spread = |input: InputMap| input.for_channels(own.image.channels).unwrap_or(input);
            same.check("--input", settings.input.map(spread), own.input)?;
        }
        let given = settings.network.map(|network| (network, Source::Given));
        let own = metadata.map(|own| (own.network, Source::Metadata));
        let network = given.or(own).ok_or_else(|| {
            let likely = likely_network(bytes).map_or_else(String::new, |network| {
                format!("; all its names are those of network {network}")
            });
            Error::Recipe(format!(
                "--network NAME is missing; it is needed, because {} has no metadata that say which it is{likely}",
                path.display()
            ))
        })?;
        let said = Self {
            network,
            metadata,
            hints: hints(bytes, path, network.0)?,
        };
        said.check_epsilon(settings.epsilon, path)?;
        Ok(said)
    }

    /// Refuses an ε of a network that has none, or another one.
    fn check_epsilon(&self, given: Option<Epsilon>, path: &Path) -> Result<(), Error> {
        let (network, _) = self.network;
        match (given, self.metadata) {
            (Some(given), _) if !has_norms(network) => {
                let allowed = format!("none: network {network} has no norms");
                Err(Error::flag("--epsilon", given, allowed))
            }
            (given, Some(own)) => Same { path }.check("--epsilon", given, own.epsilon),
            (_, None) => Ok(()),
        }
    }

    /// All quantities, given the images that it will be measured on and what is usual for them.
    ///
    /// # Errors
    /// When the map from pixels is not one for the images' channels.
    pub fn known(
        &self,
        settings: &ImportSettings,
        data: Option<(&Dataset, InputMap)>,
    ) -> Result<Known, Error> {
        let own = self.metadata;
        let (network, network_from) = self.network;
        let (image, image_from) = first([
            (settings.image, Source::Given),
            (own.map(|own| own.image), Source::Metadata),
            (data.map(|(data, _)| data.shape()), Source::Data),
            (self.hints.image, Source::Assumed),
        ])
        .unwrap_or((IMAGE, Source::Assumed));
        let (classes, classes_from) = first([
            (settings.classes, Source::Given),
            (own.map(|own| own.classes), Source::Metadata),
            (self.hints.classes, Source::Tensors),
        ])
        .unwrap_or((CLASSES, Source::Assumed));
        let usual = match image.channels {
            3 => InputMap::Normalize(Normalization::CIFAR10),
            _ => InputMap::Halve,
        };
        let (input, input_from) = first([
            (settings.input, Source::Given),
            (own.map(|own| own.input), Source::Metadata),
            (data.map(|(_, usual)| usual), Source::Assumed),
        ])
        .unwrap_or((usual, Source::Assumed));
        let input = (input.for_channels(image.channels))
            .map_err(|problem| Error::Recipe(format!("--input: {problem}")))?;
        let (epsilon, epsilon_from) = first([
            (settings.epsilon, Source::Given),
            (own.map(|own| own.epsilon), Source::Metadata),
        ])
        .unwrap_or((Epsilon::DEFAULT, Source::Assumed));
        Ok(Known {
            target: Target {
                network,
                image,
                classes,
                input,
                epsilon,
            },
            from: Sources {
                network: network_from,
                image: image_from,
                classes: classes_from,
                input_map: input_from,
                epsilon: has_norms(network).then_some(epsilon_from),
            },
        })
    }
}

/// The first of these that there is.
fn first<T, const N: usize>(choices: [(Option<T>, Source); N]) -> Option<(T, Source)> {
    let mut choices = choices.into_iter();
    choices.find_map(|(value, source)| Some((value?, source)))
}

fn has_norms(network: Builtin) -> bool {
    let architecture = Architecture::builtin(network, IMAGE, CLASSES);
    architecture.is_ok_and(|architecture| architecture.epsilon().is_some())
}

/// A comparison with what a file's metadata say.
struct Same<'a> {
    path: &'a Path,
}

impl Same<'_> {
    fn check<T: PartialEq + Display>(
        &self,
        flag: &'static str,
        given: Option<T>,
        own: T,
    ) -> Result<(), Error> {
        match given {
            Some(given) if given != own => {
                let file = self.path.display();
                let allowed = format!("{own}, as the metadata of {file} say, or no {flag}");
                Err(Error::flag(flag, given, allowed))
            }
            _ => Ok(()),
        }
    }
}

impl Known {
    /// Each quantity with its value and the flag that says another one.
    fn quantities(&self) -> Vec<(Source, String, &'static str)> {
        let Target {
            network,
            image,
            classes,
            input,
            epsilon,
        } = self.target;
        let from = self.from;
        let mut all = vec![
            (from.network, format!("network {network}"), "--network"),
            (from.image, format!("images of {image}"), "--image"),
            (from.classes, format!("{classes} classes"), "--classes"),
            (from.input_map, format!("pixels as {input}"), "--input"),
        ];
        let norms = from.epsilon;
        all.extend(norms.map(|from| (from, format!("epsilon {epsilon}"), "--epsilon")));
        all
    }

    /// Who says what, in a line each; for what is assumed, with the flag that says otherwise.
    pub fn render(&self) -> String {
        let quantities = self.quantities();
        let lines = Source::ALL.iter().filter_map(|source| {
            let of = quantities.iter().filter(|(from, ..)| from == source);
            let of: Vec<String> = of
                .map(|(_, what, flag)| match source {
                    Source::Assumed => format!("{what} ({flag} says another)"),
                    _ => what.clone(),
                })
                .collect();
            (!of.is_empty()).then(|| format!("{}: {}\n", source.words(), of.join(", ")))
        });
        lines.collect()
    }

    /// The flags whose values are assumed.
    pub fn assumed(&self) -> Vec<&'static str> {
        let quantities = self.quantities().into_iter();
        let assumed = quantities.filter(|(from, ..)| *from == Source::Assumed);
        assumed.map(|(_, _, flag)| flag).collect()
    }
}
