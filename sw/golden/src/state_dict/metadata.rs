//! What no tensor says, as a JSON text in a state dict's metadata: written by `export`, read
//! by `import`.

use super::Target;
use crate::float::{Checkpoint, FloatModel};
use crate::foreign::not_safetensors;
use crate::model::{FileError, InputMap};
use crate::network::{Builtin, Epsilon};
use brownout_spec::program::Shape;
use brownout_spec::text::printable;
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The metadata entry that says what the network is and what it expects.
pub const METADATA_KEY: &str = "brownout-state-dict";
/// Sides and channels that an image may have.
const MOST_SIDE: usize = 1024;
/// Channels that an image has at most; a larger number is one of rows or columns.
const MOST_CHANNELS: usize = 4;

/// The text under [`METADATA_KEY`]: the only entry, because the order of several is another
/// in each run.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    network: String,
    /// Rows, columns and channels, as `import --image` has them.
    image: String,
    classes: usize,
    /// The map from pixels, as `import --input` has it.
    input: String,
    /// The same as a formula, for those who read the file.
    #[serde(default)]
    pixels: String,
    /// ε of the norms; of a network without norms, and in files of older versions, whose
    /// networks had no other than the usual one, it is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epsilon: Option<Epsilon>,
    /// Which weights these are.
    #[serde(default)]
    weights: String,
    #[serde(default)]
    origin: String,
}

impl Header {
    /// The text of a network whose weights are these.
    pub fn text(model: &FloatModel, weights: &str) -> String {
        let header = Self {
            network: model.network.to_string(),
            image: model.image.to_string(),
            classes: model.architecture.classes(),
            input: model.input.to_string(),
            pixels: model.input.meaning().formula(),
            epsilon: model.architecture.epsilon(),
            weights: weights.to_owned(),
            origin: model.origin.clone(),
        };
        serde_json::to_string(&header).expect("a header is plain data")
    }
}

/// What a state dict that was written here says of its network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Metadata {
    /// The network.
    pub network: Builtin,
    /// Shape of its images.
    pub image: Shape,
    /// Number of its classes.
    pub classes: usize,
    /// What pixels mean to it.
    pub input: InputMap,
    /// What its norms add to a variance.
    pub epsilon: Epsilon,
}

impl Metadata {
    /// That of a state dict's bytes, which messages call `path`; `None` if it was written
    /// elsewhere.
    ///
    /// # Errors
    /// One sentence naming the file and the entry that cannot be read.
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Option<Self>, FileError> {
        Self::parse(bytes).map_err(|problem| FileError::Format {
            path: path.to_owned(),
            problem,
        })
    }

    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, String> {
        let read = SafeTensors::read_metadata(bytes);
        let (_, metadata) = read.map_err(|e| not_safetensors(bytes, &e))?;
        if Checkpoint::recognizes(bytes) {
            return Err(
                "this is a checkpoint, not a state dict; `train --from`, `export` and `attack` read it as it is"
                    .to_owned(),
            );
        }
        let entries = metadata.metadata().as_ref();
        let Some(text) = entries.and_then(|entries| entries.get(METADATA_KEY)) else {
            return Ok(None);
        };
        let bad = |what: &str, problem: &str| {
            let problem = printable(problem);
            format!("{what} its metadata entry {METADATA_KEY:?} cannot be used: {problem}")
        };
        let header: Header =
            serde_json::from_str(text).map_err(|e| bad("the JSON text of", &e.to_string()))?;
        let image = image_shape(&header.image).map_err(|e| bad("image of", &e))?;
        let input: Result<InputMap, String> = header.input.parse();
        let input = input.and_then(|input| input.check_channels(image.channels).map(|()| input));
        let unknown = |e: crate::network::ArchitectureError| bad("network of", &e.to_string());
        Ok(Some(Self {
            network: header.network.parse().map_err(unknown)?,
            image,
            classes: header.classes,
            input: input.map_err(|e| bad("input of", &e))?,
            epsilon: header.epsilon.unwrap_or_default(),
        }))
    }

    /// Refuses a target that is not what the metadata say.
    pub(super) fn check(&self, target: &Target) -> Result<(), String> {
        let text = |value: &dyn ToString| value.to_string();
        let pairs = [
            ("network", text(&self.network), text(&target.network)),
            ("image", text(&self.image), text(&target.image)),
            ("classes", text(&self.classes), text(&target.classes)),
            ("input", text(&self.input), text(&target.input)),
            ("epsilon", text(&self.epsilon), text(&target.epsilon)),
        ];
        match pairs.into_iter().find(|(_, own, asked)| own != asked) {
            None => Ok(()),
            Some((what, own, asked)) => Err(format!(
                "its metadata say {what} {own}, asked for is {what} {asked}; allowed is what they say"
            )),
        }
    }
}

/// The shape of an image as `--image` and metadata have it: rows, columns and channels.
///
/// # Errors
/// A sentence with what is allowed, and the nearest shape that is.
pub fn image_shape(text: &str) -> Result<Shape, String> {
    let sizes: Option<Vec<usize>> = text.split('x').map(|n| n.parse().ok()).collect();
    let allowed = |hint: &str| {
        let text = printable(text);
        Err(format!(
            "{text:?} is not the shape of an image; allowed is HEIGHTxWIDTHxCHANNELS with numbers from 1 to {MOST_SIDE}, as in 32x32x3{hint}"
        ))
    };
    match sizes.as_deref() {
        // PyTorch's own order.
        Some(&[channels @ (1 | 3), height, width]) if width > MOST_CHANNELS => allowed(&format!(
            "; channels come last, so perhaps {height}x{width}x{channels}"
        )),
        Some(&[height, width, channels])
            if [height, width, channels]
                .iter()
                .all(|n| (1..=MOST_SIDE).contains(n)) =>
        {
            Ok(Shape {
                height,
                width,
                channels,
            })
        }
        Some(&[height, width]) => allowed(&format!(
            ", so perhaps {height}x{width}x1 or {height}x{width}x3"
        )),
        _ => allowed(""),
    }
}
