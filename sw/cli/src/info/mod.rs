//! `brownout info`: what a model, a configuration, a weight image or a code is.

mod buffers;
mod code;
mod concats;
mod configuration;
mod image;
mod model;
mod place;
mod residual;
mod stuck;
mod voltage;

use crate::arguments::InfoArguments;
use crate::error::Error;
use crate::files;
use crate::output::Output;
use brownout_spec::image::FILE_MAGIC;
use std::path::Path;

/// A file, read once: what was named may be a pipe.
struct Content<'a> {
    path: &'a Path,
    bytes: Vec<u8>,
}

impl<'a> Content<'a> {
    fn read(path: &'a Path) -> Result<Self, Error> {
        let bytes = files::read(path)?;
        Ok(Self { path, bytes })
    }
}

/// What a file turned out to be.
enum Kind {
    Model,
    Configuration,
    Image,
}

/// Runs the command.
///
/// # Errors
/// When a file is not what it should be, or a place does not exist.
pub fn run(arguments: &InfoArguments, output: Output) -> Result<(), Error> {
    if let Some(code) = arguments.code {
        return code::explain(code, arguments, output);
    }
    if let Some(path) = &arguments.image {
        return image::explain(&Content::read(path)?, arguments, output);
    }
    let config = arguments.config.as_deref();
    if let Some(path) = &arguments.model {
        return model::explain(&Content::read(path)?, config, arguments, output);
    }
    let Some(path) = &arguments.path else {
        return configuration::explain(crate::configuration::read(config)?, arguments, output);
    };
    let content = Content::read(path)?;
    match (kind_of(&content)?, config) {
        (Kind::Model, config) => model::explain(&content, config, arguments, output),
        (_, Some(config)) => Err(Error::flag(
            "--config",
            config.display(),
            format!(
                "a configuration together with a model, which {} is not",
                path.display()
            ),
        )),
        (Kind::Image, None) => image::explain(&content, arguments, output),
        (Kind::Configuration, None) => {
            let chosen = crate::configuration::parse(path, content.bytes)?;
            configuration::explain(chosen, arguments, output)
        }
    }
}

/// What a file is, by its content: images have a magic, safetensors begin with
/// the length of their JSON header, and a configuration is TOML.
fn kind_of(content: &Content) -> Result<Kind, Error> {
    let Content { path, bytes } = content;
    // The magic's first letters already tell a truncated image from the others.
    if bytes.starts_with(&FILE_MAGIC[..4]) {
        return Ok(Kind::Image);
    }
    if bytes.get(8) == Some(&b'{') {
        return Ok(Kind::Model);
    }
    let named = path.extension().is_some_and(|e| e == "toml");
    match std::str::from_utf8(bytes) {
        Ok(text) if named || text.parse::<toml::Table>().is_ok() => Ok(Kind::Configuration),
        _ => Err(Error::content(path)(
            "the file is neither a model (safetensors), a configuration (TOML) nor a weight image",
        )),
    }
}

/// Refuses flags that ask for a place where there are no weights.
fn refuse_places(arguments: &InfoArguments) -> Result<(), Error> {
    let allowed = "a place in a model or a weight image: name one with --model or --image";
    if let Some(place) = arguments.locate {
        let text = format!("{},{},{}", place.layer, place.index, place.bit);
        return Err(Error::flag("--locate", text, allowed));
    }
    match arguments.cell {
        Some((address, lane)) => {
            let text = format!("{},{}", address.0, lane.0);
            Err(Error::flag("--cell", text, allowed))
        }
        None => Ok(()),
    }
}

/// A number of bits, also in KiB where it is large.
fn bits(bits: usize) -> String {
    if bits < 8 * 1024 {
        return format!("{bits} bits");
    }
    format!("{bits} bits ({:.1} KiB)", bits as f64 / 8192.0)
}
