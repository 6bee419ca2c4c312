//! What the emitter refuses, and that it says where.

use brownout_emitter::{EmitError, emit};
use rust_hdl::prelude::*;

/// The message that emitting `block` ends with; it must name `signal`.
fn refusal<B: Block>(mut block: B, signal: &str) -> String {
    block.connect_all();
    let error = emit(&block, "refused", "").expect_err("the block must be refused");
    let message = error.to_string();
    assert!(message.contains("`refused`"), "{message}");
    assert!(message.contains(&format!("`{signal}`")), "{message}");
    message
}

/// A block called `$name` with some inputs, the given fields and update.
macro_rules! block {
    ($name:ident { $($field:ident: $type:ty),* $(,)? } $($update:tt)*) => {
        #[derive(LogicBlock, Default)]
        struct $name {
            pub clock: Signal<In, Clock>,
            pub reset: Signal<In, Bit>,
            pub x: Signal<In, Bits<8>>,
            pub s: Signal<In, Signed<8>>,
            pub k: Signal<In, Bits<5>>,
            $(pub $field: $type),*
        }
        impl Logic for $name {
            $($update)*
        }
    };
}

block! { CastOfSum { y: Signal<Out, Bits<9>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = bit_cast::<9, 8>(self.x.val() + 1);
    }
}

#[test]
fn a_cast_of_arithmetic_is_refused() {
    let message = refusal(CastOfSum::default(), "y");
    assert!(message.contains("Local of 8 bits"), "{message}");
}

block! { StretchedSum { y: Signal<Out, Signed<16>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = signed_bit_cast::<16, 8>(self.s.val() + self.s.val());
    }
}

#[test]
fn a_sign_extension_of_arithmetic_is_refused() {
    refusal(StretchedSum::default(), "y");
}

block! { SliceOfSum { y: Signal<Out, Bits<4>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.x.val() + 1).get_bits::<4>(2);
    }
}

#[test]
fn a_slice_of_arithmetic_is_refused() {
    refusal(SliceOfSum::default(), "y");
}

block! { WideIndex { y: Signal<Out, Bit> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.x.val().get_bit(self.k.val().index());
    }
}

#[test]
fn an_index_with_more_bits_than_the_signal_has_numbers_is_refused() {
    let message = refusal(WideIndex::default(), "y");
    assert!(message.contains("5 bits into 8 bits"), "{message}");
}

block! { MixedWidths { y: Signal<Out, Bit> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.x.val().index() == self.k.val().index();
    }
}

#[test]
fn a_comparison_of_different_widths_is_refused() {
    refusal(MixedWidths::default(), "y");
}

block! { NarrowSum { y: Signal<Out, Bits<9>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = (self.x.val() + self.x.val()).index().to_bits::<9>();
    }
}

#[test]
fn a_sum_assigned_to_another_width_is_refused() {
    refusal(NarrowSum::default(), "y");
}

block! { BuriedProduct { wide: Signal<Local, Signed<16>>, y: Signal<Out, Signed<32>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.wide.next = signed_bit_cast::<16, 8>(self.s.val());
        self.y.next = self.wide.val() * self.wide.val() + 1.into();
    }
}

#[test]
fn a_product_inside_an_expression_is_refused() {
    let message = refusal(BuriedProduct::default(), "y");
    assert!(message.contains("product"), "{message}");
}

block! { LargeLiteral { y: Signal<Out, Bit> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.x.val() == 300;
    }
}

#[test]
fn a_literal_beyond_the_other_side_is_refused() {
    let message = refusal(LargeLiteral::default(), "y");
    assert!(message.contains("300"), "{message}");
}

block! { Latch { y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        if self.x.val().any() {
            self.y.next = self.x.val();
        }
    }
}

#[test]
fn an_output_without_a_value_on_some_path_is_refused() {
    let message = refusal(Latch::default(), "y");
    assert!(message.contains("every path"), "{message}");
}

block! { EarlyRead { value: Signal<Local, Bits<8>>, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.value.val();
        self.value.next = self.x.val();
    }
}

#[test]
fn a_value_read_before_it_is_assigned_is_refused() {
    let message = refusal(EarlyRead::default(), "value");
    assert!(message.contains("before it is assigned"), "{message}");
}

block! { NoClock { register: DFF<Bits<8>>, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.register.d.next = self.x.val();
        self.y.next = self.register.q.val();
    }
}

#[test]
fn a_register_without_a_clock_is_refused() {
    let message = refusal(NoClock::default(), "register");
    assert!(message.contains("no clock"), "{message}");
}

block! { TwoClocks { other: Signal<In, Clock>, register: DFF<Bits<8>>, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.register.clock.next = self.other.val();
        self.register.d.next = self.x.val();
        self.y.next = self.register.q.val();
    }
}

#[test]
fn a_register_on_another_clock_is_refused() {
    let message = refusal(TwoClocks::default(), "register.clock");
    assert!(message.contains("`clock` only"), "{message}");
}

block! { HeldRegister { register: DFF<Bits<8>>, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.register.clock.next = self.clock.val();
        if self.reset.val() {
            self.register.d.next = self.x.val();
        }
        self.y.next = self.register.q.val();
    }
}

#[test]
fn a_register_whose_next_value_has_no_default_is_refused() {
    refusal(HeldRegister::default(), "register.d");
}

block! { NextRead { register: DFF<Bits<8>>, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, register);
        self.register.d.next = self.x.val();
        self.y.next = self.register.d.val();
    }
}

#[test]
fn reading_a_next_value_is_refused() {
    let message = refusal(NextRead::default(), "y");
    assert!(message.contains("register.d"), "{message}");
}

block! { SilentChild { child: Latch, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.x.val();
    }
}

#[test]
fn a_message_names_the_module_and_the_path_to_it() {
    let mut block = SilentChild::default();
    block.connect_all();
    let message = emit(&block, "outer", "")
        .expect_err("the child is a latch")
        .to_string();
    assert!(
        message.contains("module `child` (outer.child), `y`"),
        "{message}"
    );
}

block! { DeepRead { child: SilentChild, y: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.child.child.y.val();
    }
}

#[test]
fn what_lies_inside_a_child_cannot_be_read_from_outside() {
    let mut block = DeepRead::default();
    block.connect_all();
    assert!(emit(&block, "outer", "").is_err());
}

#[derive(LogicBlock)]
struct RunTimeIndex {
    pub x: Vec<Signal<In, Bit>>,
    pub y: Signal<Out, Bit>,
    _last: usize,
}

impl Logic for RunTimeIndex {
    #[hdl_gen]
    fn update(&mut self) {
        self.y.next = self.x[self._last].val();
    }
}

#[test]
fn an_index_that_only_rust_knows_is_refused_with_the_way_around() {
    let block = RunTimeIndex {
        x: (0..2).map(|_| Default::default()).collect(),
        y: Default::default(),
        _last: 1,
    };
    let message = refusal(block, "y");
    assert!(message.contains("one-turn loop"), "{message}");
}

block! { Reserved { double: Signal<Out, Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        self.double.next = self.x.val();
    }
}

#[test]
fn a_word_that_cpp_reserves_is_refused_as_a_name() {
    let mut block = Reserved::default();
    block.connect_all();
    let error = emit(&block, "reserved", "").expect_err("`double` is reserved");
    assert!(
        matches!(&error, EmitError::Name { name, .. } if name == "double"),
        "{error}"
    );
    let error = emit(&block, "sequence", "").expect_err("`sequence` is reserved");
    assert!(matches!(&error, EmitError::Name { .. }), "{error}");
}

block! { Clash { y_q: Signal<Out, Bits<8>>, y: DFF<Bits<8>> }
    #[hdl_gen]
    fn update(&mut self) {
        dff_setup!(self, clock, y);
        self.y.d.next = self.x.val();
        self.y_q.next = self.y.q.val();
    }
}

#[test]
fn two_fields_under_one_name_are_refused() {
    let mut block = Clash::default();
    block.connect_all();
    let error = emit(&block, "clash", "").expect_err("the register y is y_q");
    assert!(
        matches!(&error, EmitError::Name { name, .. } if name == "y_q"),
        "{error}"
    );
}
