//! The shape of the emitted text: kinds, names, narrowing, registers.

use brownout_emitter::comment;
use brownout_emitter::{Direction, Emitted, Emitter, Origin};
use rust_hdl::prelude::*;

/// A leaf: one word of storage with an unused high address bit.
#[derive(LogicBlock, Default)]
struct Store {
    pub clock: Signal<In, Clock>,
    pub address: Signal<In, Bits<8>>,
    pub write: Signal<In, Bit>,
    pub data: Signal<In, Bits<16>>,
    pub word: Signal<Out, Bits<16>>,
}

impl Logic for Store {
    fn update(&mut self) {}
    fn connect(&mut self) {
        self.word.connect();
    }
    fn hdl(&self) -> Verilog {
        Verilog::Custom(
            "// module store: four words\n// uses address[1:0]\n\
             reg [15:0] cells [0:3];\n\nalways @(posedge clock) begin\n    \
             if (write) cells[address] <= data;\n    word <= cells[address];\nend\n"
                .into(),
        )
    }
}

#[derive(LogicBlock, Default)]
struct Cell {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub left: Signal<In, Bits<16>>,
    pub right: Signal<Out, Bits<16>>,
    pub never_read: Signal<Out, Bits<16>>,
    value: DFF<Bits<16>>,
    age: DFF<Bits<32>>,
}

impl Logic for Cell {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module cell: adds its age");
        comment!("and passes the sum on");
        dff_setup!(self, clock, value, age);
        comment!("the age counts clocks");
        self.age.d.next = self.age.q.val() + 1;
        self.value.d.next = self.left.val() + self.age.q.val().get_bits::<16>(0);
        self.right.next = self.value.q.val();
        self.never_read.next = self.left.val();
        if self.reset.val() {
            self.age.d.next = 0.into();
        }
    }
}

#[derive(LogicBlock)]
struct Chain {
    pub clock: Signal<In, Clock>,
    pub reset: Signal<In, Bit>,
    pub address: Signal<In, Bits<8>>,
    pub data_in: Signal<In, Bits<16>>,
    pub data_out: Signal<Out, Bits<10>>,
    cell: Vec<Cell>,
    store: Store,
    spare: Store,
    tail: Signal<Local, Bits<16>>,
    traced: Constant<Bit>,
    trace: Vec<DFF<Bits<10>>>,
    _cells: usize,
    _traces: usize,
}

impl Chain {
    fn new(cells: usize, traced: bool) -> Self {
        Self {
            clock: Default::default(),
            reset: Default::default(),
            address: Default::default(),
            data_in: Default::default(),
            data_out: Default::default(),
            cell: (0..cells).map(|_| Default::default()).collect(),
            store: Default::default(),
            spare: Default::default(),
            tail: Default::default(),
            traced: Constant::new(traced),
            trace: vec![DFF::default()],
            _cells: cells,
            _traces: 1,
        }
    }
}

impl Logic for Chain {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..self._cells {
            self.cell[i].clock.next = self.clock.val();
            self.cell[i].reset.next = self.reset.val();
            if i == 0 {
                self.cell[i].left.next = self.store.word.val();
            } else {
                self.cell[i].left.next = self.cell[i - 1].right.val();
            }
        }
        self.store.clock.next = self.clock.val();
        self.store.address.next = self.address.val();
        self.store.write.next = !self.reset.val();
        self.store.data.next = self.data_in.val();
        self.spare.clock.next = self.clock.val();
        self.spare.address.next = self.address.val();
        self.spare.write.next = true;
        self.spare.data.next = self.data_in.val();
        for last in (self._cells - 1)..self._cells {
            self.tail.next = self.cell[last].right.val();
        }
        self.data_out.next = self.tail.val().get_bits::<10>(0);
        for t in 0..self._traces {
            self.trace[t].clock.next = self.clock.val();
            self.trace[t].d.next = self.tail.val().get_bits::<10>(0);
            if self.traced.val() {
                self.data_out.next = self.trace[t].q.val();
            }
        }
    }
}

fn chain(cells: usize, traced: bool) -> Emitted {
    let mut chain = Chain::new(cells, traced);
    chain.connect_all();
    Emitter::new("chain")
        .header("made by a test")
        .grid("cell", 2)
        .emit(&chain)
        .unwrap_or_else(|e| panic!("{e}"))
}

fn module<'a>(emitted: &'a Emitted, name: &str) -> &'a str {
    let found = emitted.modules.iter().find(|m| m.name == name);
    &found.unwrap_or_else(|| panic!("no module {name}")).text
}

#[test]
fn equal_instances_share_one_module_and_the_top_comes_first() {
    let emitted = chain(6, false);
    let names: Vec<&str> = emitted.modules.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["chain", "chain_store", "chain_cell"]);
    let origins: Vec<Origin> = emitted.modules.iter().map(|m| m.origin).collect();
    assert_eq!(origins, [Origin::RustHdl, Origin::Leaf, Origin::RustHdl]);
}

#[test]
fn instance_names_say_where_they_sit_and_no_name_has_a_dollar() {
    let emitted = chain(6, false);
    let chain = emitted.top();
    let place = |name: &str| chain.places.iter().find(|(scalar, _)| scalar == name);
    let cell = place("cell_r2_c1").map(|(_, place)| place.as_str());
    assert!(
        cell.is_some_and(|c| c.starts_with("gen_cell") && c.ends_with(".cell")),
        "{cell:?}"
    );
    assert!(chain.text.contains("chain_cell cell ("), "{}", chain.text);
    assert!(!emitted.text().contains('$'));
}

#[test]
fn the_tops_file_opens_with_the_whole_header_and_others_with_its_first_line() {
    let mut emitted = chain(3, true);
    emitted.header = "made by a test\n\n    depth = 3\n".into();
    let [top, below] = [0, 1].map(|n| emitted.module_file(&emitted.modules[n]));
    let whole = "// made by a test\n//\n//     depth = 3\n\n`default_nettype none\n";
    assert!(top.starts_with(whole), "{top}");
    assert!(
        below.starts_with("// made by a test\n`default_nettype none\n"),
        "{below}"
    );
    assert!(
        below.ends_with("endmodule\n`default_nettype wire\n"),
        "{below}"
    );
}

#[test]
fn the_same_design_gives_the_same_bytes() {
    assert_eq!(chain(3, true).text(), chain(3, true).text());
    assert_ne!(chain(3, true).text(), chain(4, true).text());
}

#[test]
fn bits_that_nobody_needs_are_not_declared_in_any_module() {
    let emitted = chain(3, false);
    let cell = module(&emitted, "chain_cell");
    assert!(cell.contains("input wire [9:0] left"), "{cell}");
    assert!(cell.contains("reg [9:0] value_q, age_q;"), "{cell}");
    assert!(!cell.contains("never_read"), "{cell}");
    assert!(cell.contains("age_q <= age_q + 10'd1;"), "{cell}");
    // The instance whose outputs nobody reads is gone, the leaf keeps its declared widths.
    assert!(!module(&emitted, "chain").contains("spare"));
    assert!(module(&emitted, "chain_store").contains("output reg [15:0] word"));
    assert!(module(&emitted, "chain_store").contains("input wire [1:0] address"));
}

#[test]
fn the_ports_of_the_top_keep_their_width() {
    let emitted = chain(3, false);
    let ports: Vec<(&str, Direction, usize)> = emitted
        .top()
        .ports
        .iter()
        .map(|p| (p.name.as_str(), p.direction, p.width))
        .collect();
    assert_eq!(
        ports,
        [
            ("clock", Direction::Input, 1),
            ("reset", Direction::Input, 1),
            ("address", Direction::Input, 8),
            ("data_in", Direction::Input, 16),
            ("data_out", Direction::Output, 10),
        ]
    );
}

#[test]
fn a_module_opens_with_its_description_and_keeps_comments() {
    let emitted = chain(3, false);
    let cell = module(&emitted, "chain_cell");
    assert!(cell.starts_with("// adds its age\n// and passes the sum on\nmodule chain_cell ("));
    assert!(cell.contains("// the age counts clocks\n"), "{cell}");
    let text = emitted.text();
    assert!(text.starts_with("// made by a test\n\n`default_nettype none\n"));
    assert!(text.ends_with("`default_nettype wire\n"));
}

#[test]
fn a_constant_flag_decides_whether_hardware_exists() {
    assert!(chain(3, true).text().contains("reg [9:0] trace_q;"));
    assert!(!chain(3, false).text().contains("trace"));
}

#[test]
fn registers_share_one_clocked_block_without_initial_values() {
    let emitted = chain(3, false);
    let cell = module(&emitted, "chain_cell");
    assert_eq!(cell.matches("always").count(), 1, "{cell}");
    assert!(cell.contains("if (reset) age_q <= 10'd0;"), "{cell}");
    assert!(!emitted.text().contains("initial"));
}

#[test]
fn every_module_has_a_file_and_the_list_names_them_all() {
    let emitted = chain(3, false);
    let folder = tempfile::tempdir().expect("a temporary folder");
    emitted
        .write_to(folder.path())
        .unwrap_or_else(|e| panic!("{e}"));
    let list = std::fs::read_to_string(folder.path().join("chain.f")).expect("the list");
    assert_eq!(list, "chain.v\nchain_store.v\nchain_cell.v\n");
    for name in list.lines() {
        let text = std::fs::read_to_string(folder.path().join(name)).expect("a listed file");
        assert!(text.starts_with("// made by a test\n"));
        assert_eq!(text.matches("endmodule").count(), 1);
    }
}

/// A shift register that also shows its first stage.
#[derive(LogicBlock)]
struct Line {
    pub clock: Signal<In, Clock>,
    pub value: Signal<In, Bits<4>>,
    pub early: Signal<Out, Bits<4>>,
    pub late: Signal<Out, Bits<4>>,
    stage: Vec<DFF<Bits<4>>>,
    _stages: usize,
}

impl Line {
    fn new(stages: usize) -> Self {
        Self {
            clock: Default::default(),
            value: Default::default(),
            early: Default::default(),
            late: Default::default(),
            stage: (0..stages).map(|_| Default::default()).collect(),
            _stages: stages,
        }
    }
}

impl Logic for Line {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module line_{stage}: shift register of {stage} stages");
        for i in 0..self._stages {
            self.stage[i].clock.next = self.clock.val();
            if i == 0 {
                self.stage[i].d.next = self.value.val();
            } else {
                self.stage[i].d.next = self.stage[i - 1].q.val();
            }
        }
        self.early.next = self.stage[0].q.val();
        for last in (self._stages - 1)..self._stages {
            self.late.next = self.stage[last].q.val();
        }
    }
}

#[derive(LogicBlock)]
struct Lines {
    pub clock: Signal<In, Clock>,
    pub value: Signal<In, Bits<4>>,
    pub far: Signal<Out, Bits<4>>,
    pub near: Signal<Out, Bits<4>>,
    line: Vec<Line>,
}

impl Logic for Lines {
    #[hdl_gen]
    fn update(&mut self) {
        for i in 0..3 {
            self.line[i].clock.next = self.clock.val();
        }
        self.line[0].value.next = self.value.val();
        self.line[1].value.next = self.line[0].late.val();
        self.line[2].value.next = self.line[1].late.val();
        self.far.next = self.line[2].late.val();
        self.near.next = self.line[0].early.val();
    }
}

fn lines() -> Emitted {
    let mut lines = Lines {
        clock: Default::default(),
        value: Default::default(),
        far: Default::default(),
        near: Default::default(),
        line: [2, 2, 5].map(Line::new).into(),
    };
    lines.connect_all();
    Emitter::new("lines")
        .prefix("ip")
        .emit(&lines)
        .unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn a_name_may_carry_the_length_of_a_vec() {
    let emitted = lines();
    let names: Vec<&str> = emitted.modules.iter().map(|m| m.name.as_str()).collect();
    assert_eq!(names, ["lines", "ip_line_5", "ip_line_2"]);
    assert!(module(&emitted, "ip_line_5").starts_with("// shift register of 5 stages\n"));
}

#[test]
fn an_output_that_one_instance_leaves_open_goes_to_a_wire_called_unused() {
    let emitted = lines();
    let top = module(&emitted, "lines");
    assert!(top.contains("assign near = line_early[3:0];"), "{top}");
    assert!(
        top.contains("unused_line_early = &{1'b0, line_early"),
        "{top}"
    );
    // No instance of the longer line is asked for its first stage.
    assert!(!module(&emitted, "ip_line_5").contains("early"));
}
