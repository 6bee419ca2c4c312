//! The memory leaf: the one place where the accelerator asks for block RAM.
//!
//! rust-hdl's own RAM widget has no lane enables and costs flip-flops for
//! read-during-write emulation, so this leaf states its Verilog itself: one
//! write port with lane enables and one read port with a registered output, the
//! form that Yosys, Vivado and Quartus infer as simple dual-port block RAM.

use brownout_emitter::Module;
use rust_hdl::prelude::*;

/// Up to this depth a memory need not be block RAM.
const SMALL_DEPTH: usize = 64;

/// `depth` words of `lanes` lanes of `W` bits.
///
/// A read presented in one clock cycle gives its word in the next. A word read in the cycle
/// in which it is written is undefined on hardware, where `no_rw_check` saves its emulation
/// (simulation gives the old one); no user relies on it, as a test of mutants shows.
///
/// Attributes are those of three tools (Vivado UG901, `RAM_STYLE`; Quartus Prime help,
/// `ramstyle`; Yosys, `memory_dff` and `memory_libmap`); none is disturbed by the others'.
#[derive(LogicBlock)]
pub struct Memory<const W: usize> {
    /// Clock of both ports.
    pub clock: Signal<In, Clock>,
    /// Whether to read; without it the output keeps its word.
    pub read_enable: Signal<In, Bit>,
    /// Word to read.
    pub read_address: Signal<In, Bits<23>>,
    /// The word addressed one cycle earlier.
    pub read_data: Vec<Signal<Out, Bits<W>>>,
    /// Word to write.
    pub write_address: Signal<In, Bits<23>>,
    /// Which lanes of it to write.
    pub write_enable: Vec<Signal<In, Bit>>,
    /// What to write.
    pub write_data: Vec<Signal<In, Bits<W>>>,
    _depth: usize,
    _cells: Vec<Vec<Bits<W>>>,
}

impl<const W: usize> Memory<W> {
    /// A memory of `depth` words, at most 2²³, of `lanes` lanes.
    pub fn new(depth: usize, lanes: usize) -> Self {
        Self {
            clock: Default::default(),
            read_enable: Default::default(),
            read_address: Default::default(),
            read_data: (0..lanes).map(|_| Default::default()).collect(),
            write_address: Default::default(),
            write_enable: (0..lanes).map(|_| Default::default()).collect(),
            write_data: (0..lanes).map(|_| Default::default()).collect(),
            _depth: depth,
            _cells: vec![vec![Bits::default(); lanes]; depth],
        }
    }

    /// Bits of an address that the memory decodes.
    pub fn address_bits(depth: usize) -> usize {
        address_bits(depth)
    }
}

/// Bits of an address of a memory of `depth` words.
pub fn address_bits(depth: usize) -> usize {
    (depth.next_power_of_two().trailing_zeros() as usize).max(1)
}

/// A memory's size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Words.
    pub words: usize,
    /// Lanes of a word.
    pub lanes: usize,
    /// Bits of a lane, which are written together.
    pub lane_bits: usize,
}

impl Shape {
    /// Bits of a word.
    pub fn width(&self) -> usize {
        self.lanes * self.lane_bits
    }
}

/// The size of the memory that a module is, which its name states; `None` of any other module.
pub fn shape_of(module: &Module) -> Option<Shape> {
    let (_, size) = module.name.rsplit_once(MARK)?;
    let mut numbers = size.split('x').map(|number| number.parse().ok());
    let (words, lanes, lane_bits) = (numbers.next()??, numbers.next()??, numbers.next()??);
    numbers.next().is_none().then_some(Shape {
        words,
        lanes,
        lane_bits,
    })
}

/// What stands before the size in a memory's name.
const MARK: &str = "_memory_";

impl<const W: usize> Logic for Memory<W> {
    fn update(&mut self) {
        if self.clock.pos_edge() {
            let read = self.read_address.val().index() % self._depth;
            let write = self.write_address.val().index() % self._depth;
            for lane in 0..self.read_data.len() {
                if self.read_enable.val() {
                    self.read_data[lane].next = self._cells[read][lane];
                }
                if self.write_enable[lane].val() {
                    self._cells[write][lane] = self.write_data[lane].val();
                }
            }
        }
    }

    fn connect(&mut self) {
        for lane in &mut self.read_data {
            lane.connect();
        }
    }

    fn hdl(&self) -> Verilog {
        let lanes = self.read_data.len();
        let (word, last) = (W * lanes - 1, self._depth - 1);
        let top = Self::address_bits(self._depth) - 1;
        let depth = self._depth;
        // Small memories are cheaper in look-up tables; the tool decides there.
        let (block, said) = match depth > SMALL_DEPTH {
            true => (
                "ram_style = \"block\", ",
                "// ram_style asks Vivado and Yosys for block RAM. Quartus takes it unasked for this form and size;\n\
                 // to insist, name the device's block there: ramstyle = \"M20K, no_rw_check\".\n",
            ),
            false => (
                "",
                "// Block RAM, distributed RAM or registers: the tool decides.\n",
            ),
        };
        let mut text = format!(
            "// module memory_{depth}x{lanes}x{W}: {depth} words of {lanes} x {W} bits, one write and one read port.\n\
             // A word stands at the output one clock after its address. One that is read in the clock in which\n\
             // it is written is undefined on hardware, and no user relies on it; so no logic has to emulate what\n\
             // simulation gives, the old word: no_rw_check tells Yosys, and as the value of ramstyle Quartus.\n\
             {said}\
             // ports read_enable: read port\n\
             // ports write_address: write port, lane by lane\n\
             // uses read_address[{top}:0]\n\
             // uses write_address[{top}:0]\n\
             (* {block}ramstyle = \"no_rw_check\", no_rw_check *)\n\
             reg [{word}:0] cells [0:{last}];\nreg [{word}:0] read_word;\n\n"
        );
        text.push_str(&match lanes {
            1 => "always @(posedge clock) begin\n    if (write_enable) cells[write_address] <= write_data;\n"
                .to_string(),
            _ => format!(
                "always @(posedge clock) begin : port_registers\n    integer i;\n    \
                 for (i = 0; i < {lanes}; i = i + 1) begin\n        \
                 if (write_enable[i]) cells[write_address][{W}*i +: {W}] <= write_data[{W}*i +: {W}];\n    \
                 end\n"
            ),
        });
        text.push_str("    if (read_enable) read_word <= cells[read_address];\nend\n\n");
        text.push_str("assign read_data = read_word;\n");
        Verilog::Custom(text)
    }
}
