//! Where in its layer the sequencer is: pixel, tap, tile.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use brownout_spec::cycles;
use rust_hdl::prelude::*;

/// Counts the pixels of a tile and the tiles of a layer.
///
/// For every output tile, kernel row, kernel column and input tile, in this order, all output
/// pixels are issued, one a clock. A tile lasts max(M, words per tile, A) clocks, as
/// [`brownout_spec::cycles`] says; the next tile's shadow weights are loaded meanwhile.
#[derive(LogicBlock, Default)]
pub struct TilePosition {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Pixels may be issued.
    pub stream: Signal<In, Bit>,
    /// A layer begins.
    pub layer_start: Signal<In, Bit>,
    /// The next tile's weights will be in place, or it needs none.
    pub weights_ready: Signal<In, Bit>,
    /// Descriptor field.
    pub wide: Signal<In, Bit>,
    /// Descriptor field.
    pub pool: Signal<In, Bit>,
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
    /// It is the tile's first one.
    pub fresh: Signal<Out, Bit>,
    /// It is the last one of its row.
    pub row_end: Signal<Out, Bit>,
    /// It is not the tile's last one.
    pub advance: Signal<Out, Bit>,
    /// Its number in the map.
    pub pixel: Signal<Out, Bits<14>>,
    /// Number of its output tile.
    pub output_tile: Signal<Out, Bits<12>>,
    /// The tile is the first of its output tile.
    pub first_tile: Signal<Out, Bit>,
    /// The tile is the last of its output tile.
    pub last_tile: Signal<Out, Bit>,
    /// The tile is the last of its tap.
    pub last_input_tile: Signal<Out, Bit>,
    /// The tile ends in this clock, and another follows with the next input channels.
    pub next_input_tile: Signal<Out, Bit>,
    /// .. with the next column of the window.
    pub next_tap: Signal<Out, Bit>,
    /// .. with the next row of the window.
    pub next_tap_row: Signal<Out, Bit>,
    /// .. with the next output channels.
    pub next_output_tile: Signal<Out, Bit>,
    /// The tile ends in this clock, and the output tile goes on.
    pub restart: Signal<Out, Bit>,
    /// The tile ends in this clock, and with it the layer.
    pub layer_end: Signal<Out, Bit>,
    streaming: DFF<Bit>,
    fresh_register: DFF<Bit>,
    first_tile_register: DFF<Bit>,
    age: DFF<Bits<10>>,
    pixel_register: DFF<Bits<14>>,
    x: DFF<Bits<12>>,
    y: DFF<Bits<12>>,
    kernel_x: DFF<Bits<6>>,
    kernel_y: DFF<Bits<6>>,
    input_tile: DFF<Bits<12>>,
    output_tile_register: DFF<Bits<12>>,
    last_pixel: Signal<Local, Bit>,
    minimum_age: Signal<Local, Bits<10>>,
    old_enough: Signal<Local, Bit>,
    tile_end: Signal<Local, Bit>,
    last_tap: Signal<Local, Bit>,
    last_tap_row: Signal<Local, Bit>,
    last_output_tile: Signal<Local, Bit>,
    pool_age: Fixed<Bits<10>>,
    convolution_age: Fixed<Bits<10>>,
    wide_pool_age: Fixed<Bits<10>>,
    wide_age: Fixed<Bits<10>>,
}

impl TilePosition {
    /// The counters of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let last = |wide, convolution| {
            Fixed::new(cycles::shortest_period(configuration, convolution, wide) - 1)
        };
        Self {
            pool_age: last(false, false),
            convolution_age: last(false, true),
            wide_pool_age: last(true, false),
            wide_age: last(true, true),
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
             each issues all output pixels, one a clock."
        );
        comment!("ports stream: the sequencer's state");
        comment!("ports wide: the layer's descriptor; counts are given less one");
        comment!("table pool_age: last clock of a tile's shortest period, counted from zero");
        comment!("ports issue: a pixel is issued, and which");
        comment!("ports first_tile: the tile to which it belongs");
        comment!("ports next_input_tile: the tile ends, and what follows");
        dff_setup!(
            self,
            clock,
            streaming,
            fresh_register,
            first_tile_register,
            age,
            pixel_register,
            x,
            y,
            kernel_x,
            kernel_y,
            input_tile,
            output_tile_register
        );
        comment!(
            "a tile ends when its pixels are issued, its period has passed and the next weights are in place"
        );
        self.issue.next = self.streaming.q.val() && self.stream.val();
        self.row_end.next = self.x.q.val() == self.output_width.val();
        self.last_pixel.next = self.row_end.val() && (self.y.q.val() == self.output_height.val());
        self.minimum_age.next = self.convolution_age.val();
        if self.wide.val() {
            self.minimum_age.next = self.wide_age.val();
        }
        if self.pool.val() {
            self.minimum_age.next = self.pool_age.val();
            if self.wide.val() {
                self.minimum_age.next = self.wide_pool_age.val();
            }
        }
        self.old_enough.next = self.age.q.val() == self.minimum_age.val();
        self.tile_end.next = self.stream.val()
            && (self.last_pixel.val() || !self.streaming.q.val())
            && self.old_enough.val()
            && self.weights_ready.val();
        comment!("position of the tile in its layer");
        self.last_input_tile.next = self.input_tile.q.val() == self.input_tiles.val();
        self.last_tap.next = self.kernel_x.q.val() == self.kernel_width.val();
        self.last_tap_row.next = self.kernel_y.q.val() == self.kernel_height.val();
        self.last_output_tile.next = self.output_tile_register.q.val() == self.output_tiles.val();
        self.last_tile.next =
            self.last_input_tile.val() && self.last_tap.val() && self.last_tap_row.val();

        comment!("pixels");
        if self.issue.val() {
            self.fresh_register.d.next = false;
            self.pixel_register.d.next = self.pixel_register.q.val() + 1;
            self.x.d.next = self.x.q.val() + 1;
            if self.row_end.val() {
                self.x.d.next = 0.into();
                self.y.d.next = self.y.q.val() + 1;
            }
            if self.last_pixel.val() {
                self.streaming.d.next = false;
            }
        }
        if !self.old_enough.val() {
            self.age.d.next = self.age.q.val() + 1;
        }
        if self.tile_end.val() || self.layer_start.val() {
            self.streaming.d.next = true;
            self.fresh_register.d.next = true;
            self.age.d.next = 0.into();
            self.pixel_register.d.next = 0.into();
            self.x.d.next = 0.into();
            self.y.d.next = 0.into();
        }

        comment!("tiles");
        if self.tile_end.val() {
            self.first_tile_register.d.next = false;
            self.input_tile.d.next = self.input_tile.q.val() + 1;
            if self.last_input_tile.val() {
                self.input_tile.d.next = 0.into();
                self.kernel_x.d.next = self.kernel_x.q.val() + 1;
                if self.last_tap.val() {
                    self.kernel_x.d.next = 0.into();
                    self.kernel_y.d.next = self.kernel_y.q.val() + 1;
                    if self.last_tap_row.val() {
                        self.kernel_y.d.next = 0.into();
                        self.output_tile_register.d.next = self.output_tile_register.q.val() + 1;
                        self.first_tile_register.d.next = true;
                    }
                }
            }
        }
        if self.layer_start.val() {
            self.first_tile_register.d.next = true;
            self.input_tile.d.next = 0.into();
            self.kernel_x.d.next = 0.into();
            self.kernel_y.d.next = 0.into();
            self.output_tile_register.d.next = 0.into();
        }

        self.fresh.next = self.fresh_register.q.val();
        self.advance.next = self.issue.val() && !self.last_pixel.val();
        self.pixel.next = self.pixel_register.q.val();
        self.output_tile.next = self.output_tile_register.q.val();
        self.first_tile.next = self.first_tile_register.q.val();
        comment!("what follows the tile");
        self.next_input_tile.next = self.tile_end.val() && !self.last_input_tile.val();
        self.next_tap.next =
            self.tile_end.val() && self.last_input_tile.val() && !self.last_tap.val();
        self.next_tap_row.next = self.tile_end.val()
            && self.last_input_tile.val()
            && self.last_tap.val()
            && !self.last_tap_row.val();
        self.next_output_tile.next =
            self.tile_end.val() && self.last_tile.val() && !self.last_output_tile.val();
        self.restart.next = self.tile_end.val() && !self.last_tile.val();
        self.layer_end.next =
            self.tile_end.val() && self.last_tile.val() && self.last_output_tile.val();
    }
}
