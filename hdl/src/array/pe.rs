//! The processing element: one multiply-accumulate cell with a shadow weight.

use crate::comment;
use rust_hdl::prelude::*;

/// One cell of the array, activations `AB` and weights `WB` bits wide: eight bits, or nine where
/// zero points are taken off.
///
/// Products have 16 bits, also of the largest magnitudes, 255 and 128.
///
/// An activation presented in cycle T is multiplied by the active weight into the
/// product register (the DSP block's own), and joins the partial sum that comes
/// from above in T + 1; the sum leaves downwards in T + 2. Activation and load enable
/// move right, the weight bus moves down, one cell a cycle. What belongs to a word
/// moves only while one passes, for a pass has far more pixels than words: a simulator
/// then leaves most of a cell out, and hardware saves its clock. Cells on a diagonal
/// do the same at the same time, so that swap and validity of words are theirs in common.
///
/// The bus carries the weights of as many rows as a word holds, rotated by one
/// lane per row, so that every cell finds its own in lane 0. A swap leaves a zero in
/// the shadow, so that a cell for which no weight comes multiplies by none. Swap and
/// load may coincide: the active weight then takes the old shadow.
#[derive(LogicBlock)]
pub struct Pe<const AB: usize, const WB: usize> {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// Activation from the left.
    pub activation_in: Signal<In, Bits<AB>>,
    /// The shadow becomes the active weight at the end of this cycle, and zero.
    pub swap_in: Signal<In, Bit>,
    /// A word is on the bus.
    pub valid_in: Signal<In, Bit>,
    /// It belongs to this row.
    pub load_in: Signal<In, Bit>,
    /// Weights from above, one lane per row of a word.
    pub bus_in: Vec<Signal<In, Bits<WB>>>,
    /// The word on the bus belongs to this column; no lane if all words do.
    pub gate_in: Vec<Signal<In, Bit>>,
    /// Partial sum from above, one cycle after the activation.
    pub sum_in: Signal<In, Bits<32>>,
    /// Activation to the right.
    pub activation_out: Signal<Out, Bits<AB>>,
    /// Load enable to the right.
    pub load_out: Signal<Out, Bit>,
    /// Weights downwards, rotated by one lane.
    pub bus_out: Vec<Signal<Out, Bits<WB>>>,
    /// Gate downwards.
    pub gate_out: Vec<Signal<Out, Bit>>,
    /// Partial sum downwards, two cycles after the activation.
    pub sum_out: Signal<Out, Bits<32>>,
    activation: DFF<Bits<AB>>,
    load: DFF<Bit>,
    bus: Vec<DFF<Bits<WB>>>,
    gate: Vec<DFF<Bit>>,
    shadow: DFF<Bits<WB>>,
    weight: DFF<Bits<WB>>,
    product: DFF<Signed<32>>,
    sum: DFF<Bits<32>>,
    loads: Signal<Local, Bit>,
    activation_signed: Signal<Local, Signed<AB>>,
    weight_signed: Signal<Local, Signed<WB>>,
    _ways: usize,
    _gates: usize,
}

impl<const AB: usize, const WB: usize> Pe<AB, WB> {
    /// A cell in an array whose words carry `ways` rows, `gated` if they carry only
    /// some of the columns.
    pub fn new(ways: usize, gated: bool) -> Self {
        let gates = usize::from(gated);
        Self {
            clock: Default::default(),
            activation_in: Default::default(),
            swap_in: Default::default(),
            valid_in: Default::default(),
            load_in: Default::default(),
            bus_in: (0..ways).map(|_| Default::default()).collect(),
            gate_in: (0..gates).map(|_| Default::default()).collect(),
            sum_in: Default::default(),
            activation_out: Default::default(),
            load_out: Default::default(),
            bus_out: (0..ways).map(|_| Default::default()).collect(),
            gate_out: (0..gates).map(|_| Default::default()).collect(),
            sum_out: Default::default(),
            activation: Default::default(),
            load: Default::default(),
            bus: (0..ways).map(|_| Default::default()).collect(),
            gate: (0..gates).map(|_| Default::default()).collect(),
            shadow: Default::default(),
            weight: Default::default(),
            product: Default::default(),
            sum: Default::default(),
            loads: Default::default(),
            activation_signed: Default::default(),
            weight_signed: Default::default(),
            _ways: ways,
            _gates: gates,
        }
    }
}

impl<const AB: usize, const WB: usize> Logic for Pe<AB, WB> {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module pe: Multiply-accumulate cell with a shadow weight.");
        comment!(
            "Passes activation and load enable to the right and partial sum and weights down. A load \
             fills the shadow; a swap makes the shadow the weight and leaves zero there, and may come \
             with a load in one clock. The bus and what belongs to it move only while a word passes."
        );
        comment!("ports activation_in: from the left");
        comment!("ports bus_in: from above");
        comment!("ports activation_out: to the right");
        comment!("ports bus_out: to below");
        dff_setup!(self, clock, activation, load, shadow, weight, product, sum);
        self.activation.d.next = self.activation_in.val();
        for k in 0..self._ways {
            self.bus[k].clock.next = self.clock.val();
            self.bus[k].d.next = self.bus[k].q.val();
            self.bus_out[k].next = self.bus[k].q.val();
        }
        self.loads.next = self.load_in.val();
        for g in 0..self._gates {
            self.gate[g].clock.next = self.clock.val();
            self.gate[g].d.next = self.gate[g].q.val();
            self.gate_out[g].next = self.gate[g].q.val();
            self.loads.next = self.load_in.val() && self.gate_in[g].val();
        }

        if self.swap_in.val() {
            self.weight.d.next = self.shadow.q.val();
            self.shadow.d.next = 0.into();
        }
        if self.valid_in.val() {
            self.load.d.next = self.load_in.val();
            for n in self._ways..(self._ways + 1) {
                for k in 0..self._ways {
                    self.bus[k].d.next = self.bus_in[(k + 1) % n].val();
                }
            }
            for g in 0..self._gates {
                self.gate[g].d.next = self.gate_in[g].val();
            }
            if self.loads.val() {
                self.shadow.d.next = self.bus_in[0].val();
            }
        }

        self.activation_signed.next = signed_cast(self.activation_in.val());
        self.weight_signed.next = signed_cast(self.weight.q.val());
        self.product.d.next = signed_bit_cast::<16, AB>(self.activation_signed.val())
            * signed_bit_cast::<16, WB>(self.weight_signed.val());
        self.sum.d.next = self.sum_in.val() + unsigned_cast(self.product.q.val());

        self.activation_out.next = self.activation.q.val();
        self.load_out.next = self.load.q.val();
        self.sum_out.next = self.sum.q.val();
    }
}
