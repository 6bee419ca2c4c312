//! How the emitted text reads: groups of ports, tables, names, copies, conditions.

use brownout_emitter::comment;
use brownout_emitter::{EmitError, Emitted, Emitter};
use rust_hdl::prelude::*;

/// A table of gains, looked up and applied.
#[derive(LogicBlock)]
struct Gain {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub choice: Signal<In, Bits<2>>,
    pub sample: Vec<Signal<In, Bits<8>>>,
    pub enable: Signal<In, Bit>,
    pub level: Signal<Out, Bits<8>>,
    pub masked: Vec<Signal<Out, Bits<8>>>,
    level_register: DFF<Bits<8>>,
    masked_register: Vec<DFF<Bits<8>>>,
    copy: Signal<Local, Bits<8>>,
    always: Signal<Local, Bit>,
    extended: Signal<Local, Bits<12>>,
    wide: DFF<Bits<12>>,
    step: Vec<Constant<Bits<8>>>,
    mask: Vec<Constant<Bits<8>>>,
    limit: Constant<Bits<8>>,
}

impl Default for Gain {
    fn default() -> Self {
        let table = |entries: [u64; 3]| entries.map(|e| Constant::new(e.into())).into();
        Self {
            clock: Default::default(),
            reset: Default::default(),
            choice: Default::default(),
            sample: vec![Default::default(); 3],
            enable: Default::default(),
            level: Default::default(),
            masked: vec![Default::default(); 3],
            level_register: Default::default(),
            masked_register: (0..3).map(|_| Default::default()).collect(),
            copy: Default::default(),
            always: Default::default(),
            extended: Default::default(),
            wide: Default::default(),
            step: table([3, 5, 7]),
            mask: table([0x0f, 0xf0, 0xff]),
            limit: Constant::new(200u64.into()),
        }
    }
}

impl Logic for Gain {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module gain_{sample}x{level:bits}: Applies a gain to {sample} samples.");
        comment!("ports choice: which gain");
        comment!("ports enable: the sample counts");
        comment!("ports level: what comes out");
        comment!("table mask: which bits of a sample count");
        comment!("table limit: largest level");
        dff_setup!(self, clock, level_register, wide);
        self.copy.next = self.sample[0].val();
        self.always.next = true;
        self.extended.next = bit_cast::<12, 8>(self.sample[1].val());
        self.wide.d.next = self.wide.q.val() + self.extended.val();
        for i in 0..3 {
            if self.choice.val().index() == i {
                comment!("entry {i}");
                self.level_register.d.next = self.copy.val() + self.step[i].val();
            }
            self.masked_register[i].clock.next = self.clock.val();
            self.masked_register[i].d.next = self.masked_register[i].q.val();
        }
        for i in 0..3 {
            if self.enable.val() && self.always.val() {
                self.masked_register[i].d.next = self.sample[i].val() & self.mask[i].val();
            }
        }
        if self.level_register.q.val() > self.limit.val() {
            self.level_register.d.next = self.limit.val();
        }
        if self.reset.val() {
            self.level_register.d.next = self.wide.q.val().get_bits::<8>(4);
        }
        self.level.next = self.level_register.q.val();
        for i in 0..3 {
            self.masked[i].next = self.masked_register[i].q.val();
        }
    }
}

/// One gain, if it is built in.
#[derive(LogicBlock)]
struct Top {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub choice: Signal<In, Bits<2>>,
    pub sample: Signal<In, Bits<8>>,
    pub louder: Signal<Out, Bit>,
    pub sum: Signal<Out, Bits<8>>,
    gain: Vec<Gain>,
    is_loud: Signal<Local, Bit>,
}

impl Default for Top {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            choice: Default::default(),
            sample: Default::default(),
            louder: Default::default(),
            sum: Default::default(),
            gain: vec![Gain::default()],
            is_loud: Default::default(),
        }
    }
}

impl Logic for Top {
    #[hdl_gen]
    fn update(&mut self) {
        self.gain[0].clock.next = self.clock.val();
        self.gain[0].reset.next = self.reset.val();
        self.gain[0].choice.next = self.choice.val();
        self.gain[0].enable.next = self.sample.val().any();
        for i in 0..3 {
            self.gain[0].sample[i].next = self.sample.val();
        }
        self.is_loud.next = self.gain[0].level.val() > self.sample.val();
        self.louder.next = self.is_loud.val();
        self.sum.next = self.gain[0].masked[0].val() + self.gain[0].masked[2].val();
        if self.is_loud.val() {
            self.sum.next = self.gain[0].masked[1].val();
        }
    }
}

fn emitted() -> Emitted {
    let mut top = Top::default();
    top.connect_all();
    Emitter::new("top")
        .labels("step", vec!["SOFT".into(), "PLAIN".into(), "LOUD".into()])
        .emit(&top)
        .unwrap_or_else(|e| panic!("{e}"))
}

fn gain() -> String {
    let emitted = emitted();
    let found = emitted.modules.iter().find(|m| m.name == "top_gain_3x8");
    found.expect("a name with a count and a width").text.clone()
}

#[test]
fn ports_stand_in_groups_under_their_comments_and_lanes_in_arrays() {
    let text = gain();
    let ports = "\
module top_gain_3x8 (
    // clock, and synchronous reset (active high)
    input wire clock,
    input wire reset,

    // which gain
    input wire [1:0] choice,
    input wire [3*8-1:0] sample,

    // the sample counts
    input wire enable,

    // what comes out
    output wire [7:0] level,
    output wire [3*8-1:0] masked
);
";
    assert!(text.contains(ports), "{text}");
}

#[test]
fn a_noted_or_labelled_table_is_declared_and_another_printed_in_place() {
    let text = gain();
    assert!(
        text.contains("    // which bits of a sample count\n    localparam [7:0] MASK_0 = 8'd15;"),
        "{text}"
    );
    assert!(
        text.contains("    // largest level\n    localparam [7:0] LIMIT = 8'd200;"),
        "{text}"
    );
    assert!(text.contains("localparam [7:0] LOUD = 8'd7;"), "{text}");
    let mut plain = Gain::default();
    plain.connect_all();
    let unlabelled = Emitter::new("gain")
        .emit(&plain)
        .unwrap_or_else(|e| panic!("{e}"));
    assert!(
        unlabelled.text().contains("sample[7:0] + 8'd7;"),
        "{}",
        unlabelled.text()
    );
}

#[test]
fn copies_and_constants_stand_where_they_are_read() {
    let text = gain();
    for gone in ["copy", "always;", "extended", "1'b1"] {
        assert!(!text.contains(gone), "{gone}: {text}");
    }
    assert!(
        text.contains("wide_q <= wide_q + {4'd0, sample[15:8]};"),
        "{text}"
    );
    assert!(
        text.contains("2'd0: level_q <= sample[7:0] + SOFT; // entry 0"),
        "{text}"
    );
}

#[test]
fn a_condition_that_repeats_is_asked_once() {
    let text = gain();
    let once = "\
        if (enable) begin
            masked_q[7:0] <= sample[7:0] & MASK_0;
            masked_q[15:8] <= sample[15:8] & MASK_1;
            masked_q[23:16] <= sample[23:16] & MASK_2;
        end
";
    assert!(text.contains(once), "{text}");
}

#[test]
fn a_register_is_called_as_the_port_it_drives() {
    let text = gain();
    assert!(text.contains("    assign level = level_q;\n"), "{text}");
    assert!(text.contains("    assign masked = masked_q;\n"), "{text}");
    assert!(!text.contains("_register"), "{text}");
}

#[test]
fn the_only_child_of_its_vec_needs_no_number_and_a_local_takes_its_outputs_name() {
    let emitted = emitted();
    let top = &emitted.top().text;
    assert!(top.contains("top_gain_3x8 gain ("), "{top}");
    assert!(
        top.contains("assign louder = gain_level > sample;"),
        "{top}"
    );
    assert!(!top.contains("is_loud"), "{top}");
}

/// A group of ports that does not exist.
#[derive(LogicBlock, Default)]
struct Misnoted {
    pub value: Signal<In, Bits<4>>,
    pub same: Signal<Out, Bits<4>>,
}

impl Logic for Misnoted {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module misnoted: Says something about a port that it lacks.");
        comment!("ports vaule: a slip of the pen");
        self.same.next = self.value.val();
    }
}

#[test]
fn a_note_about_a_port_that_does_not_exist_is_refused() {
    let mut block = Misnoted::default();
    block.connect_all();
    match Emitter::new("misnoted").emit(&block) {
        Err(EmitError::Refused { signal, reason, .. }) => {
            assert_eq!(signal, "vaule");
            assert!(reason.contains("no port"), "{reason}");
        }
        other => panic!("{other:?}"),
    }
}

/// A long table, most of it zeros, and a register of which some bits are cleared.
#[derive(LogicBlock, Default)]
struct Lookup {
    pub clock: Signal<In, Clock>,
    pub place: Signal<In, Bits<8>>,
    pub word: Signal<In, Bits<16>>,
    pub entry: Signal<Out, Bits<32>>,
    pub rest: Signal<Out, Bits<16>>,
    entry_register: DFF<Bits<32>>,
    rest_register: DFF<Bits<16>>,
    table: Vec<Constant<Bits<32>>>,
}

impl Logic for Lookup {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module lookup: Looks a number up.");
        dff_setup!(self, clock, entry_register, rest_register);
        self.entry_register.d.next = 0.into();
        for i in 0..100 {
            if self.place.val().index() == i {
                comment!("about {i}");
                self.entry_register.d.next = self.table[i].val();
            }
        }
        self.rest_register.d.next = self.word.val();
        if self.place.val().any() {
            for i in 2..9 {
                self.rest_register.d.next = self.rest_register.d.val().replace_bit(i, false);
            }
        }
        self.entry.next = self.entry_register.q.val();
        self.rest.next = self.rest_register.q.val();
    }
}

fn lookup() -> String {
    let entry = |n: u64| Constant::new(if n < 70 { n + 10 } else { 0 }.into());
    let mut block = Lookup {
        table: (0..100).map(entry).collect(),
        ..Lookup::default()
    };
    block.connect_all();
    let emitted = Emitter::new("lookup").emit(&block);
    emitted.unwrap_or_else(|e| panic!("{e}")).text()
}

#[test]
fn a_long_table_has_several_entries_in_a_line_and_none_for_what_holds_anyway() {
    let text = lookup();
    let line = "            8'd3: entry_q <= 32'd13;  8'd4: entry_q <= 32'd14;  \
                8'd5: entry_q <= 32'd15; // about 3\n";
    assert!(text.contains(line), "{text}");
    assert!(text.contains("8'd69: "), "{text}");
    assert!(!text.contains("8'd70: "), "{text}");
}

#[test]
fn numbers_for_neighbouring_bits_are_given_at_once() {
    let text = lookup();
    assert!(text.contains("if (|place) rest_q[8:2] <= 7'd0;"), "{text}");
}
