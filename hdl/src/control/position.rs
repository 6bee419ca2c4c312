//! Where in its layer the sequencer is: pixel, tap, tile.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::cycles;
use brownout_spec::image::Grid;
use rust_hdl::prelude::*;

/// Counts the pixels of a tile and the tiles of a layer.
///
/// For every output tile, kernel row, kernel column and input tile, in this order, all output
/// pixels are issued, one a clock; in the last tile of an output tile of a layer whose results
/// leave one by one, or that is written in two parts, as many clocks apart as that takes. A tile
/// lasts as long as [`brownout_spec::cycles`] says, and so that the next one's shadow weights can
/// be loaded meanwhile.
///
/// Whatever follows from where the sequencer is stands in a register before it is asked for: which
/// tile follows is worked out while the current one lasts, and whether a tile ends, but for the
/// weights of the next one, a clock ahead. All counters count down, and each keeps a flag beside it that says whether it is at its
/// end, so that no comparison stands between a register and the end of a tile.
#[derive(LogicBlock, Default)]
pub struct TilePosition {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Pixels may be issued.
    pub stream: Signal<In, Bit>,
    /// A layer begins.
    pub layer_start: Signal<In, Bit>,
    /// The next tile's weights will be in place.
    pub weights_ready: Signal<In, Bit>,
    /// Descriptor field.
    pub wide: Signal<In, Bit>,
    /// Descriptor field.
    pub split: Signal<In, Bit>,
    /// Descriptor field.
    pub pool: Signal<In, Bit>,
    /// Descriptor field.
    pub diagonal: Signal<In, Bit>,
    /// Descriptor field.
    pub output_width: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub output_height: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub kernel_width: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub kernel_height: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub input_tiles: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub output_tiles: Signal<In, Bits<12>>,
    /// A pixel is issued in this clock.
    pub issue: Signal<Out, Bit>,
    /// It is the last one of its row.
    pub row_end: Signal<Out, Bit>,
    /// It lies in the first column of the map.
    pub first_column: Signal<Out, Bit>,
    /// It lies in the first row of the map.
    pub first_row: Signal<Out, Bit>,
    /// It lies in the last row of the map.
    pub last_row: Signal<Out, Bit>,
    /// It is not the tile's last one.
    pub advance: Signal<Out, Bit>,
    /// Its number in the map.
    pub pixel: Signal<Out, Bits<16>>,
    /// Number of its output tile.
    pub output_tile: Signal<Out, Bits<12>>,
    /// The tile is the first of its output tile.
    pub first_tile: Signal<Out, Bit>,
    /// The tile is the last of its output tile.
    pub last_tile: Signal<Out, Bit>,
    /// The tile is the last of the layer.
    pub layer_tile: Signal<Out, Bit>,
    /// The tile is the last of its tap.
    pub last_input_tile: Signal<Out, Bit>,
    /// The tile ends in this clock.
    pub tile_end: Signal<Out, Bit>,
    /// The tile that follows has the next input channels,
    pub next_input_tile: Signal<Out, Bit>,
    /// or the next column of the window,
    pub next_tap: Signal<Out, Bit>,
    /// or the next row of the window, or else it begins the next output tile.
    pub next_tap_row: Signal<Out, Bit>,
    /// The tile ends in this clock, and with it the layer.
    pub layer_end: Signal<Out, Bit>,
    streaming: DFF<Bit>,
    first_tile_register: DFF<Bit>,
    clocks_left: DFF<Bits<10>>,
    old_enough: DFF<Bit>,
    waiting: DFF<Bit>,
    clocks_to_wait: DFF<Bits<7>>,
    waited: DFF<Bit>,
    pixel_register: DFF<Bits<16>>,
    columns_left: DFF<Bits<12>>,
    at_first_column: DFF<Bit>,
    at_last_column: DFF<Bit>,
    rows_left: DFF<Bits<12>>,
    at_first_row: DFF<Bit>,
    at_last_row: DFF<Bit>,
    input_tiles_left: DFF<Bits<12>>,
    at_last_input_tile: DFF<Bit>,
    taps_left: DFF<Bits<6>>,
    last_tap: DFF<Bit>,
    tap_rows_left: DFF<Bits<6>>,
    last_tap_row: DFF<Bit>,
    output_tiles_left: DFF<Bits<12>>,
    last_output_tile: DFF<Bit>,
    output_tile_register: DFF<Bits<12>>,
    last_tile_register: DFF<Bit>,
    layer_tile_register: DFF<Bit>,
    // Of the tile that follows, once this one has lasted a clock.
    next_is_last_input_tile: DFF<Bit>,
    next_is_last_tap: DFF<Bit>,
    next_is_last_tap_row: DFF<Bit>,
    next_is_last_output_tile: DFF<Bit>,
    ending: DFF<Bit>,
    waits_for_none: DFF<Bit>,
    // The next one completes an output tile; so does the first one of a layer.
    next_is_last: Signal<Local, Bit>,
    only_tile: Signal<Local, Bit>,
    column_after: Signal<Local, Bit>,
    row_after: Signal<Local, Bit>,
    streaming_after: Signal<Local, Bit>,
    waiting_after: Signal<Local, Bit>,
    waited_after: Signal<Local, Bit>,
    old_after: Signal<Local, Bit>,
    last_pixel: Signal<Local, Bit>,
    spaced: Signal<Local, Bit>,
    minimum_age: Signal<Local, Bits<10>>,
    pool_age: Fixed<Bits<10>>,
    convolution_age: Fixed<Bits<10>>,
    diagonal_age: Fixed<Bits<10>>,
    wide_gap: Fixed<Bits<7>>,
}

impl TilePosition {
    /// The counters of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let last = |load| Fixed::new(cycles::shortest_period(load) - 1);
        let grid = Grid::of(configuration);
        let (full, diagonal) = (grid.clocks_per_tile(), grid.clocks_per_diagonal());
        Self {
            pool_age: last(0),
            convolution_age: last(full),
            diagonal_age: last(diagonal),
            wide_gap: Fixed::new(configuration.columns - 1),
            ..Self::default()
        }
    }
}

impl Logic for TilePosition {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module tile_position: Pixel, tap and tile at which a layer is.");
        comment!(
            "Tiles follow one another by output tile, kernel row, kernel column and input tile; \
             each issues all output pixels, one a clock, or further apart where that is too fast for \
             what comes behind."
        );
        comment!("ports stream: the sequencer's state");
        comment!("ports wide: the layer's descriptor; counts are given less one");
        comment!("table pool_age: last clock of a tile's shortest period, counted from zero");
        comment!("table wide_gap: clocks between pixels whose results leave one by one");
        comment!("ports issue: a pixel is issued, and which");
        comment!("ports first_tile: the tile to which it belongs");
        comment!("ports tile_end: the tile ends, and what follows it");
        dff_setup!(
            self,
            clock,
            streaming,
            first_tile_register,
            clocks_left,
            old_enough,
            waiting,
            clocks_to_wait,
            waited,
            pixel_register,
            columns_left,
            at_first_column,
            at_last_column,
            rows_left,
            at_first_row,
            at_last_row,
            input_tiles_left,
            at_last_input_tile,
            taps_left,
            last_tap,
            tap_rows_left,
            last_tap_row,
            output_tiles_left,
            last_output_tile,
            output_tile_register,
            last_tile_register,
            layer_tile_register,
            next_is_last_input_tile,
            next_is_last_tap,
            next_is_last_tap_row,
            next_is_last_output_tile,
            ending,
            waits_for_none
        );
        comment!(
            "a tile ends when its pixels are issued, its period has passed and the next weights are in place, \
             for which the next layer waits itself; all but the weights is known a clock before"
        );
        self.last_tile.next = self.last_tile_register.q.val();
        self.layer_tile.next = self.layer_tile_register.q.val();
        self.issue.next = self.streaming.q.val() && self.stream.val() && !self.waiting.q.val();
        self.spaced.next = (self.wide.val() || self.split.val()) && self.last_tile_register.q.val();
        self.last_pixel.next = self.at_last_column.q.val() && self.at_last_row.q.val();
        self.tile_end.next =
            self.ending.q.val() && (self.weights_ready.val() || self.waits_for_none.q.val());
        self.minimum_age.next = self.convolution_age.val();
        if self.diagonal.val() {
            self.minimum_age.next = self.diagonal_age.val();
        }
        if self.pool.val() {
            self.minimum_age.next = self.pool_age.val();
        }

        comment!("pixels of the tile");
        self.column_after.next = self.at_last_column.q.val();
        self.row_after.next = self.at_last_row.q.val();
        self.streaming_after.next = self.streaming.q.val();
        if self.issue.val() {
            self.pixel_register.d.next = self.pixel_register.q.val() + 1;
            self.columns_left.d.next = self.columns_left.q.val() - 1;
            self.at_first_column.d.next = false;
            self.column_after.next = self.columns_left.q.val() == 1;
            if self.at_last_column.q.val() {
                self.columns_left.d.next = self.output_width.val();
                self.column_after.next = self.output_width.val() == 0;
                self.at_first_column.d.next = true;
                self.at_first_row.d.next = false;
                self.rows_left.d.next = self.rows_left.q.val() - 1;
                self.row_after.next = self.rows_left.q.val() == 1;
            }
            if self.last_pixel.val() {
                self.streaming_after.next = false;
            }
        }
        self.at_last_column.d.next = self.column_after.val();
        self.at_last_row.d.next = self.row_after.val();
        self.streaming.d.next = self.streaming_after.val();
        comment!("clocks after a pixel in which none is issued");
        self.waiting_after.next = self.waiting.q.val();
        self.waited_after.next = self.waited.q.val();
        if self.waiting.q.val() {
            self.clocks_to_wait.d.next = self.clocks_to_wait.q.val() - 1;
            self.waited_after.next = self.clocks_to_wait.q.val() == 2;
            self.waiting_after.next = !self.waited.q.val();
        }
        if self.issue.val() && self.spaced.val() {
            self.waiting_after.next = true;
            self.clocks_to_wait.d.next = self.wide_gap.val();
            self.waited_after.next = !self.wide.val();
        }
        self.waiting.d.next = self.waiting_after.val();
        self.waited.d.next = self.waited_after.val();
        if self.layer_start.val() {
            self.waiting.d.next = false;
        }
        self.old_after.next = self.old_enough.q.val();
        if !self.old_enough.q.val() {
            self.clocks_left.d.next = self.clocks_left.q.val() - 1;
            self.old_after.next = self.clocks_left.q.val() == 1;
        }
        self.old_enough.d.next = self.old_after.val();
        self.ending.d.next = self.stream.val()
            && !self.tile_end.val()
            && self.old_after.val()
            && ((self.column_after.val() && self.row_after.val() && !self.spaced.val())
                || (!self.streaming_after.val()
                    && (!self.waiting_after.val() || self.waited_after.val())));
        if self.tile_end.val() || self.layer_start.val() {
            self.streaming.d.next = true;
            self.clocks_left.d.next = self.minimum_age.val();
            self.old_enough.d.next = false;
            self.pixel_register.d.next = 0.into();
            self.at_first_column.d.next = true;
            self.at_first_row.d.next = true;
            self.columns_left.d.next = self.output_width.val();
            self.at_last_column.d.next = self.output_width.val() == 0;
            self.rows_left.d.next = self.output_height.val();
            self.at_last_row.d.next = self.output_height.val() == 0;
        }

        comment!("tiles of the layer; which the next one is is worked out while this one lasts");
        self.next_is_last_input_tile.d.next = self.input_tiles_left.q.val() == 1;
        self.next_is_last_tap.d.next = self.last_tap.q.val();
        self.next_is_last_tap_row.d.next = self.last_tap_row.q.val();
        self.next_is_last_output_tile.d.next = self.last_output_tile.q.val();
        if self.at_last_input_tile.q.val() {
            self.next_is_last_input_tile.d.next = self.input_tiles.val() == 0;
            self.next_is_last_tap.d.next = self.taps_left.q.val() == 1;
            if self.last_tap.q.val() {
                self.next_is_last_tap.d.next = self.kernel_width.val() == 0;
                self.next_is_last_tap_row.d.next = self.tap_rows_left.q.val() == 1;
                if self.last_tap_row.q.val() {
                    self.next_is_last_tap_row.d.next = self.kernel_height.val() == 0;
                    self.next_is_last_output_tile.d.next = self.output_tiles_left.q.val() == 1;
                }
            }
        }
        self.next_is_last.next = self.next_is_last_input_tile.q.val()
            && self.next_is_last_tap.q.val()
            && self.next_is_last_tap_row.q.val();
        self.only_tile.next = (self.input_tiles.val() == 0)
            && (self.kernel_width.val() == 0)
            && (self.kernel_height.val() == 0);
        if self.tile_end.val() {
            self.first_tile_register.d.next = false;
            self.at_last_input_tile.d.next = self.next_is_last_input_tile.q.val();
            self.last_tap.d.next = self.next_is_last_tap.q.val();
            self.last_tap_row.d.next = self.next_is_last_tap_row.q.val();
            self.last_output_tile.d.next = self.next_is_last_output_tile.q.val();
            self.last_tile_register.d.next = self.next_is_last.val();
            self.layer_tile_register.d.next =
                self.next_is_last.val() && self.next_is_last_output_tile.q.val();
            self.waits_for_none.d.next = self.pool.val()
                || (self.next_is_last.val() && self.next_is_last_output_tile.q.val());
            self.input_tiles_left.d.next = self.input_tiles_left.q.val() - 1;
            if self.at_last_input_tile.q.val() {
                self.input_tiles_left.d.next = self.input_tiles.val();
                self.taps_left.d.next = self.taps_left.q.val() - 1;
                if self.last_tap.q.val() {
                    self.taps_left.d.next = self.kernel_width.val();
                    self.tap_rows_left.d.next = self.tap_rows_left.q.val() - 1;
                    if self.last_tap_row.q.val() {
                        self.tap_rows_left.d.next = self.kernel_height.val();
                        self.output_tiles_left.d.next = self.output_tiles_left.q.val() - 1;
                        self.output_tile_register.d.next = self.output_tile_register.q.val() + 1;
                        self.first_tile_register.d.next = true;
                    }
                }
            }
        }
        if self.layer_start.val() {
            self.first_tile_register.d.next = true;
            self.input_tiles_left.d.next = self.input_tiles.val();
            self.at_last_input_tile.d.next = self.input_tiles.val() == 0;
            self.taps_left.d.next = self.kernel_width.val();
            self.last_tap.d.next = self.kernel_width.val() == 0;
            self.tap_rows_left.d.next = self.kernel_height.val();
            self.last_tap_row.d.next = self.kernel_height.val() == 0;
            self.output_tiles_left.d.next = self.output_tiles.val();
            self.last_output_tile.d.next = self.output_tiles.val() == 0;
            self.output_tile_register.d.next = 0.into();
            self.last_tile_register.d.next = self.only_tile.val();
            self.layer_tile_register.d.next =
                self.only_tile.val() && (self.output_tiles.val() == 0);
            self.waits_for_none.d.next =
                self.pool.val() || (self.only_tile.val() && (self.output_tiles.val() == 0));
        }

        self.advance.next = self.issue.val() && !self.last_pixel.val();
        self.pixel.next = self.pixel_register.q.val();
        self.output_tile.next = self.output_tile_register.q.val();
        self.first_tile.next = self.first_tile_register.q.val();
        self.row_end.next = self.at_last_column.q.val();
        self.first_column.next = self.at_first_column.q.val();
        self.first_row.next = self.at_first_row.q.val();
        self.last_row.next = self.at_last_row.q.val();
        self.last_input_tile.next = self.at_last_input_tile.q.val();

        comment!("what follows the tile");
        self.next_input_tile.next = !self.at_last_input_tile.q.val();
        self.next_tap.next = self.at_last_input_tile.q.val() && !self.last_tap.q.val();
        self.next_tap_row.next =
            self.at_last_input_tile.q.val() && self.last_tap.q.val() && !self.last_tap_row.q.val();
        self.layer_end.next = self.tile_end.val() && self.layer_tile.val();
    }
}
