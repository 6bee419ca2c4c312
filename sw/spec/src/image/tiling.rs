//! How the weights of one layer are cut into tiles and words, for image and program alike.
//!
//! A *full* tile holds rows × columns weights of one kernel tap, row by row. An output tile has one
//! for each tile of rows that the groups of its columns read; its cells between the groups, which
//! belong to no weight, are padding, and the hardware puts zeros in their place.
//!
//! Where every output reads one input of its own (depthwise), a tile would hold one weight a
//! column. Such weights lie side by side instead, those of one tap of one tile of columns, and
//! are spread over the diagonals of as many array tiles as they need rows.

use crate::config::Configuration;

/// The cut of one layer on one array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tiling {
    grid: Grid,
    outputs: usize,
    groups: usize,
    group_inputs: usize,
    input_tiles: usize,
}

/// Extents of the array and the words that tiles are cut for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Rows of the array.
    pub rows: usize,
    /// Columns of the array.
    pub columns: usize,
    /// Weights of a word.
    pub per_word: usize,
}

impl Grid {
    /// The array and words of an accelerator.
    pub fn of(configuration: &Configuration) -> Self {
        Self {
            rows: configuration.rows,
            columns: configuration.columns,
            per_word: configuration.weights_per_word(),
        }
    }

    /// Clocks in which the words of a full tile are loaded, one after the other.
    pub fn clocks_per_tile(self) -> usize {
        self.rows * self.columns / self.per_word
    }

    /// Clocks in which a diagonal is loaded: one row after the other, or as many at a time as a
    /// word of a full tile has.
    pub fn clocks_per_diagonal(self) -> usize {
        let rows_per_word = (self.per_word / self.columns).max(1);
        self.rows.min(self.columns) / rows_per_word
    }
}

impl Tiling {
    /// The cut of a layer of `outputs` channels, each of which reads the `group_inputs` channels of
    /// its group; `groups` divides `outputs`, and nothing is 0.
    pub fn new(grid: Grid, outputs: usize, groups: usize, group_inputs: usize) -> Self {
        let mut tiling = Self {
            grid,
            outputs,
            groups,
            group_inputs,
            input_tiles: 0,
        };
        tiling.input_tiles = match groups {
            1 => group_inputs.div_ceil(grid.rows),
            _ => (0..tiling.output_tiles())
                .map(|tile| tiling.end_input_tile(tile) - tiling.first_input_tile(tile))
                .max()
                .unwrap_or(0),
        };
        tiling
    }

    /// Whether tiles are diagonals: every output reads an input of its own.
    pub fn is_diagonal(&self) -> bool {
        self.groups > 1 && self.groups == self.outputs && self.group_inputs == 1
    }

    /// Tiles of columns.
    pub fn output_tiles(&self) -> usize {
        self.outputs.div_ceil(self.grid.columns)
    }

    /// Array tiles of one tap of an output tile: the most tiles of rows that the groups of an
    /// output tile reach over.
    pub fn input_tiles(&self) -> usize {
        self.input_tiles
    }

    /// Groups of channels.
    pub fn groups(&self) -> usize {
        self.groups
    }

    /// Inputs of a group.
    pub fn group_inputs(&self) -> usize {
        self.group_inputs
    }

    /// Outputs of a group.
    pub fn group_outputs(&self) -> usize {
        self.outputs / self.groups
    }

    /// The first tile of rows that an output tile reads.
    pub fn first_input_tile(&self, output_tile: usize) -> usize {
        self.group_of(output_tile * self.grid.columns) * self.group_inputs / self.grid.rows
    }

    /// Words of one tap of an output tile.
    pub fn words_per_tap(&self) -> usize {
        match self.is_diagonal() {
            true => {
                let columns = self.grid.columns.min(self.input_tiles * self.grid.rows);
                columns.div_ceil(self.grid.per_word)
            }
            false => self.input_tiles * self.grid.rows * self.grid.columns / self.grid.per_word,
        }
    }

    /// Clocks in which the weights of an array tile are loaded.
    pub fn clocks_per_load(&self) -> usize {
        match self.is_diagonal() {
            true => self.grid.clocks_per_diagonal(),
            false => self.grid.clocks_per_tile(),
        }
    }

    /// Output tile of a weight, and its place among the positions of its tap's words there.
    pub(super) fn place(&self, output: usize, input: usize) -> (usize, usize) {
        let (tile, column) = (output / self.grid.columns, output % self.grid.columns);
        if self.is_diagonal() {
            return (tile, column);
        }
        let input = self.group_of(output) * self.group_inputs + input;
        // Tiles of rows follow one another, so that rows do.
        let row = input - self.first_input_tile(tile) * self.grid.rows;
        (tile, row * self.grid.columns + column)
    }

    /// Output, and input within its group, of a position among those of a tap's words: the inverse
    /// of [`Tiling::place`].
    ///
    /// Of padding, one of the two lies beyond the tensor: inputs count on behind the group, from
    /// the last tile of rows to the first.
    pub(super) fn weight(&self, output_tile: usize, position: usize) -> (usize, usize) {
        let (row, column) = (position / self.grid.columns, position % self.grid.columns);
        let output = output_tile * self.grid.columns + column;
        if self.is_diagonal() {
            return (output, row);
        }
        let input = self.first_input_tile(output_tile) * self.grid.rows + row;
        let last = self.output_tiles() - 1;
        let all = (self.first_input_tile(last) + self.input_tiles) * self.grid.rows;
        let first = self.group_of(output) * self.group_inputs;
        (output, (input + all - first) % all)
    }

    /// Group of an output; the last one's for those beyond.
    fn group_of(&self, output: usize) -> usize {
        (output / self.group_outputs()).min(self.groups - 1)
    }

    /// Behind the last tile of rows that an output tile reads.
    fn end_input_tile(&self, output_tile: usize) -> usize {
        let last = ((output_tile + 1) * self.grid.columns).min(self.outputs) - 1;
        ((self.group_of(last) + 1) * self.group_inputs).div_ceil(self.grid.rows)
    }
}
