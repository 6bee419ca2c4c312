//! NumPy arrays and folders of pictures, where this program is built with them.

use brownout_golden::data::{DataError, Dataset, Split};
use brownout_spec::program::Shape;
use std::path::PathBuf;

/// The kinds of such sources.
pub const KINDS: [&str; 3] = ["npz", "npy", "images"];

#[cfg(feature = "foreign")]
pub use brownout_images::Source;
#[cfg(not(feature = "foreign"))]
pub use without::Source;

/// The file or folder of a source.
#[cfg(feature = "foreign")]
pub fn path(source: &Source) -> &PathBuf {
    source.path()
}

/// Training and test images.
#[cfg(feature = "foreign")]
pub fn split(source: &Source, input: Option<Shape>) -> Result<Split, DataError> {
    let (train, test) = source.read(brownout_images::Parts::Both, input)?;
    Ok(Split {
        train: train.expect("training images were asked for"),
        test: test.expect("test images were asked for"),
    })
}

/// Training images; there need be no others.
#[cfg(feature = "foreign")]
pub fn training(source: &Source, input: Option<Shape>) -> Result<Dataset, DataError> {
    let (train, _) = source.read(brownout_images::Parts::Training, input)?;
    Ok(train.expect("training images were asked for"))
}

/// Test images; there need be no others.
#[cfg(feature = "foreign")]
pub fn test(source: &Source, input: Option<Shape>) -> Result<Dataset, DataError> {
    let (_, test) = source.read(brownout_images::Parts::Test, input)?;
    Ok(test.expect("test images were asked for"))
}

#[cfg(not(feature = "foreign"))]
pub use without::{path, split, test, training};

#[cfg(not(feature = "foreign"))]
mod without {
    use super::*;
    use std::fmt;
    use std::str::FromStr;

    /// There is none.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub enum Source {}

    impl FromStr for Source {
        type Err = String;

        fn from_str(text: &str) -> Result<Self, String> {
            let kind = text.split([':', ',']).next().unwrap_or_default();
            Err(format!(
                "{kind} is not read by this `brownout`, which was built without readers of other \
                 people's files; `cargo build --release --package brownout` builds one with them"
            ))
        }
    }

    impl fmt::Display for Source {
        fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
            match *self {}
        }
    }

    pub fn path(source: &Source) -> &PathBuf {
        match *source {}
    }

    pub fn split(source: &Source, _: Option<Shape>) -> Result<Split, DataError> {
        match *source {}
    }

    pub fn training(source: &Source, _: Option<Shape>) -> Result<Dataset, DataError> {
        match *source {}
    }

    pub fn test(source: &Source, _: Option<Shape>) -> Result<Dataset, DataError> {
        match *source {}
    }
}
