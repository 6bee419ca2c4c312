//! How `--data` names images of one's own.

use crate::arrays::{self, Order};
use crate::pictures::{self, Rules, Size};
use crate::{Hold, refuse};
use brownout_golden::data::{DataError, Dataset};
use brownout_spec::program::Shape;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Images of one's own, and what their files do not say.
///
/// Written as the kind, options separated by commas, a colon and a path:
/// `npz,nchw,hold=5:digits.npz`, `images,size=32:flowers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// `npz:FILE`, an archive of NumPy arrays, or `npy:DIR`, a folder of them.
    Arrays {
        /// Whether it is an archive.
        is_archive: bool,
        /// Order of the axes of arrays with four.
        order: Option<Order>,
        /// What is held out, where the arrays do not say it.
        hold: Option<Hold>,
        /// The archive or the folder.
        path: PathBuf,
    },
    /// `images:DIR`, a folder with a folder of pictures for each class.
    Pictures {
        /// How files become images.
        rules: Rules,
        /// The folder.
        path: PathBuf,
    },
}

/// Which images are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parts {
    /// Those for training and for tests.
    Both,
    /// Those for training; there need be no others.
    Training,
    /// Those for tests; there need be no others.
    Test,
}

impl Parts {
    /// Whether training images are asked for.
    pub fn training(self) -> bool {
        self != Self::Test
    }

    /// Whether test images are asked for.
    pub fn test(self) -> bool {
        self != Self::Training
    }
}

impl Source {
    /// Reads training and test images, as far as they are asked for; `input` is the shape that a
    /// network takes, where one is known.
    ///
    /// # Errors
    /// A sentence naming the file or folder, what was found and what is allowed.
    pub fn read(
        &self,
        parts: Parts,
        input: Option<Shape>,
    ) -> Result<(Option<Dataset>, Option<Dataset>), DataError> {
        let (train, test) = match self {
            Self::Arrays {
                is_archive,
                order,
                hold,
                path,
            } => arrays::read(*is_archive, path, (*order, *hold), parts, input)?,
            Self::Pictures { rules, path } => pictures::read(path, rules, parts, input)?,
        };
        if let (Some(train), Some(test)) = (&train, &test)
            && train.shape() != test.shape()
        {
            return Err(refuse(
                self.path(),
                format!(
                    "training images are {} and test images {}; they must agree",
                    train.shape(),
                    test.shape()
                ),
            ));
        }
        Ok((train, test))
    }

    /// The file or folder.
    pub fn path(&self) -> &PathBuf {
        match self {
            Self::Arrays { path, .. } | Self::Pictures { path, .. } => path,
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (head, path) = text.split_once(':').unwrap_or((text, ""));
        let mut options = head.split(',');
        let kind = options.next().unwrap_or_default();
        if path.is_empty() {
            return Err(format!(
                "{text:?} has no path; allowed is {kind}:PATH, with options before the colon"
            ));
        }
        let (mut order, mut hold, mut rules) = (None, None, Rules::default());
        for option in options {
            let (key, value) = option.split_once('=').unwrap_or((option, ""));
            match (kind, key, value) {
                ("npz" | "npy", "nhwc" | "nchw", "") if order.is_some() => {
                    return Err(format!(
                        "{head:?} says twice where channels are; allowed is nhwc or nchw, once"
                    ));
                }
                ("npz" | "npy", "nhwc", "") => order = Some(Order::ChannelsLast),
                ("npz" | "npy", "nchw", "") => order = Some(Order::ChannelsFirst),
                (_, "hold", value) => hold = Some(value.parse()?),
                ("images", "grey", "") => rules.is_grey = true,
                ("images", "numbered", "") => rules.is_numbered = true,
                ("images", "size", value) => rules.size = Some(value.parse()?),
                ("images", "resize", value) => rules.resize = Some(pictures::side(key, value)?),
                ("images", ..) => {
                    return Err(format!(
                        "{option:?} is no option of images; allowed are size=S or size=HxW, resize=S, grey, hold=K, hold=all and numbered"
                    ));
                }
                _ => {
                    return Err(format!(
                        "{option:?} is no option of {kind}; allowed are nhwc or nchw, hold=K and hold=all"
                    ));
                }
            }
        }
        let path = PathBuf::from(path);
        match kind {
            "npz" | "npy" => Ok(Self::Arrays {
                is_archive: kind == "npz",
                order,
                hold,
                path,
            }),
            _ => {
                rules.hold = hold;
                rules.check()?;
                Ok(Self::Pictures { rules, path })
            }
        }
    }
}

/// What [`FromStr`] reads.
impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut options: Vec<String> = Vec::new();
        let kind = match self {
            Self::Arrays {
                is_archive,
                order,
                hold,
                ..
            } => {
                options.extend(order.map(|order| order.to_string()));
                options.extend(hold.map(|hold| hold.to_string()));
                if *is_archive { "npz" } else { "npy" }
            }
            Self::Pictures { rules, .. } => {
                let Rules {
                    size,
                    resize,
                    is_grey,
                    hold,
                    is_numbered,
                } = rules;
                options.extend(size.map(|size: Size| format!("size={size}")));
                options.extend(resize.map(|side| format!("resize={side}")));
                options.extend(is_grey.then(|| "grey".to_owned()));
                options.extend(hold.map(|hold| hold.to_string()));
                options.extend(is_numbered.then(|| "numbered".to_owned()));
                "images"
            }
        };
        options.insert(0, kind.to_owned());
        write!(f, "{}:{}", options.join(","), self.path().display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_survive_their_names() {
        for text in [
            "npz:a.npz",
            "npy:folder",
            "npz,nchw,hold=5:with,a:colon.npz",
            "npy,nhwc,hold=all:folder",
            "images:folder",
            "images,size=32:folder",
            "images,size=24x32,grey,hold=2,numbered:folder",
            "images,size=224,resize=256:folder",
        ] {
            assert_eq!(text.parse::<Source>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn options_that_are_none_are_refused_with_those_that_are() {
        for (text, part) in [
            ("npz", "has no path"),
            ("images:", "has no path"),
            ("npz,nchw,nhwc:a", "says twice where channels are"),
            ("npz,size=3:a", "allowed are nhwc or nchw, hold=K"),
            ("npz,hold=1:a", "hold=1; allowed is hold=all"),
            ("npz,hold=:a", "hold=; allowed"),
            ("images,nchw:a", "allowed are size=S or size=HxW"),
            ("images,size=0:a", "size=0; allowed is"),
            ("images,size=3x:a", "size=3x; allowed is"),
            ("images,resize=9999999:a", "resize=9999999; allowed is"),
            ("images,size=224,resize=200:a", "at least the larger side"),
            ("images,grey=1:a", "\"grey=1\" is no option"),
        ] {
            let message = text.parse::<Source>().unwrap_err();
            assert!(message.contains(part), "{text}: {message:?} lacks {part:?}");
        }
    }
}
