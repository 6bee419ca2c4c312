//! How pixels become the first activations.

use serde::{Deserialize, Serialize};

/// An exact integer map from a pixel in 0..=255 to an 8-bit activation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum InputMap {
    /// pixel >> 1, in [0, 127]: a black background is the zero that padding uses.
    Halve,
    /// pixel − 128, in [-128, 127]: all eight bits, mid-grey is zero.
    Centre,
}

impl InputMap {
    /// The activation of a pixel.
    pub fn quantize(self, pixel: u8) -> i8 {
        match self {
            Self::Halve => (pixel >> 1) as i8,
            // Inverting the top bit of offset binary gives two's complement.
            Self::Centre => (pixel ^ 0x80) as i8,
        }
    }

    /// What one unit of the activation means in training.
    pub fn step(self) -> f32 {
        match self {
            Self::Halve | Self::Centre => 1.0 / 64.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_maps_keep_the_order_and_reach_their_ends() {
        for (map, low, high) in [(InputMap::Halve, 0, 127), (InputMap::Centre, -128, 127)] {
            assert_eq!(map.quantize(0), low);
            assert_eq!(map.quantize(255), high);
            assert!((0..255).all(|p| map.quantize(p) <= map.quantize(p + 1)));
        }
        assert_eq!(InputMap::Centre.quantize(128), 0);
    }
}
