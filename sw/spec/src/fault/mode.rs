//! What a faulty cell does.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use thiserror::Error;

/// Hardware mode number: no faults, or faults already in the written image.
pub const MODE_NONE: u8 = 0;
/// Hardware mode number: the same cells flip in every pass.
pub const MODE_PERSISTENT: u8 = 1;
/// Hardware mode number: every pass draws its faults anew.
pub const MODE_TRANSIENT: u8 = 2;
/// Hardware mode number: the same cells are stuck in every pass.
pub const MODE_STUCK_AT: u8 = 3;

/// The share of stuck cells that are stuck at one, in 1/256: 0 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnesShare(u16);

impl OnesShare {
    /// As many cells stuck at one as at zero.
    pub const HALF: Self = Self(128);
    /// Every stuck cell is stuck at one.
    pub const ALL: Self = Self(256);

    /// A share of `parts` / 256, or `None` above 256.
    pub const fn new(parts: u16) -> Option<Self> {
        if parts <= Self::ALL.0 {
            Some(Self(parts))
        } else {
            None
        }
    }

    /// The share in 1/256, as its register holds it.
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// How faulty cells disturb the words they belong to.
///
/// Files and flags name the modes `none`, `persistent`, `transient`,
/// `stuck-at`, `stuck-at:SHARE` and `map`; a bare `stuck-at` has a share of
/// 128/256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum FaultMode {
    /// No cell fails.
    #[default]
    None,
    /// A faulty cell reads inverted in every pass.
    Persistent,
    /// A cell that is faulty in one pass reads inverted in that pass.
    Transient,
    /// A faulty cell reads its polarity, whatever was stored.
    StuckAt {
        /// Share of faulty cells whose polarity is one.
        share: OnesShare,
    },
    /// Faults of an explicit [`FaultMap`](super::FaultMap), applied when the image is written.
    Map,
}

impl FaultMode {
    /// The number that the hardware's mode register takes; a map needs no hardware.
    pub const fn hardware_number(self) -> u8 {
        match self {
            Self::None | Self::Map => MODE_NONE,
            Self::Persistent => MODE_PERSISTENT,
            Self::Transient => MODE_TRANSIENT,
            Self::StuckAt { .. } => MODE_STUCK_AT,
        }
    }

    /// The value of the hardware's share register; zero where the mode has none.
    pub const fn hardware_share(self) -> u16 {
        match self {
            Self::StuckAt { share } => share.get(),
            _ => 0,
        }
    }

    /// Whether cells may read a value of their own, so that it depends on what is stored whether
    /// they are wrong.
    pub const fn depends_on_stored(self) -> bool {
        match self {
            Self::None | Self::Persistent | Self::Transient => false,
            Self::StuckAt { .. } | Self::Map => true,
        }
    }
}

impl fmt::Display for FaultMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.pad("none"),
            Self::Persistent => f.pad("persistent"),
            Self::Transient => f.pad("transient"),
            Self::StuckAt { share } if *share == OnesShare::HALF => f.pad("stuck-at"),
            Self::StuckAt { share } => f.pad(&format!("stuck-at:{}", share.get())),
            Self::Map => f.pad("map"),
        }
    }
}

/// A fault mode that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "the fault mode is {0:?}; allowed are none, persistent, transient, stuck-at, \
     stuck-at:SHARE with a SHARE of ones from 0 to 256 (in 1/256), and map"
)]
pub struct UnknownMode(pub String);

impl FromStr for FaultMode {
    type Err = UnknownMode;

    fn from_str(name: &str) -> Result<Self, UnknownMode> {
        let unknown = || UnknownMode(name.to_owned());
        Ok(match name {
            "none" => Self::None,
            "persistent" => Self::Persistent,
            "transient" => Self::Transient,
            "stuck-at" => Self::StuckAt {
                share: OnesShare::HALF,
            },
            "map" => Self::Map,
            _ => {
                let parts = name.strip_prefix("stuck-at:").ok_or_else(unknown)?;
                let share = parts.parse().ok().and_then(OnesShare::new);
                Self::StuckAt {
                    share: share.ok_or_else(unknown)?,
                }
            }
        })
    }
}

impl TryFrom<String> for FaultMode {
    type Error = UnknownMode;
    fn try_from(name: String) -> Result<Self, UnknownMode> {
        name.parse()
    }
}

impl From<FaultMode> for String {
    fn from(mode: FaultMode) -> String {
        mode.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_survives_its_name() {
        let stuck = [0, 1, 128, 255, 256].map(|parts| FaultMode::StuckAt {
            share: OnesShare::new(parts).unwrap(),
        });
        for mode in [
            FaultMode::None,
            FaultMode::Persistent,
            FaultMode::Transient,
            FaultMode::Map,
        ]
        .into_iter()
        .chain(stuck)
        {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!(stuck[2].to_string(), "stuck-at");
    }

    #[test]
    fn an_unknown_name_or_share_is_refused_with_the_allowed_ones() {
        for name in ["", "Persistent", "stuck-at:", "stuck-at:257", "stuck-at:-1"] {
            let message = name.parse::<FaultMode>().unwrap_err().to_string();
            assert!(message.contains(&format!("{name:?}")), "{message}");
            assert!(message.contains("0 to 256"), "{message}");
        }
    }
}
