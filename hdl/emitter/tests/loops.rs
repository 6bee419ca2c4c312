//! What becomes `generate for`: lanes with values of their own, and stages of delay lines.

use brownout_emitter::Emitter;
use brownout_emitter::comment;
use rust_hdl::prelude::*;

const LANES: usize = 6;

/// Lanes that are turned round, lanes of which each adds to the one before, and a delay line
/// between ports that are called as its stages would be.
#[derive(LogicBlock)]
struct Lanes {
    pub clock: Signal<In, Clock>,
    pub q: Signal<In, Bit>,
    pub d: Signal<In, Bits<8>>,
    pub lane: Vec<Signal<In, Bits<8>>>,
    pub turned: Vec<Signal<Out, Bits<8>>>,
    pub total: Vec<Signal<Out, Bits<8>>>,
    pub late: Signal<Out, Bits<8>>,
    sum: Vec<Signal<Local, Bits<8>>>,
    stage: Vec<DFF<Bits<8>>>,
    _lanes: usize,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            clock: Default::default(),
            q: Default::default(),
            d: Default::default(),
            lane: vec![Default::default(); LANES],
            turned: vec![Default::default(); LANES],
            total: vec![Default::default(); LANES],
            late: Default::default(),
            sum: vec![Default::default(); LANES],
            stage: (0..LANES).map(|_| Default::default()).collect(),
            _lanes: LANES,
        }
    }
}

impl Logic for Lanes {
    #[hdl_gen]
    fn update(&mut self) {
        comment!("module lanes: lanes");
        for i in 0..self._lanes {
            self.turned[i].next = self.lane[5 - i].val();
            self.stage[i].clock.next = self.clock.val();
            self.stage[i].d.next = self.stage[i].q.val();
        }
        self.sum[0].next = self.lane[0].val();
        for i in 1..self._lanes {
            self.sum[i].next = self.sum[i - 1].val() + self.lane[i].val();
        }
        for i in 0..self._lanes {
            self.total[i].next = self.sum[i].val();
        }
        if self.q.val() {
            self.stage[0].d.next = self.d.val();
            for i in 1..self._lanes {
                self.stage[i].d.next = self.stage[i - 1].q.val();
            }
        }
        for last in (self._lanes - 1)..self._lanes {
            self.late.next = self.stage[last].q.val();
        }
    }
}

fn lanes() -> String {
    let mut lanes = Lanes::default();
    lanes.connect_all();
    let emitted = Emitter::new("lanes").emit(&lanes);
    let emitted = emitted.unwrap_or_else(|e| panic!("{e}"));
    emitted.modules[0].text.clone()
}

#[test]
fn lanes_with_values_of_their_own_are_wires_of_a_generate_loop() {
    let text = lanes();
    assert!(
        text.contains("    output wire [6*8-1:0] turned,\n"),
        "{text}"
    );
    let turned = "\
        for (n = 0; n < 6; n = n + 1) begin : gen_turned
            assign turned[8 * n +: 8] = lane[8 * (5 - n) +: 8];
        end
";
    assert!(text.contains(turned), "{text}");
    assert_eq!(text.matches("genvar").count(), 1, "{text}");
}

#[test]
fn lanes_that_read_one_another_stay_in_one_block() {
    let text = lanes();
    assert!(text.contains("always @(*) begin : total_lanes"), "{text}");
    assert!(!text.contains("assign total"), "{text}");
}

#[test]
fn a_stage_has_a_wire_for_its_next_value_and_names_that_nothing_else_has() {
    let stage = "\
        for (n = 0; n < 6; n = n + 1) begin : gen_stage
            wire [7:0] d_2 = stage_d[8 * n +: 8];
            reg [7:0] q_2;
            assign stage_q[8 * n +: 8] = q_2;
            always @(posedge clock) if (q) q_2 <= d_2;
        end
";
    let text = lanes();
    assert!(text.contains(stage), "{text}");
    assert!(
        text.contains("    assign stage_d = {stage_q[39:0], d};\n"),
        "{text}"
    );
}
