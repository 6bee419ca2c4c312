//! Addresses of the pixels that a layer reads, without a multiplier.
//!
//! All address arithmetic is modulo 2¹⁶: an address outside the map is never used,
//! because the coordinates say so.

use crate::comment;
use crate::fixed::Fixed;
use rust_hdl::prelude::*;

/// Coordinates and address of the input pixel under the current tap.
///
/// The sequencer strobes `advance` with every pixel before the last, and `tile_end`. Where
/// the next tile starts is worked out while the current one streams: a tile lasts at least
/// five clocks, and the start is in its register after two.
#[derive(LogicBlock, Default)]
pub struct WindowAddress {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A layer begins: first window, first tap.
    pub layer_start: Signal<In, Bit>,
    /// Next output pixel.
    pub advance: Signal<In, Bit>,
    /// The current pixel is the last of its output row.
    pub row_end: Signal<In, Bit>,
    /// The next tile begins.
    pub tile_end: Signal<In, Bit>,
    /// It has the next input channels,
    pub next_input_tile: Signal<In, Bit>,
    /// or the next column of the window,
    pub next_tap: Signal<In, Bit>,
    /// or the first column of the next row, or else it begins the next output tile.
    pub next_tap_row: Signal<In, Bit>,
    /// Offset of the channel group in which the next output tile begins to read.
    pub next_base: Signal<In, Bits<16>>,
    /// Tile of rows within an activation word in which the output tile begins to read.
    pub first_select: Signal<In, Bits<4>>,
    /// That of the next output tile.
    pub next_select: Signal<In, Bits<4>>,
    /// Descriptor field.
    pub origin: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub stride_rows: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub stride_columns: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub padding_above: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub padding_in_front: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub dilation_rows: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub dilation_columns: Signal<In, Bits<6>>,
    /// Descriptor field.
    pub repeat_rows: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub repeat_columns: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub input_height: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub input_width: Signal<In, Bits<12>>,
    /// Descriptor field.
    pub input_plane: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub row_step: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub tap_row_step: Signal<In, Bits<16>>,
    /// Address of the pixel.
    pub address: Signal<Out, Bits<16>>,
    /// Whether the pixel lies in the map, not in the padding.
    pub in_map: Signal<Out, Bit>,
    /// Which tile of rows within the activation word.
    pub select: Signal<Out, Bits<4>>,
    tap_x: DFF<Bits<14>>,
    tap_y: DFF<Bits<14>>,
    x: DFF<Bits<14>>,
    y: DFF<Bits<14>>,
    tap_address: DFF<Bits<16>>,
    tile_address: DFF<Bits<16>>,
    row_address: DFF<Bits<16>>,
    pixel_address: DFF<Bits<16>>,
    group: DFF<Bits<4>>,
    columns_left: DFF<Bits<3>>,
    last_column: DFF<Bit>,
    rows_left: DFF<Bits<3>>,
    last_row: DFF<Bit>,
    stride_x: Signal<Local, Bits<14>>,
    stride_y: Signal<Local, Bits<14>>,
    stride_address: Signal<Local, Bits<16>>,
    dilation_x: Signal<Local, Bits<14>>,
    dilation_y: Signal<Local, Bits<14>>,
    dilation_address: Signal<Local, Bits<16>>,
    margin_x: Signal<Local, Bits<14>>,
    margin_y: Signal<Local, Bits<14>>,
    width: Signal<Local, Bits<14>>,
    height: Signal<Local, Bits<14>>,
    next_row: Signal<Local, Bits<16>>,
    target: DFF<Bits<16>>,
    target_x: DFF<Bits<14>>,
    target_y: DFF<Bits<14>>,
    start: Signal<Local, Bits<16>>,
    start_x: Signal<Local, Bits<14>>,
    start_y: Signal<Local, Bits<14>>,
    last_group: Fixed<Bits<4>>,
}

impl WindowAddress {
    /// `tiles_per_word` tiles of rows lie side by side in an activation word.
    pub fn new(tiles_per_word: usize) -> Self {
        Self {
            last_group: Fixed::new(tiles_per_word - 1),
            ..Self::default()
        }
    }
}

impl Logic for WindowAddress {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module window_address: Input pixel under the current tap, by additions only.");
        comment!(
            "All outputs stand for the current pixel; a strobe moves to another one in the next \
             clock. Addresses count modulo their width: one outside the map is never used."
        );
        comment!("ports layer_start: where to go next, from the sequencer");
        comment!("ports next_base: where output tiles begin to read");
        comment!("ports origin: the layer's descriptor");
        comment!("ports address: the pixel, whether it lies in the map, and its tile of rows");
        dff_setup!(
            self,
            clock,
            tap_x,
            tap_y,
            x,
            y,
            tap_address,
            tile_address,
            row_address,
            pixel_address,
            group,
            columns_left,
            last_column,
            rows_left,
            last_row,
            target,
            target_x,
            target_y
        );
        self.stride_x.next = bit_cast::<14, 3>(self.stride_columns.val());
        self.stride_y.next = bit_cast::<14, 3>(self.stride_rows.val());
        self.stride_address.next = bit_cast::<16, 3>(self.stride_columns.val());
        self.dilation_x.next = bit_cast::<14, 6>(self.dilation_columns.val());
        self.dilation_y.next = bit_cast::<14, 6>(self.dilation_rows.val());
        self.dilation_address.next = bit_cast::<16, 6>(self.dilation_columns.val());
        self.margin_x.next = bits::<14>(0) - bit_cast::<14, 6>(self.padding_in_front.val());
        self.margin_y.next = bits::<14>(0) - bit_cast::<14, 6>(self.padding_above.val());
        self.width.next = bit_cast::<14, 12>(self.input_width.val());
        self.height.next = bit_cast::<14, 12>(self.input_height.val());
        self.next_row.next = self.row_address.q.val() + self.row_step.val();

        comment!("where the next tile starts");
        self.target.d.next = self.origin.val() + self.next_base.val();
        self.target_x.d.next = self.margin_x.val();
        self.target_y.d.next = self.margin_y.val();
        if self.next_tap_row.val() {
            self.target.d.next = self.tap_address.q.val() + self.tap_row_step.val();
            self.target_y.d.next = self.tap_y.q.val() + self.dilation_y.val();
        }
        if self.next_tap.val() {
            self.target.d.next = self.tap_address.q.val() + self.dilation_address.val();
            self.target_x.d.next = self.tap_x.q.val() + self.dilation_x.val();
            self.target_y.d.next = self.tap_y.q.val();
        }
        if self.next_input_tile.val() {
            self.target.d.next = self.tile_address.q.val();
            if self.group.q.val() == self.last_group.val() {
                self.target.d.next = self.tile_address.q.val() + self.input_plane.val();
            }
            self.target_x.d.next = self.tap_x.q.val();
            self.target_y.d.next = self.tap_y.q.val();
        }
        self.start.next = self.target.q.val();
        self.start_x.next = self.target_x.q.val();
        self.start_y.next = self.target_y.q.val();
        if self.layer_start.val() {
            self.start.next = self.origin.val();
            self.start_x.next = self.margin_x.val();
            self.start_y.next = self.margin_y.val();
        }

        comment!("the next pixel, which may be the same one again, as may a whole row");
        if self.advance.val() {
            self.columns_left.d.next = self.columns_left.q.val() - 1;
            self.last_column.d.next = self.columns_left.q.val() == 1;
            if self.last_column.q.val() {
                self.columns_left.d.next = self.repeat_columns.val();
                self.last_column.d.next = self.repeat_columns.val() == 0;
                self.x.d.next = self.x.q.val() + self.stride_x.val();
                self.pixel_address.d.next = self.pixel_address.q.val() + self.stride_address.val();
            }
            if self.row_end.val() {
                self.columns_left.d.next = self.repeat_columns.val();
                self.last_column.d.next = self.repeat_columns.val() == 0;
                self.x.d.next = self.tap_x.q.val();
                self.pixel_address.d.next = self.row_address.q.val();
                self.rows_left.d.next = self.rows_left.q.val() - 1;
                self.last_row.d.next = self.rows_left.q.val() == 1;
                if self.last_row.q.val() {
                    self.rows_left.d.next = self.repeat_rows.val();
                    self.last_row.d.next = self.repeat_rows.val() == 0;
                    self.y.d.next = self.y.q.val() + self.stride_y.val();
                    self.row_address.d.next = self.next_row.val();
                    self.pixel_address.d.next = self.next_row.val();
                }
            }
        }
        if self.tile_end.val() || self.layer_start.val() {
            self.tap_x.d.next = self.start_x.val();
            self.tap_y.d.next = self.start_y.val();
            self.x.d.next = self.start_x.val();
            self.y.d.next = self.start_y.val();
            self.columns_left.d.next = self.repeat_columns.val();
            self.last_column.d.next = self.repeat_columns.val() == 0;
            self.rows_left.d.next = self.repeat_rows.val();
            self.last_row.d.next = self.repeat_rows.val() == 0;
            self.tile_address.d.next = self.start.val();
            self.row_address.d.next = self.start.val();
            self.pixel_address.d.next = self.start.val();
            if self.next_input_tile.val() && !self.layer_start.val() {
                self.group.d.next = self.group.q.val() + 1;
                if self.group.q.val() == self.last_group.val() {
                    self.group.d.next = 0.into();
                }
            } else {
                self.group.d.next = self.next_select.val();
                if self.next_tap.val() || self.next_tap_row.val() {
                    self.group.d.next = self.first_select.val();
                }
                if self.layer_start.val() {
                    self.group.d.next = 0.into();
                }
                self.tap_address.d.next = self.start.val();
            }
        }
        self.address.next = self.pixel_address.q.val();
        self.in_map.next =
            (self.x.q.val() < self.width.val()) && (self.y.q.val() < self.height.val());
        self.select.next = self.group.q.val();
    }
}

/// Address of the residual operand of the current output pixel, and the channel
/// group of the current output tile.
#[derive(LogicBlock, Default)]
pub struct OperandAddress {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A layer begins.
    pub layer_start: Signal<In, Bit>,
    /// Next output pixel.
    pub advance: Signal<In, Bit>,
    /// The current pixel is the last of its output row.
    pub row_end: Signal<In, Bit>,
    /// The next tile begins.
    pub tile_end: Signal<In, Bit>,
    /// It begins the next output tile.
    pub last_tile: Signal<In, Bit>,
    /// Descriptor field.
    pub operand_stride: Signal<In, Bits<2>>,
    /// Descriptor field.
    pub operand_row_step: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub operand_plane: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub operand_base: Signal<In, Bits<16>>,
    /// Address of the operand.
    pub address: Signal<Out, Bits<16>>,
    /// Which tile of columns within the activation word.
    pub select: Signal<Out, Bits<4>>,
    /// Offset of the next output tile's channel group.
    pub next_base: Signal<Out, Bits<16>>,
    base: DFF<Bits<16>>,
    row_address: DFF<Bits<16>>,
    pixel_address: DFF<Bits<16>>,
    group: DFF<Bits<4>>,
    step: Signal<Local, Bits<16>>,
    next_row: Signal<Local, Bits<16>>,
    following_base: DFF<Bits<16>>,
    last_group: Fixed<Bits<4>>,
}

impl OperandAddress {
    /// `tiles_per_word` tiles of columns lie side by side in an activation word.
    pub fn new(tiles_per_word: usize) -> Self {
        Self {
            last_group: Fixed::new(tiles_per_word - 1),
            ..Self::default()
        }
    }
}

impl Logic for OperandAddress {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module operand_address: Residual operand of the current output pixel.");
        comment!("ports layer_start: where to go next, from the sequencer");
        comment!("ports operand_stride: the layer's descriptor");
        comment!("ports address: the pixel and its tile of columns");
        comment!("ports next_base: where the next output tile begins");
        dff_setup!(
            self,
            clock,
            base,
            row_address,
            pixel_address,
            group,
            following_base
        );
        self.step.next = bit_cast::<16, 2>(self.operand_stride.val());
        self.next_row.next = self.row_address.q.val() + self.operand_row_step.val();
        self.following_base.d.next = self.base.q.val();
        if self.group.q.val() == self.last_group.val() {
            self.following_base.d.next = self.base.q.val() + self.operand_plane.val();
        }
        if self.advance.val() {
            self.pixel_address.d.next = self.pixel_address.q.val() + self.step.val();
            if self.row_end.val() {
                self.row_address.d.next = self.next_row.val();
                self.pixel_address.d.next = self.next_row.val();
            }
        }
        if self.tile_end.val() {
            self.row_address.d.next = self.base.q.val();
            self.pixel_address.d.next = self.base.q.val();
        }
        if self.tile_end.val() && self.last_tile.val() {
            self.base.d.next = self.following_base.q.val();
            self.row_address.d.next = self.following_base.q.val();
            self.pixel_address.d.next = self.following_base.q.val();
            self.group.d.next = self.group.q.val() + 1;
            if self.group.q.val() == self.last_group.val() {
                self.group.d.next = 0.into();
            }
        }
        if self.layer_start.val() {
            self.base.d.next = 0.into();
            self.row_address.d.next = 0.into();
            self.pixel_address.d.next = 0.into();
            self.group.d.next = 0.into();
        }
        self.address.next = self.pixel_address.q.val() + self.operand_base.val();
        self.select.next = self.group.q.val();
        self.next_base.next = self.following_base.q.val();
    }
}
