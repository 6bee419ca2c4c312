//! Which words each layer's tiles take.

use super::shape::{LayerShape, MAX_EXTENT, MAX_NAME_BYTES};
use super::tiling::{Grid, Tiling};
use crate::code::{Code, CodeName, Storage};
use crate::config::{
    Configuration, ConfigurationError, MAX_LAYERS, WEIGHT_ADDRESS_BITS, WeightBits, validate_array,
};
use crate::quantity::WordAddress;
use thiserror::Error;

/// Where one layer's weights lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerLayout {
    /// The tensor.
    pub shape: LayerShape,
    /// Address of the first word.
    pub base: WordAddress,
    /// Tiles along the output channels.
    pub output_tiles: usize,
    /// Tiles along the input channels, those of one output tile where there are groups.
    pub input_tiles: usize,
    /// All tiles: output tiles × kernel rows × kernel columns × input tiles.
    pub tiles: usize,
    /// Words, padding included.
    pub words: usize,
    /// How its weights are cut.
    pub tiling: Tiling,
}

/// Why weights have no layout: one sentence.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum LayoutError {
    /// The array or the code is not allowed.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// An extent of a tensor is not allowed.
    #[error("{field} of layer {layer:?} is {value}; allowed is 1 to {MAX_EXTENT}")]
    Extent {
        /// Name of the layer.
        layer: String,
        /// Which extent.
        field: &'static str,
        /// Its value.
        value: usize,
    },
    /// The groups do not divide the outputs.
    #[error(
        "groups of layer {layer:?} is {groups}; allowed is a divisor of its {outputs} output channels, with at most {MAX_EXTENT} input channels in all"
    )]
    Groups {
        /// Name of the layer.
        layer: String,
        /// Its groups.
        groups: usize,
        /// Its output channels.
        outputs: usize,
    },
    /// A layer's name is too long for the file.
    #[error(
        "the name of weight layer {layer} has {bytes} bytes; allowed are at most {MAX_NAME_BYTES}"
    )]
    Name {
        /// Number of the layer, from 0.
        layer: usize,
        /// Length of its name.
        bytes: usize,
    },
    /// There are too many layers.
    #[error("the network has {found} layers with weights; allowed are at most {MAX_LAYERS}")]
    Layers {
        /// Layers with weights.
        found: usize,
    },
    /// The weights do not fit the memory.
    #[error(
        "depths.weights is {have}; the network needs at least {need} code words, {} more",
        need - *have as u128
    )]
    Depth {
        /// Words needed.
        need: u128,
        /// Words there are.
        have: usize,
    },
}

/// The map between weights and cells, for one array, one code and one list of tensors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    rows: usize,
    columns: usize,
    code: Code,
    layers: Vec<LayerLayout>,
    words: usize,
}

impl Layout {
    /// The layout of a network's weight tensors, in program order, on a configured accelerator.
    ///
    /// # Errors
    /// When the configuration or a shape is not allowed, or the weights exceed `depths.weights`.
    pub fn new(
        configuration: &Configuration,
        layers: impl IntoIterator<Item = LayerShape>,
    ) -> Result<Self, LayoutError> {
        let layout = Self::for_array(
            configuration.rows,
            configuration.columns,
            configuration.weight_bits,
            configuration.code,
            configuration.storage,
            layers,
        )?;
        layout.check_depth(configuration.depths.weights)?;
        Ok(layout)
    }

    /// The layout on an array whose memory is as deep as addresses allow.
    ///
    /// # Errors
    /// When the array or a shape is not allowed, or the weights exceed 2²³ words.
    pub fn for_array(
        rows: usize,
        columns: usize,
        weight_bits: WeightBits,
        code: CodeName,
        storage: Storage,
        layers: impl IntoIterator<Item = LayerShape>,
    ) -> Result<Self, LayoutError> {
        validate_array(rows, columns, weight_bits, code)?;
        let mut layout = Self {
            rows,
            columns,
            code: Code::new(code, weight_bits, storage),
            layers: Vec::new(),
            words: 0,
        };
        let shapes: Vec<LayerShape> = layers.into_iter().collect();
        if shapes.len() > MAX_LAYERS {
            return Err(LayoutError::Layers {
                found: shapes.len(),
            });
        }
        let mut need = 0_u128;
        for (number, shape) in shapes.iter().enumerate() {
            need += layout.words_needed(number, shape)?;
        }
        let have = 1 << WEIGHT_ADDRESS_BITS;
        if need > have as u128 {
            return Err(LayoutError::Depth { need, have });
        }
        for shape in shapes {
            layout.place(shape);
        }
        Ok(layout)
    }

    /// Checks a shape and counts its words, without a product that could wrap.
    fn words_needed(&self, number: usize, shape: &LayerShape) -> Result<u128, LayoutError> {
        if shape.name.len() > MAX_NAME_BYTES {
            return Err(LayoutError::Name {
                layer: number,
                bytes: shape.name.len(),
            });
        }
        for (field, value) in shape.extents() {
            if !(1..=MAX_EXTENT).contains(&value) {
                return Err(LayoutError::Extent {
                    layer: shape.name.clone(),
                    field,
                    value,
                });
            }
        }
        let LayerShape {
            output_channels: outputs,
            groups,
            ..
        } = *shape;
        if !outputs.is_multiple_of(groups) || shape.input_channels > MAX_EXTENT / groups {
            return Err(LayoutError::Groups {
                layer: shape.name.clone(),
                groups,
                outputs,
            });
        }
        let tiling = self.tiling(shape);
        Ok([
            tiling.output_tiles(),
            shape.kernel_height,
            shape.kernel_width,
            tiling.words_per_tap(),
        ]
        .into_iter()
        .map(|factor| factor as u128)
        .product())
    }

    fn tiling(&self, shape: &LayerShape) -> Tiling {
        let grid = Grid {
            rows: self.rows,
            columns: self.columns,
            per_word: self.code.weights_per_word(),
        };
        Tiling::new(
            grid,
            shape.output_channels,
            shape.groups,
            shape.input_channels,
        )
    }

    fn place(&mut self, shape: LayerShape) {
        let tiling = self.tiling(&shape);
        let (output_tiles, input_tiles) = (tiling.output_tiles(), tiling.input_tiles());
        let taps = output_tiles * shape.kernel_height * shape.kernel_width;
        let words = taps * tiling.words_per_tap();
        self.layers.push(LayerLayout {
            shape,
            base: WordAddress(self.words as u32),
            output_tiles,
            input_tiles,
            tiles: taps * input_tiles,
            words,
            tiling,
        });
        self.words += words;
    }

    /// Checks that the weights fit a memory of `depth` words.
    ///
    /// # Errors
    /// The sentence that names `depths.weights`, what is needed and what there is.
    pub fn check_depth(&self, depth: usize) -> Result<(), LayoutError> {
        if self.words > depth {
            return Err(LayoutError::Depth {
                need: self.words as u128,
                have: depth,
            });
        }
        Ok(())
    }

    /// Whether an image with this layout is one for the configured accelerator: the same array, code,
    /// weights and form of stored words; depths are not compared.
    pub fn suits(&self, configuration: &Configuration) -> bool {
        (self.rows, self.columns) == (configuration.rows, configuration.columns)
            && self.code.name() == configuration.code
            && self.code.weight_bits() == configuration.weight_bits
            && self.code.storage() == configuration.storage.with(configuration.code)
    }

    /// Rows of the array: input channels of a tile.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Columns of the array: output channels of a tile.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// The code of the words.
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// The layers with weights, in image order.
    pub fn layers(&self) -> &[LayerLayout] {
        &self.layers
    }

    /// Words of the image.
    pub fn words(&self) -> usize {
        self.words
    }

    /// Words of one full tile.
    pub fn words_per_tile(&self) -> usize {
        self.rows * self.columns / self.code.weights_per_word()
    }

    /// The output channels of a layer whose weights are constrained; none but for in-place codes.
    ///
    /// `None` when there is no such layer.
    pub fn constrained_channels(&self, layer: usize) -> Option<Vec<usize>> {
        let channels = self.layers.get(layer)?.shape.output_channels;
        let per_word = self.code.weights_per_word();
        Some(
            (0..channels)
                .filter(|channel| self.code.is_constrained(channel % per_word))
                .collect(),
        )
    }
}
