//! What enters the activation buffers: a layer's outputs, or the host's input image.

use super::rotate::RotationStage;
use crate::comment;
use brownout_spec::config::Configuration;
use rust_hdl::prelude::*;

/// Writes deskewed outputs in the order in which they come: output tile, pixel.
///
/// Lanes beyond the layer's channels are written as zero, or kept. An output may begin in any lane
/// of a tile of columns: columns are rotated, and what reaches beyond the tile is written in the
/// clock after, in which no other output comes.
#[derive(LogicBlock)]
pub struct Writer {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A layer begins.
    pub layer_start: Signal<In, Bit>,
    /// Layer constant: buffer to write.
    pub destination: Signal<In, Bits<2>>,
    /// Layer constant: address of the first word.
    pub destination_base: Signal<In, Bits<16>>,
    /// Layer constant: tile of columns in it at which the first output tile is written.
    pub destination_tile: Signal<In, Bits<4>>,
    /// Layer constant: lane of a tile of columns in which column 0 is written.
    pub destination_lane: Signal<In, Bits<6>>,
    /// Layer constant: outputs reach beyond a tile of columns.
    pub split: Signal<In, Bit>,
    /// Layer constant: lanes beyond the layer's channels are kept.
    pub keep: Signal<In, Bit>,
    /// Layer constant: pixels - 1.
    pub output_plane: Signal<In, Bits<16>>,
    /// Layer constant: output tiles - 1.
    pub output_tiles: Signal<In, Bits<12>>,
    /// Layer constant: columns in use in the last output tile.
    pub last_columns: Signal<In, Bits<7>>,
    /// Outputs of one pixel are there.
    pub activation_valid: Signal<In, Bit>,
    /// One for each column.
    pub activation: Vec<Signal<In, Bits<8>>>,
    /// The host writes four lanes into buffer 0.
    pub host_write: Signal<In, Bit>,
    /// The host's word.
    pub host_address: Signal<In, Bits<16>>,
    /// The host's group of four lanes.
    pub host_group: Signal<In, Bits<4>>,
    /// The host's lanes, the lowest in bits 7..0.
    pub host_data: Signal<In, Bits<32>>,
    /// Buffer to write.
    pub write_buffer: Signal<Out, Bits<2>>,
    /// Word to write.
    pub write_address: Signal<Out, Bits<16>>,
    /// Lanes to write.
    pub write_lane: Vec<Signal<Out, Bit>>,
    /// What to write.
    pub write_data: Vec<Signal<Out, Bits<8>>>,
    pixel: DFF<Bits<16>>,
    base: DFF<Bits<16>>,
    group: DFF<Bits<4>>,
    buffer_register: DFF<Bits<2>>,
    address_register: DFF<Bits<16>>,
    lane_register: Vec<DFF<Bit>>,
    data_register: Vec<DFF<Bits<8>>>,
    last_column_used: Vec<DFF<Bit>>,
    tiles_left: DFF<Bits<12>>,
    last_tile: DFF<Bit>,
    rotation: Vec<RotationStage>,
    is_used: Vec<Signal<Local, Bit>>,
    before: Vec<DFF<Bit>>,
    wraps: Signal<Local, Bit>,
    base_after: Signal<Local, Bits<16>>,
    second: DFF<Bit>,
    second_base: DFF<Bits<16>>,
    second_pixel: DFF<Bits<16>>,
    second_group: DFF<Bits<4>>,
    kept_used: Vec<DFF<Bit>>,
    unplaced: Vec<Signal<Local, Bits<9>>>,
    placed: Vec<Signal<Local, Bits<9>>>,
    column_number: Vec<Constant<Bits<7>>>,
    last_group: Constant<Bits<4>>,
    _columns: usize,
    _lanes: usize,
    _stages: usize,
}

impl Writer {
    /// The writer of a configuration.
    pub fn new(configuration: &Configuration) -> Self {
        fn many<T: Default>(count: usize) -> Vec<T> {
            (0..count).map(|_| T::default()).collect()
        }
        let columns = configuration.columns;
        let lanes = configuration.activation_lanes();
        Self {
            clock: Default::default(),
            layer_start: Default::default(),
            destination: Default::default(),
            destination_base: Default::default(),
            destination_tile: Default::default(),
            destination_lane: Default::default(),
            split: Default::default(),
            keep: Default::default(),
            output_plane: Default::default(),
            output_tiles: Default::default(),
            last_columns: Default::default(),
            activation_valid: Default::default(),
            activation: many(columns),
            host_write: Default::default(),
            host_address: Default::default(),
            host_group: Default::default(),
            host_data: Default::default(),
            write_buffer: Default::default(),
            write_address: Default::default(),
            write_lane: many(lanes),
            write_data: many(lanes),
            pixel: Default::default(),
            base: Default::default(),
            group: Default::default(),
            buffer_register: Default::default(),
            address_register: Default::default(),
            lane_register: many(lanes),
            data_register: many(lanes),
            last_column_used: many(columns),
            tiles_left: Default::default(),
            last_tile: Default::default(),
            rotation: (0..columns.trailing_zeros())
                .map(|stage| RotationStage::new(columns, 1 << stage))
                .collect(),
            is_used: many(columns),
            before: many(columns),
            wraps: Default::default(),
            base_after: Default::default(),
            second: Default::default(),
            second_base: Default::default(),
            second_pixel: Default::default(),
            second_group: Default::default(),
            kept_used: many(columns),
            unplaced: many(columns),
            placed: many(columns),
            column_number: (0..columns)
                .map(|j| Constant::new((j as u64).into()))
                .collect(),
            last_group: Constant::new(((lanes / columns - 1) as u64).into()),
            _columns: columns,
            _lanes: lanes,
            _stages: columns.trailing_zeros() as usize,
        }
    }
}

impl Logic for Writer {
    #[hdl_gen]
    fn update(&mut self) {
        comment!(
            "module writer: Puts outputs, or the input image, into the activation buffers, one \
             clock later."
        );
        comment!("ports layer_start: the layer");
        comment!("ports activation_valid: outputs of a pixel");
        comment!("ports host_write: four lanes of the input image");
        comment!("ports write_buffer: write port of the activation buffers");
        dff_setup!(
            self,
            clock,
            pixel,
            base,
            group,
            tiles_left,
            last_tile,
            buffer_register,
            address_register,
            second,
            second_base,
            second_pixel,
            second_group
        );
        comment!("position of the next output");
        self.wraps.next = self.group.q.val() == self.last_group.val();
        self.base_after.next = self.base.q.val() + self.output_plane.val() + 1;
        if self.activation_valid.val() {
            self.pixel.d.next = self.pixel.q.val() + 1;
            if self.pixel.q.val() == self.output_plane.val() {
                self.pixel.d.next = 0.into();
                self.tiles_left.d.next = self.tiles_left.q.val() - 1;
                self.last_tile.d.next = self.tiles_left.q.val() == 1;
                self.group.d.next = self.group.q.val() + 1;
                if self.wraps.val() {
                    self.group.d.next = 0.into();
                    self.base.d.next = self.base_after.val();
                }
            }
        }
        if self.layer_start.val() {
            self.pixel.d.next = 0.into();
            self.tiles_left.d.next = self.output_tiles.val();
            self.last_tile.d.next = self.output_tiles.val() == 0;
            self.group.d.next = self.destination_tile.val();
            self.base.d.next = self.destination_base.val();
        }

        comment!("where the next clock writes what reaches beyond the tile of columns");
        self.second.d.next = self.activation_valid.val() && self.split.val();
        self.second_pixel.d.next = self.pixel.q.val();
        self.second_base.d.next = self.base.q.val();
        self.second_group.d.next = self.group.q.val() + 1;
        if self.wraps.val() {
            self.second_base.d.next = self.base_after.val();
            self.second_group.d.next = 0.into();
        }

        comment!("columns beyond the layer's channels are zero; they are known long before");
        for j in 0..self._columns {
            self.last_column_used[j].clock.next = self.clock.val();
            self.last_column_used[j].d.next = self.column_number[j].val() < self.last_columns.val();
            self.before[j].clock.next = self.clock.val();
            self.before[j].d.next =
                self.column_number[j].val() < bit_cast::<7, 6>(self.destination_lane.val());
            self.is_used[j].next = !self.last_tile.q.val() || self.last_column_used[j].q.val();
            self.unplaced[j].next = 0.into();
            if self.is_used[j].val() {
                self.unplaced[j].next = self.activation[j].val().index().to_bits::<9>();
            }
        }
        comment!("to the lanes of a tile");
        for j in 0..self._columns {
            self.rotation[0].lane[j].next =
                self.unplaced[j].val().replace_bit(8, self.is_used[j].val());
        }
        for s in 0..self._stages {
            self.rotation[s].moves.next = self.destination_lane.val().get_bit(s);
        }
        for s in 1..self._stages {
            for j in 0..self._columns {
                self.rotation[s].lane[j].next = self.rotation[s - 1].rotated[j].val();
            }
        }
        for s in self._stages..(self._stages + 1) {
            for j in 0..self._columns {
                self.placed[j].next = self.rotation[s - 1].rotated[j].val();
                self.kept_used[j].clock.next = self.clock.val();
                self.kept_used[j].d.next = self.placed[j].val().get_bit(8);
            }
        }

        self.buffer_register.d.next = self.destination.val();
        self.address_register.d.next = self.base.q.val() + self.pixel.q.val();
        if self.second.q.val() {
            self.address_register.d.next = self.second_base.q.val() + self.second_pixel.q.val();
        }
        if self.host_write.val() {
            self.buffer_register.d.next = 0.into();
            self.address_register.d.next = self.host_address.val();
        }
        for l in 0..self._lanes {
            self.lane_register[l].clock.next = self.clock.val();
            self.data_register[l].clock.next = self.clock.val();
        }
        for g in 0..(self._lanes / 4) {
            for k in 0..4 {
                self.lane_register[4 * g + k].d.next =
                    self.host_write.val() && (self.host_group.val().index() == g);
                self.data_register[4 * g + k].d.next = self.host_data.val().get_bits::<8>(8 * k);
            }
        }
        for n in self._columns..(self._columns + 1) {
            for s in 0..(self._lanes / self._columns) {
                for j in 0..self._columns {
                    if self.activation_valid.val() {
                        self.lane_register[s * n + j].d.next = (self.group.q.val().index() == s)
                            && !self.before[j].q.val()
                            && (!self.keep.val() || self.placed[j].val().get_bit(8));
                        self.data_register[s * n + j].d.next =
                            self.placed[j].val().get_bits::<8>(0);
                    }
                    if self.second.q.val() {
                        self.lane_register[s * n + j].d.next = (self.second_group.q.val().index()
                            == s)
                            && self.before[j].q.val()
                            && self.kept_used[j].q.val();
                        self.data_register[s * n + j].d.next =
                            self.data_register[s * n + j].q.val();
                    }
                }
            }
        }
        for l in 0..self._lanes {
            self.write_lane[l].next = self.lane_register[l].q.val();
            self.write_data[l].next = self.data_register[l].q.val();
        }
        self.write_buffer.next = self.buffer_register.q.val();
        self.write_address.next = self.address_register.q.val();
    }
}
