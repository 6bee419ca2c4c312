//! Emitted Verilog, run in Verilator, against what the Rust types say.

mod bench;

use bench::{Bench, lanes};
use brownout_emitter::comment;
use rust_hdl::prelude::*;

/// Pairs with all corners of eight bits and a spread of other values.
fn corner_pairs() -> Vec<(u64, u64)> {
    let corners = [0, 1, 2, 7, 85, 127, 128, 129, 170, 254, 255];
    let mut pairs: Vec<(u64, u64)> = corners
        .iter()
        .flat_map(|a| corners.iter().map(move |b| (*a, *b)))
        .collect();
    pairs.extend((0..256).map(|n| (n, n * 37 % 256)));
    pairs
}

/// Two's complement value of the low `bits` bits.
fn signed_value(value: u64, bits: u32) -> i64 {
    ((value << (64 - bits)) as i64) >> (64 - bits)
}

fn low(value: i64, bits: u32) -> u64 {
    value as u64 & ((1 << bits) - 1)
}

#[derive(LogicBlock, Default)]
struct Arithmetic {
    pub clock: Signal<In, Clock>,
    pub a: Signal<In, Signed<8>>,
    pub b: Signal<In, Signed<8>>,
    pub x: Signal<In, Bits<8>>,
    pub y: Signal<In, Bits<8>>,
    pub product: Signal<Out, Signed<32>>,
    pub low_product: Signal<Out, Bits<10>>,
    pub sum: Signal<Out, Bits<9>>,
    pub difference: Signal<Out, Bits<8>>,
    pub negated: Signal<Out, Signed<8>>,
    pub wrapped_is_zero: Signal<Out, Bit>,
    pub wrapped_half: Signal<Out, Bits<8>>,
    pub signed_less: Signal<Out, Bit>,
    pub unsigned_less: Signal<Out, Bit>,
    pub slice_less: Signal<Out, Bit>,
    pub below_minus_five: Signal<Out, Bit>,
    pub arithmetic_shift: Signal<Out, Signed<12>>,
    pub unsigned_product: Signal<Out, Bits<32>>,
    a_wide: Signal<Local, Signed<16>>,
    b_wide: Signal<Local, Signed<16>>,
    x_wide: Signal<Local, Bits<9>>,
    y_wide: Signal<Local, Bits<9>>,
    x_16: Signal<Local, Bits<16>>,
    y_16: Signal<Local, Bits<16>>,
    product_local: Signal<Local, Signed<32>>,
    product_bits: Signal<Local, Bits<32>>,
}

impl Logic for Arithmetic {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module arithmetic: every operator once");
        self.a_wide.next = signed_bit_cast::<16, 8>(self.a.val());
        self.b_wide.next = signed_bit_cast::<16, 8>(self.b.val());
        self.product_local.next = self.a_wide.val() * self.b_wide.val();
        self.product.next = self.product_local.val();
        self.product_bits.next = unsigned_cast(self.product_local.val());
        self.low_product.next = self.product_bits.val().get_bits::<10>(0);
        self.x_wide.next = bit_cast::<9, 8>(self.x.val());
        self.y_wide.next = bit_cast::<9, 8>(self.y.val());
        self.sum.next = self.x_wide.val() + self.y_wide.val();
        self.difference.next = self.x.val() - self.y.val();
        self.negated.next = -self.a.val();
        self.wrapped_is_zero.next = self.x.val() + 1 == 0;
        self.wrapped_half.next = (self.x.val() + 1) >> 1;
        self.signed_less.next = self.a.val() < self.b.val();
        self.unsigned_less.next = unsigned_cast(self.a.val()) < unsigned_cast(self.b.val());
        self.slice_less.next = self.a_wide.val().get_bits::<8>(0) < self.b.val();
        self.below_minus_five.next = self.a.val() < (-5).into();
        self.arithmetic_shift.next = self.product_local.val().get_bits::<12>(4);
        self.x_16.next = bit_cast::<16, 8>(self.x.val());
        self.y_16.next = bit_cast::<16, 8>(self.y.val());
        self.unsigned_product.next = self.x_16.val() * self.y_16.val();
    }
}

#[test]
fn arithmetic_has_the_widths_and_signs_of_the_rust_types() {
    let outputs = [
        "product",
        "low_product",
        "sum",
        "difference",
        "negated",
        "wrapped_is_zero",
        "wrapped_half",
        "signed_less",
        "unsigned_less",
        "slice_less",
        "below_minus_five",
        "arithmetic_shift",
        "unsigned_product",
    ]
    .map(String::from);
    let inputs = ["a", "b", "x", "y"].map(String::from);
    let Some(bench) = Bench::build(&mut Arithmetic::default(), "arithmetic", &inputs, &outputs)
    else {
        return;
    };
    let pairs = corner_pairs();
    let rows: Vec<Vec<u64>> = pairs.iter().map(|&(a, b)| vec![a, b, a, b]).collect();
    for ((a, b), row) in pairs.iter().zip(bench.run(&rows)) {
        let (sa, sb) = (signed_value(*a, 8), signed_value(*b, 8));
        let expected = [
            low(sa * sb, 32),
            low(sa * sb, 10),
            a + b,
            low(*a as i64 - *b as i64, 8),
            low(-sa, 8),
            u64::from(*a == 255),
            ((a + 1) & 255) >> 1,
            u64::from(sa < sb),
            u64::from(a < b),
            u64::from(sa < sb),
            u64::from(sa < -5),
            low((sa * sb) >> 4, 12),
            a * b,
        ];
        assert_eq!(row, expected, "a = {a}, b = {b}");
    }
}

#[derive(LogicBlock)]
struct BitTricks {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, Bits<8>>,
    pub k: Signal<In, Bits<3>>,
    pub lane: Vec<Signal<In, Bits<8>>>,
    pub any: Signal<Out, Bit>,
    pub all: Signal<Out, Bit>,
    pub parity: Signal<Out, Bit>,
    pub masked_parity: Signal<Out, Bit>,
    pub reversed: Signal<Out, Bits<8>>,
    pub word: Signal<Out, Bits<32>>,
    pub picked_bit: Signal<Out, Bit>,
    pub picked_slice: Signal<Out, Bits<4>>,
    pub flipped: Signal<Out, Bits<8>>,
    pub shifted: Signal<Out, Bits<8>>,
    pub one_hot: Signal<Out, Bits<8>>,
    pub picked_lane: Signal<Out, Bits<8>>,
    pub patched: Signal<Out, Bits<8>>,
    mask: Constant<Bits<8>>,
    x_wide: Signal<Local, Bits<16>>,
    k_wide: Signal<Local, Bits<4>>,
    _lanes: usize,
}

impl BitTricks {
    fn new(lanes: usize) -> Self {
        Self {
            clock: Default::default(),
            x: Default::default(),
            k: Default::default(),
            lane: (0..lanes).map(|_| Default::default()).collect(),
            any: Default::default(),
            all: Default::default(),
            parity: Default::default(),
            masked_parity: Default::default(),
            reversed: Default::default(),
            word: Default::default(),
            picked_bit: Default::default(),
            picked_slice: Default::default(),
            flipped: Default::default(),
            shifted: Default::default(),
            one_hot: Default::default(),
            picked_lane: Default::default(),
            patched: Default::default(),
            mask: Constant::new(0x2c.into()),
            x_wide: Default::default(),
            k_wide: Default::default(),
            _lanes: lanes,
        }
    }
}

impl Logic for BitTricks {
    #[hdl_gen]
    fn update(&mut self) {
        self.any.next = self.x.val().any();
        self.all.next = self.x.val().all();
        self.parity.next = self.x.val().xor();
        self.masked_parity.next = (self.x.val() & self.mask.val()).xor();
        self.reversed.next = 0.into();
        for i in 0..8 {
            self.reversed.next = self
                .reversed
                .val()
                .replace_bit(i, self.x.val().get_bit(7 - i));
        }
        self.word.next = 0.into();
        for l in 0..self._lanes {
            for b in 0..8 {
                self.word.next = self
                    .word
                    .val()
                    .replace_bit(8 * l + b, self.lane[l].val().get_bit(b));
            }
        }
        self.picked_bit.next = self.x.val().get_bit(self.k.val().index());
        self.x_wide.next = bit_cast::<16, 8>(self.x.val());
        self.k_wide.next = bit_cast::<4, 3>(self.k.val());
        self.picked_slice.next = self.x_wide.val().get_bits::<4>(self.k_wide.val().index());
        self.flipped.next = self
            .x
            .val()
            .replace_bit(self.k.val().index(), !self.x.val().get_bit(0));
        self.shifted.next = self.x.val() >> self.k.val();
        self.one_hot.next = bits::<8>(1) << self.k.val();
        self.picked_lane.next = 0.into();
        for l in 0..self._lanes {
            if self.k.val().index() == l {
                self.picked_lane.next = self.lane[l].val();
            }
        }
        self.patched.next = self.x.val() | 0x81;
        if self.k.val() == 3 {
            self.patched.next = self.patched.val().replace_bit(4, true);
        }
    }
}

#[test]
fn bits_lanes_and_variable_indices_go_where_they_belong() {
    let mut inputs = vec!["x".to_string(), "k".to_string()];
    inputs.extend(lanes("lane", 4));
    let outputs = [
        "any",
        "all",
        "parity",
        "masked_parity",
        "reversed",
        "word",
        "picked_bit",
        "picked_slice",
        "flipped",
        "shifted",
        "one_hot",
        "picked_lane",
        "patched",
    ]
    .map(String::from);
    let Some(bench) = Bench::build(&mut BitTricks::new(4), "bit_tricks", &inputs, &outputs) else {
        return;
    };
    let rows: Vec<Vec<u64>> = (0..256u64)
        .flat_map(|x| (0..8).map(move |k| vec![x, k, x ^ 3, x * 7 % 256, 255 - x, k * 31]))
        .collect();
    for (input, output) in rows.iter().zip(bench.run(&rows)) {
        let (x, k, lane) = (input[0], input[1], &input[2..]);
        let bit = |v: u64, at: u64| v >> at & 1;
        let expected = [
            u64::from(x != 0),
            u64::from(x == 255),
            u64::from(x.count_ones() & 1),
            u64::from((x & 0x2c).count_ones() & 1),
            u64::from((x as u8).reverse_bits()),
            lane[0] | lane[1] << 8 | lane[2] << 16 | lane[3] << 24,
            bit(x, k),
            x >> k & 15,
            x & !(1 << k) | (1 - bit(x, 0)) << k,
            x >> k,
            1 << k,
            lane.get(k as usize).copied().unwrap_or(0),
            x | 0x81 | if k == 3 { 16 } else { 0 },
        ];
        assert_eq!(output, expected, "x = {x}, k = {k}");
    }
}

#[derive(Copy, Clone, PartialEq, Debug, LogicState)]
enum Phase {
    Idle,
    Count,
    Done,
}

/// Counts to a limit; outputs and registers are assigned in one `match`.
#[derive(LogicBlock)]
struct Counter {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub go: Signal<In, Bit>,
    pub busy: Signal<Out, Bit>,
    pub done: Signal<Out, Bit>,
    pub value: Signal<Out, Bits<4>>,
    pub history: Signal<Out, Bits<4>>,
    phase: DFF<Phase>,
    count: DFF<Bits<20>>,
    stage: Vec<DFF<Bits<4>>>,
    limit: Constant<Bits<20>>,
    _stages: usize,
}

impl Counter {
    fn new(limit: u64) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            go: Default::default(),
            busy: Default::default(),
            done: Default::default(),
            value: Default::default(),
            history: Default::default(),
            phase: Default::default(),
            count: Default::default(),
            stage: (0..3).map(|_| Default::default()).collect(),
            limit: Constant::new(limit.into()),
            _stages: 3,
        }
    }
}

impl Logic for Counter {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, phase, count);
        for i in 0..self._stages {
            self.stage[i].clock.next = self.clock.val();
            if i == 0 {
                self.stage[i].d.next = self.count.q.val().get_bits::<4>(0);
            } else {
                self.stage[i].d.next = self.stage[i - 1].q.val();
            }
        }
        self.busy.next = false;
        self.done.next = false;
        match self.phase.q.val() {
            Phase::Idle => {
                if self.go.val() {
                    self.phase.d.next = Phase::Count;
                }
            }
            Phase::Count => {
                self.busy.next = true;
                self.count.d.next = self.count.q.val() + 1;
                if self.count.q.val() == self.limit.val() {
                    self.phase.d.next = Phase::Done;
                }
            }
            Phase::Done => {
                self.done.next = true;
                self.phase.d.next = Phase::Idle;
                self.count.d.next = 0.into();
            }
        }
        self.value.next = self.count.q.val().get_bits::<4>(0);
        for last in (self._stages - 1)..self._stages {
            self.history.next = self.stage[last].q.val();
        }
        if self.reset.val() {
            self.phase.d.next = Phase::Idle;
            self.count.d.next = 0.into();
        }
    }
}

#[test]
fn a_state_machine_walks_its_states_and_reset_wins() {
    let inputs = ["reset", "go"].map(String::from);
    let outputs = ["busy", "done", "value", "history"].map(String::from);
    let Some(bench) = Bench::build(&mut Counter::new(5), "counter", &inputs, &outputs) else {
        return;
    };
    // Reset for four cycles (the delay line has no reset), run twice, reset in the middle.
    let rows: Vec<Vec<u64>> = (0..60u64)
        .map(|t| {
            vec![
                u64::from(t < 4 || t == 30),
                u64::from(t % 9 == 5 || t == 30),
            ]
        })
        .collect();
    let (mut phase, mut count, mut line) = (0, 0u64, [0u64; 3]);
    for (t, (input, output)) in rows.iter().zip(bench.run(&rows)).enumerate() {
        if t >= 4 {
            let expected = [
                u64::from(phase == 1),
                u64::from(phase == 2),
                count & 15,
                line[2],
            ];
            assert_eq!(output, expected, "cycle {t}");
        }
        line = [count & 15, line[0], line[1]];
        (phase, count) = match (input[0], phase) {
            (1, _) => (0, 0),
            (_, 0) => (input[1], count),
            (_, 1) => (if count == 5 { 2 } else { 1 }, count + 1),
            _ => (0, 0),
        };
        if t < 4 {
            (phase, count, line) = (0, 0, [0; 3]);
        }
    }
}

/// Reads intermediate values, so that statements must keep their order.
#[derive(LogicBlock, Default)]
struct Sequence {
    pub clock: Signal<In, Clock>,
    pub x: Signal<In, Bits<8>>,
    pub early: Signal<Out, Bits<8>>,
    pub late: Signal<Out, Bits<8>>,
    pub stored: Signal<Out, Bits<8>>,
    register: DFF<Bits<8>>,
    value: Signal<Local, Bits<8>>,
}

impl Logic for Sequence {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, register);
        self.value.next = self.x.val();
        self.early.next = self.value.val() + 1;
        if self.early.val() == 7 {
            self.register.d.next = self.value.val();
        }
        if self.x.val().get_bit(0) {
            self.value.next = self.value.val() + self.early.val();
        }
        self.register.d.next = self.value.val() ^ self.register.q.val();
        if self.early.val() == 9 {
            self.register.d.next = 200.into();
        }
        self.late.next = self.value.val();
        self.stored.next = self.register.q.val();
    }
}

#[test]
fn a_value_read_between_two_assignments_is_the_first_one() {
    let outputs = ["early", "late", "stored"].map(String::from);
    let inputs = ["x".to_string()];
    let Some(bench) = Bench::build(&mut Sequence::default(), "ordering", &inputs, &outputs) else {
        return;
    };
    let mut rows = vec![vec![8]];
    rows.extend((0..256).map(|x| vec![x * 11 % 256]));
    let mut register = None;
    for (input, output) in rows.iter().zip(bench.run(&rows)) {
        let x = input[0];
        let early = (x + 1) & 255;
        let late = if x & 1 == 1 { (x + early) & 255 } else { x };
        assert_eq!(output[..2], [early, late], "x = {x}");
        if let Some(register) = register {
            assert_eq!(output[2], register, "x = {x}");
        }
        register = match (early, register) {
            (9, _) => Some(200),
            (_, old) => old.map(|old| late ^ old),
        };
    }
}

/// Uses every other bit of a register and of an input.
#[derive(LogicBlock, Default)]
struct Gaps {
    pub clock: Signal<In, Clock>,
    pub word: Signal<In, Bits<16>>,
    pub even: Signal<Out, Bits<8>>,
    held: DFF<Bits<16>>,
}

impl Logic for Gaps {
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, held);
        self.held.d.next = self.word.val();
        self.even.next = 0.into();
        for i in 0..8 {
            self.even.next = self
                .even
                .val()
                .replace_bit(i, self.held.q.val().get_bit(2 * i));
        }
    }
}

#[test]
fn bits_between_needed_ones_are_lint_clean_too() {
    // `Bench::build` lints with -Wall and without waivers.
    let (inputs, outputs) = (["word".to_string()], ["even".to_string()]);
    let Some(bench) = Bench::build(&mut Gaps::default(), "gaps", &inputs, &outputs) else {
        return;
    };
    let rows = [vec![0x5555], vec![0xaaaa], vec![0x0011], vec![0]];
    let even: Vec<u64> = bench.run(&rows).into_iter().map(|row| row[0]).collect();
    assert_eq!(even[1..], [0xff, 0x00, 0x05]);
}
