//! Addresses of the pixels that a layer reads, without a multiplier.
//!
//! All address arithmetic is modulo 2¹⁶: an address outside the map is never used,
//! because the coordinates say so.

use crate::comment;
use crate::fixed::Fixed;
use rust_hdl::prelude::*;

/// Coordinates and address of the input pixel under the current tap.
///
/// The sequencer strobes one of the `next_*` inputs at the end of a tile and
/// `advance` with every pixel before the last.
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
    /// Next tile of input channels.
    pub next_input_tile: Signal<In, Bit>,
    /// Next column of the window.
    pub next_tap: Signal<In, Bit>,
    /// First column of the next row of the window.
    pub next_tap_row: Signal<In, Bit>,
    /// First tap of the next output tile.
    pub next_output_tile: Signal<In, Bit>,
    /// Offset of the next output tile's channel group (pools), else zero.
    pub next_base: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub origin: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub stride: Signal<In, Bits<3>>,
    /// Descriptor field.
    pub padding: Signal<In, Bits<6>>,
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
    stride_x: Signal<Local, Bits<14>>,
    stride_address: Signal<Local, Bits<16>>,
    margin: Signal<Local, Bits<14>>,
    width: Signal<Local, Bits<14>>,
    height: Signal<Local, Bits<14>>,
    next_row: Signal<Local, Bits<16>>,
    target: Signal<Local, Bits<16>>,
    target_x: Signal<Local, Bits<14>>,
    target_y: Signal<Local, Bits<14>>,
    jump: Signal<Local, Bit>,
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
        comment!("ports next_base: offset of the next output tile's channel group, in pools");
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
            group
        );
        self.stride_x.next = bit_cast::<14, 3>(self.stride.val());
        self.stride_address.next = bit_cast::<16, 3>(self.stride.val());
        self.margin.next = bits::<14>(0) - bit_cast::<14, 6>(self.padding.val());
        self.width.next = bit_cast::<14, 12>(self.input_width.val());
        self.height.next = bit_cast::<14, 12>(self.input_height.val());
        self.next_row.next = self.row_address.q.val() + self.row_step.val();

        comment!("where the next tile starts");
        self.jump.next = false;
        self.target.next = self.origin.val();
        self.target_x.next = self.tap_x.q.val();
        self.target_y.next = self.tap_y.q.val();
        if self.layer_start.val() {
            self.jump.next = true;
            self.target_x.next = self.margin.val();
            self.target_y.next = self.margin.val();
        }
        if self.next_input_tile.val() {
            self.jump.next = true;
            self.target.next = self.tile_address.q.val();
            if self.group.q.val() == self.last_group.val() {
                self.target.next = self.tile_address.q.val() + self.input_plane.val();
            }
        }
        if self.next_tap.val() {
            self.jump.next = true;
            self.target.next = self.tap_address.q.val() + 1;
            self.target_x.next = self.tap_x.q.val() + 1;
        }
        if self.next_tap_row.val() {
            self.jump.next = true;
            self.target.next = self.tap_address.q.val() + self.tap_row_step.val();
            self.target_x.next = self.margin.val();
            self.target_y.next = self.tap_y.q.val() + 1;
        }
        if self.next_output_tile.val() {
            self.jump.next = true;
            self.target.next = self.origin.val() + self.next_base.val();
            self.target_x.next = self.margin.val();
            self.target_y.next = self.margin.val();
        }

        if self.advance.val() {
            self.x.d.next = self.x.q.val() + self.stride_x.val();
            self.pixel_address.d.next = self.pixel_address.q.val() + self.stride_address.val();
            if self.row_end.val() {
                self.x.d.next = self.tap_x.q.val();
                self.y.d.next = self.y.q.val() + self.stride_x.val();
                self.row_address.d.next = self.next_row.val();
                self.pixel_address.d.next = self.next_row.val();
            }
        }
        if self.jump.val() {
            self.tap_x.d.next = self.target_x.val();
            self.tap_y.d.next = self.target_y.val();
            self.x.d.next = self.target_x.val();
            self.y.d.next = self.target_y.val();
            self.tile_address.d.next = self.target.val();
            self.row_address.d.next = self.target.val();
            self.pixel_address.d.next = self.target.val();
            if self.next_input_tile.val() {
                self.group.d.next = self.group.q.val() + 1;
                if self.group.q.val() == self.last_group.val() {
                    self.group.d.next = 0.into();
                }
            } else {
                self.group.d.next = 0.into();
                self.tap_address.d.next = self.target.val();
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
    /// A tile ends and the next one belongs to the same output tile.
    pub restart: Signal<In, Bit>,
    /// A tile ends and the next one belongs to the next output tile.
    pub next_output_tile: Signal<In, Bit>,
    /// Descriptor field.
    pub operand_stride: Signal<In, Bits<2>>,
    /// Descriptor field.
    pub operand_row_step: Signal<In, Bits<16>>,
    /// Descriptor field.
    pub operand_plane: Signal<In, Bits<16>>,
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
    following_base: Signal<Local, Bits<16>>,
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
        dff_setup!(self, clock, base, row_address, pixel_address, group);
        self.step.next = bit_cast::<16, 2>(self.operand_stride.val());
        self.next_row.next = self.row_address.q.val() + self.operand_row_step.val();
        self.following_base.next = self.base.q.val();
        if self.group.q.val() == self.last_group.val() {
            self.following_base.next = self.base.q.val() + self.operand_plane.val();
        }
        if self.advance.val() {
            self.pixel_address.d.next = self.pixel_address.q.val() + self.step.val();
            if self.row_end.val() {
                self.row_address.d.next = self.next_row.val();
                self.pixel_address.d.next = self.next_row.val();
            }
        }
        if self.restart.val() {
            self.row_address.d.next = self.base.q.val();
            self.pixel_address.d.next = self.base.q.val();
        }
        if self.next_output_tile.val() {
            self.base.d.next = self.following_base.val();
            self.row_address.d.next = self.following_base.val();
            self.pixel_address.d.next = self.following_base.val();
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
        self.address.next = self.pixel_address.q.val();
        self.select.next = self.group.q.val();
        self.next_base.next = self.following_base.val();
    }
}
