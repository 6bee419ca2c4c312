//! Which images of a set without parts are held out for measurements.

use std::fmt;
use std::str::FromStr;

/// What of a set that has no training and test parts of its own is for tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Everything: there is nothing to train on.
    All,
    /// The first of every so many, counted within a class where there are folders of classes.
    Every(usize),
}

impl Hold {
    /// Whether the image with a number, from 0, is a test image.
    pub fn is_test(self, number: usize) -> bool {
        match self {
            Self::All => true,
            Self::Every(every) => number.is_multiple_of(every),
        }
    }
}

impl FromStr for Hold {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "all" {
            return Ok(Self::All);
        }
        let every = text.parse().ok().filter(|every| *every >= 2);
        every.map(Self::Every).ok_or_else(|| {
            format!(
                "hold={text}; allowed is hold=all (all are test images) or hold=K from 2 on (the first of every K is one)"
            )
        })
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("hold=all"),
            Self::Every(every) => write!(f, "hold={every}"),
        }
    }
}
