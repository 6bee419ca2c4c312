//! Where the groups of channels of an output tile begin, without a multiplier or divider.

use crate::comment;
use crate::fixed::Fixed;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// First group of the current output tile and of the next one.
///
/// From one output tile to the next, as many whole groups pass as fit into the columns; the columns
/// that are left reach over the end of one more, or not. The channels that pass are counted in
/// tiles of rows, over which the address of the next output tile's first input walks while the
/// current one streams: an output tile has at least as many tiles as that, of five clocks each.
#[derive(LogicBlock, Default)]
pub struct GroupWalk {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A layer begins.
    pub layer_start: Signal<In, Bit>,
    /// The next output tile begins.
    pub advance: Signal<In, Bit>,
    /// Descriptor field.
    pub group_inputs: Signal<In, Bits<14>>,
    /// Descriptor field.
    pub group_outputs: Signal<In, Bits<14>>,
    /// Descriptor field.
    pub group_rest: Signal<In, Bits<7>>,
    /// Descriptor field.
    pub group_rows: Signal<In, Bits<14>>,
    /// Descriptor field.
    pub input_plane: Signal<In, Bits<16>>,
    /// Columns that the first group still has, less one.
    pub columns: Signal<Out, Bits<14>>,
    /// Row of its first input.
    pub row: Signal<Out, Bits<6>>,
    /// Which tile of rows within the activation word that is in.
    pub select: Signal<Out, Bits<4>>,
    /// `columns` of the next output tile; this and `next_row` from the second clock of one on.
    pub next_columns: Signal<Out, Bits<14>>,
    /// `row` of the next output tile.
    pub next_row: Signal<Out, Bits<6>>,
    /// `select` of the next output tile.
    pub next_select: Signal<Out, Bits<4>>,
    /// Offset of that word's channel group.
    pub next_base: Signal<Out, Bits<16>>,
    columns_register: DFF<Bits<14>>,
    row_register: DFF<Bits<6>>,
    select_register: DFF<Bits<4>>,
    fresh: DFF<Bit>,
    counted: DFF<Bit>,
    tiles_left: DFF<Bits<14>>,
    lead_select: DFF<Bits<4>>,
    lead_base: DFF<Bits<16>>,
    rest: Signal<Local, Bits<14>>,
    one_more: Signal<Local, Bit>,
    following: DFF<Bits<14>>,
    rows_passed: DFF<Bits<20>>,
    row_mask: Fixed<Bits<6>>,
    last_select: Fixed<Bits<4>>,
    _row_bits: usize,
}

impl GroupWalk {
    /// The walk over the tiles of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        let rows = configuration.rows;
        Self {
            row_mask: Fixed::new(rows - 1),
            last_select: Fixed::new(configuration.activation_lanes() / rows - 1),
            _row_bits: rows.trailing_zeros() as usize,
            ..Self::default()
        }
    }
}

impl Logic for GroupWalk {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module group_walk: Where the groups of channels of an output tile begin.");
        comment!(
            "An ungrouped layer is one of one group, whose first input is that of every output tile."
        );
        comment!("ports layer_start: where to go next, from the sequencer");
        comment!("ports group_inputs: the layer's descriptor");
        comment!("ports columns: the output tile's first group and input");
        comment!("ports next_columns: those of the next one");
        dff_setup!(
            self,
            clock,
            columns_register,
            row_register,
            select_register,
            fresh,
            counted,
            following,
            rows_passed,
            tiles_left,
            lead_select,
            lead_base
        );
        self.rest.next = bit_cast::<14, 7>(self.group_rest.val());
        self.one_more.next = self.columns_register.q.val() < self.rest.val();
        self.following.d.next = self.columns_register.q.val() - self.rest.val();
        self.rows_passed.d.next = bit_cast::<20, 6>(self.row_register.q.val())
            + bit_cast::<20, 14>(self.group_rows.val());
        if self.one_more.val() {
            self.following.d.next =
                self.columns_register.q.val() - self.rest.val() + self.group_outputs.val() + 1;
            self.rows_passed.d.next = bit_cast::<20, 6>(self.row_register.q.val())
                + bit_cast::<20, 14>(self.group_rows.val())
                + bit_cast::<20, 14>(self.group_inputs.val())
                + 1;
        }
        self.next_columns.next = self.following.q.val();
        self.next_row.next = self.rows_passed.q.val().get_bits::<6>(0) & self.row_mask.val();

        comment!("over as many tiles of rows as pass, one a clock");
        if self.tiles_left.q.val().any() {
            self.tiles_left.d.next = self.tiles_left.q.val() - 1;
            self.lead_select.d.next = self.lead_select.q.val() + 1;
            if self.lead_select.q.val() == self.last_select.val() {
                self.lead_select.d.next = 0.into();
                self.lead_base.d.next = self.lead_base.q.val() + self.input_plane.val();
            }
        }
        self.fresh.d.next = false;
        self.counted.d.next = self.fresh.q.val();
        if self.counted.q.val() {
            for bit in self._row_bits..(self._row_bits + 1) {
                self.tiles_left.d.next = self.rows_passed.q.val().get_bits::<14>(bit);
            }
        }
        if self.advance.val() {
            self.fresh.d.next = true;
            self.columns_register.d.next = self.next_columns.val();
            self.row_register.d.next = self.next_row.val();
            self.select_register.d.next = self.lead_select.q.val();
        }
        if self.layer_start.val() {
            self.fresh.d.next = true;
            self.tiles_left.d.next = 0.into();
            self.columns_register.d.next = self.group_outputs.val();
            self.row_register.d.next = 0.into();
            self.select_register.d.next = 0.into();
            self.lead_select.d.next = 0.into();
            self.lead_base.d.next = 0.into();
        }
        self.columns.next = self.columns_register.q.val();
        self.row.next = self.row_register.q.val();
        self.select.next = self.select_register.q.val();
        self.next_select.next = self.lead_select.q.val();
        self.next_base.next = self.lead_base.q.val();
    }
}
