//! The reset of a board: at power-up, and while a button is pressed.

use rust_hdl::prelude::*;

/// Clocks for which reset is held: longer than anything needs, shorter than anybody notices.
const HELD_CLOCKS: u32 = 256;

/// Synchronizes a button and stretches it, and holds reset after the FPGA was configured.
///
/// A leaf: the counter starts at zero because the FPGA's configuration says so, and an initial
/// value is what rust-hdl's registers do not have here.
#[derive(LogicBlock, Default)]
pub struct BoardReset {
    /// Clock.
    pub clock: Signal<In, Clock>,
    /// A pressed button, at any time.
    pub button: Signal<In, Bit>,
    /// The synchronous reset of everything else.
    pub held: Signal<Out, Bit>,
    _pressed: [bool; 2],
    _count: u32,
}

impl Logic for BoardReset {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            self._count = match self._pressed[1] {
                true => 0,
                false => (self._count + 1).min(HELD_CLOCKS),
            };
            self._pressed = [self.button.val(), self._pressed[0]];
        }
        self.held.next = self._count < HELD_CLOCKS;
    }

    fn connect(&mut self) {
        self.held.connect();
    }

    fn hdl(&self) -> Verilog {
        let top = HELD_CLOCKS.trailing_zeros();
        let bits = top + 1;
        Verilog::Custom(format!(
            "// module board_reset: Reset after power-up and while a button is pressed, for {HELD_CLOCKS} clocks longer.\n\
             // The initial value is part of the FPGA's configuration; nothing else has one.\n\
             // ports button: a pressed button, at any time\n\
             // ports held: the synchronous reset of everything else (active high)\n\
             reg pressed_first_q;\n\
             reg pressed_q;\n\
             reg [{top}:0] count_q;\n\
             \n\
             initial count_q = {bits}'d0;\n\
             \n\
             always @(posedge clock) begin\n    \
                 pressed_first_q <= button;\n    \
                 pressed_q <= pressed_first_q;\n    \
                 if (pressed_q) begin\n        \
                     count_q <= {bits}'d0;\n    \
                 end else if (!count_q[{top}]) begin\n        \
                     count_q <= count_q + {bits}'d1;\n    \
                 end\n\
             end\n\
             \n\
             assign held = !count_q[{top}];\n"
        ))
    }
}
