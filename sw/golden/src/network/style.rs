//! What training does with a layer's output besides the operation itself.

use super::{Bounds, Epsilon, Function};
use serde::{Deserialize, Serialize};

/// How the result of a convolution or of an average is normalised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Norm {
    /// Not at all; a bias is added.
    #[default]
    None,
    /// Over the pixels of a chunk, or with running moments (Ioffe and Szegedy, 2015).
    Batch,
    /// Over the pixels of one image and one of `groups` groups of channels (Wu and He, 2018).
    Group {
        /// Number of groups, a divisor of the channels.
        groups: usize,
    },
    /// By nothing that is measured: each channel is multiplied with its gain, and its bias is
    /// added. Weights have one of either sign where they are on a file's grid.
    Affine,
}

impl Norm {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

/// What training does with a layer's output besides the operation itself.
///
/// In JSON what is as by default is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Style {
    /// How the result is normalised, of a convolution or an average.
    #[serde(skip_serializing_if = "Norm::is_none")]
    pub norm: Norm,
    /// What the norm adds to a variance; the default where there is none.
    #[serde(skip_serializing_if = "Epsilon::is_default")]
    pub epsilon: Epsilon,
    /// A bias in front of the normalisation, besides the shift behind it, of a convolution.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub offset: bool,
    /// What a pointwise layer computes of each value; `None` in all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<Function>,
    /// What values are clipped to in the end, a residual operand added; of a layer that computes.
    #[serde(skip_serializing_if = "Bounds::is_none")]
    pub bounds: Bounds,
}

impl Style {
    /// Whether each channel has a gain: the result is normalised in any way, or scaled.
    pub fn is_normalized(&self) -> bool {
        self.norm != Norm::None
    }

    /// Whether moments are measured, to whose variance ε is added.
    pub fn has_moments(&self) -> bool {
        matches!(self.norm, Norm::Batch | Norm::Group { .. })
    }

    /// That of a pointwise layer.
    pub fn of_function(function: Function) -> Self {
        Self {
            function: Some(function),
            ..Self::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_style_survives_its_json_which_has_only_what_is_unusual() {
        let styles = [
            (Style::default(), "{}"),
            (
                Style {
                    norm: Norm::Group { groups: 4 },
                    offset: true,
                    bounds: Bounds::RELU6,
                    ..Style::default()
                },
                r#"{"norm":{"group":{"groups":4}},"offset":true,"bounds":{"low":0.0,"high":6.0}}"#,
            ),
            (
                Style {
                    norm: Norm::Batch,
                    epsilon: Epsilon::new(1e-3).unwrap(),
                    ..Style::default()
                },
                r#"{"norm":"batch","epsilon":0.001}"#,
            ),
            (
                Style {
                    norm: Norm::Affine,
                    ..Style::default()
                },
                r#"{"norm":"affine"}"#,
            ),
            (
                Style::of_function(Function::silu()),
                r#"{"function":[{"sigmoid":0},{"multiply":[0,1]}]}"#,
            ),
        ];
        for (style, json) in styles {
            assert_eq!(serde_json::to_string(&style).unwrap(), json);
            assert_eq!(serde_json::from_str::<Style>(json).unwrap(), style);
        }
        assert!(serde_json::from_str::<Style>(r#"{"rectified":true}"#).is_err());
    }
}
