//! Prints a rust-hdl [`Block`] as Verilog that a person would put into a repository.
//!
//! rust-hdl describes the hardware (`#[hdl_gen]` turns `update` into an AST); its own printer
//! makes one module per instance and per flip-flop and leaves widths to Verilog's context rules.
//! This emitter takes the AST instead, gives every expression the width of its Rust type, and
//! prints one module per *kind*, flip-flops as one clocked block, explicit widths everywhere. What
//! is a `Vec` in Rust is an array in Verilog: a packed vector, a `generate for`, a loop. It knows
//! nothing of what the hardware is for.
//!
//! ```text
//! collect   Block hierarchy -> tree of atoms, AST and children; equal subtrees become one kind
//! lower     AST -> typed statements: loops unrolled, indices evaluated, constants folded
//! check     nothing is read before it is assigned, nothing keeps its value without a register
//! tidy      dead stores dropped, bitwise assignments joined into concatenations
//! propagate copies and constants carried to where they are read
//! demand    which bits does anybody need? (across the hierarchy)
//! narrow    statements rewritten to these bits; what nobody needs vanishes
//! arrange   assign / always @(*) / always @(posedge clock)
//! through   what follows what within a clock: such children are no array
//! lanes     scalars that differ in a number alone -> packed arrays (alone: which are not worth it)
//! children  instances and what is connected to their ports
//! stages    register arrays that feed themselves -> a register per turn of a generate for
//! regroup   what drives one array comes together, in the order in which lanes are read
//! join      neighbouring lanes are assigned at once
//! roll      statements and children that repeat with steady steps -> loops
//! assigns   blocks that give every lane its own value -> assign in a generate for
//! print     text
//! ```
//!
//! # Rules for authors of RTL
//!
//! rust-hdl's simulator is never run; only the AST counts. Every rule below is checked, and a
//! violation is an [`EmitError`] that names module and signal.
//!
//! **Module name and description** are the first `comment!` of `update`:
//! `comment!("module pe: Multiply-accumulate cell with a shadow weight.");` gives the module
//! `<prefix>_pe` (prefix: the top's name) and its header comment; further leading `comment!`s
//! continue the description. Without it the field's name is used. Other `comment!("...")`
//! statements are printed above the statement that follows. Import it: `use crate::comment;`.
//! Modules that differ (a run-time size, a constant) but have the same name become `pe`, `pe_2`.
//! In name and description, `{field}` is the value of a `Constant` or the length of a `Vec` field,
//! `{flag?yes:no}` a choice by a `Constant<Bit>` and, in the name only, `{port:bits}` the width
//! that a port has in the end: `comment!("module delay_{stage}x{value:bits}: ..");`. In other
//! comments, `{index}` is an integer expression of loop variables and constants, and
//! `{table[index]:rate}` an entry of a table in units of 2^-32. Two more leading comments:
//!
//! * `comment!("ports word: a word as it was read");` is printed above port `word` and speaks for
//!   the ports up to the next group; clock and reset have their own.
//! * `comment!("table parity_mask: rows of the parity-check matrix");` declares each entry of the
//!   `Vec` of constants `parity_mask` under this comment. Entries of other `Vec`s of constants are
//!   printed where they are used, without a name. On a single constant it opens a group.
//!
//! **Registers** are `DFF<T>` fields, printed as `x_q` (a field `x_register` drives the output `x`
//! and is printed as `x_q`, too): `dff_setup!(self, clock, x, y);` (or, for `Vec<DFF<T>>`,
//! `self.x[i].clock.next = self.clock.val(); self.x[i].d.next = self.x[i].q.val();` in a loop),
//! then assignments to `self.x.d.next`. The clock is the module's own `clock` input. Write the
//! synchronous reset of control registers last: `if self.reset.val() { self.x.d.next = .. }`.
//!
//! **Widths.** Both sides of an assignment, of `+ - & | ^` and of comparisons have one width.
//! Literals take the width of the other side (`self.n.val() + 1`, `self.n.val() == 5`,
//! `0.into()`, `true`); a negative one is `(-5).into()`. Named numbers are `Constant<T>` fields.
//!
//! * zero-extend or cut: `bit_cast::<M, N>(self.x.val())`; in a loop, where `bit_cast` may not
//!   mention the loop variable: `self.x[i].val().index().to_bits::<M>()` (extends only), to cut
//!   use `get_bits`. Sign-extend: `signed_bit_cast::<M, N>(self.x.val())`, also in loops.
//!   Reinterpret: `signed_cast(..)`, `unsigned_cast(..)`. All of a plain signal, a constant or
//!   a slice of one; of anything else: assign it to a `Local` first.
//! * widening add: `self.a_wide.next = signed_bit_cast::<33, 32>(self.a.val());`, the same for
//!   `b`, then `self.sum.next = self.a_wide.val() + self.b_wide.val();`.
//! * multiply: 16 x 16 bits give 32, signed or unsigned, as the whole right-hand side.
//! * slice: `get_bits::<M>(8 * i)`, `get_bit(k)`. Of a `Signed` signal a slice is signed, so
//!   `get_bits::<40>(8)` of a `Signed<48>` is the arithmetic right shift by 8.
//! * variable bit or slice: `get_bit(self.k.val().index())`, `get_bits::<M>(self.k.val().index())`
//!   where `k` is a plain unsigned signal with no more bits than it takes to number the bits.
//!   Bits beyond the signal are undefined: extend the signal first if they can be asked for.
//! * shifts `<<`, `>>` (logical, of unsigned values): by literals, loop values or plain signals.
//!   Variable arithmetic shift: sign-extend into a wide `Local`, then a variable `get_bits`.
//! * `any()`, `all()`, `xor()`, `!`, `&&`, `||`, unary `-`, comparisons (signed if the operands are).
//!
//! **Packing lanes into a word** (and any permutation of bits) is a loop over `replace_bit`:
//! ```text
//! self.word.next = 0.into();
//! for l in 0..self._lanes { for b in 0..8 {
//!     self.word.next = self.word.val().replace_bit(8 * l + b, self.lane[l].val().get_bit(b));
//! } }
//! ```
//! It becomes `assign word = {lane_7, .., lane_0}`. `replace_bit` must be the whole right side;
//! its index may be a literal, a loop value or `self.k.val().index()`; `d.next = d.val().replace_bit(..)`
//! is allowed for registers (after `dff_setup!`).
//!
//! **Run-time sizes.** `Vec` fields are lanes: `a_in[3]` of eight bits is `a_in[31:24]`, a child
//! `pe[3]` is `gen_pe[3].pe` (rows and columns: [`Emitter::grid`]) or, where no loop is found, the
//! instance `pe_3`; the only one of its `Vec` needs no number. [`Module::places`] says where every
//! lane and child has gone. Loops run over `0..self._rows`. An index is an integer
//! expression (`+ - * / %`) of loop variables, numbers and `Constant` fields:
//! `self.pe[i * self.cols.val().index() + j]` with `cols: Constant<Bits<16>>`, or the one-turn loop
//! `for c in self._cols..(self._cols + 1) { .. self.pe[i * c + j] .. }`.
//! `if` conditions made of loop variables, numbers and constants are decided here and the other
//! branch vanishes: `if i == 0 { .. } else { .. self.pe[i - 1] .. }` (write comparisons of loop
//! variables with numbers, `i + 1 < n` with a one-turn loop variable `n`). A `Constant<Bit>` field in an
//! `if` makes hardware optional. (`connect_all` runs over both branches, so the *targets* in them
//! must exist; a `Vec` that may be empty is assigned in a loop over its length.)
//!
//! **Choosing a lane by an index:** a default, then a loop of comparisons (printed as `case`):
//! ```text
//! self.y.next = 0.into();
//! for i in 0..self._lanes { if self.sel.val().index() == i { self.y.next = self.lane[i].val(); } }
//! ```
//! What gives the default's number again is no arm. Of a long table of numbers several stand in a
//! line, with the comment of the first.
//!
//! **State machines:** `#[derive(LogicState)] enum State`, `DFF<State>`,
//! `match self.state.q.val() { State::Idle => { .. } _ => { .. } }`; `match self.op.val().index() { 0 => .., _ => .. }`
//! for numbers. Encodings are the variants' positions.
//!
//! **Combinational values** are `Local`s and outputs: assign before reading, on every path (a default
//! first, then `if`s). Reading a register's `d` or an instance's input is refused. A child's inputs
//! are all driven by its parent.
//!
//! **Leaves** (memories, the wide multiplier): a block whose `hdl()` is `Verilog::Custom(text)`. Start
//! the text with `// module name: description`; the ports are declared from the struct (a `Vec` as
//! one packed array, lane k of w bits at `[w * k +: w]`), outputs
//! as `output reg`, those with an `assign` in the text as `output wire`. Give all widths explicitly
//! and use every input bit; a leaf that uses only the low bits of an input says so in a header line
//! `// uses read_address[9:0]`, and the port gets that width. Outputs nobody reads are no problem.
//! A block whose `hdl()` is `Verilog::Blackbox` is a module that is printed elsewhere, under the
//! black box's name: it is instantiated with all of its ports, and its text is left alone.
//!
//! **Names** are the field names with `_` for `$`; registers end in `_q` (and `_d`). A local that
//! only copies another signal, a constant, or (if it is read once) bits or an extension of one
//! does not appear: what it stands for does. Verilog and C++ keywords are refused. What must exist although nobody reads it (an output that only other
//! instances use, a gap within a word) is tied to a wire called `unused_..`, which Verilator's and
//! lowRISC's convention exempts from the unused-signal lint; no waiver is involved.

mod affine;
mod alone;
mod arrange;
mod assigns;
mod check;
mod children;
mod collect;
mod declare;
mod demand;
mod error;
mod expr;
mod index;
mod instances;
mod ir;
mod join;
mod labels;
mod lanes;
mod leaf;
mod loops;
mod lower;
mod module;
mod mutate;
mod names;
mod narrow;
pub mod netlist;
mod operators;
mod output;
mod pipeline;
mod print;
mod propagate;
mod regroup;
mod roll;
mod scope;
mod shape;
mod stages;
mod substitute;
mod text;
mod through;
mod tidy;
mod typing;

pub use error::EmitError;
pub use mutate::{Mistake, Mutant, Mutated, MutationPlan, SELECT};
pub use names::is_free_module_name;
pub use output::{Direction, Emitted, Module, Origin, Port};

use names::Naming;
use rust_hdl::prelude::Block;

/// Prints `top` as module `top_name` and what it contains as modules `<top_name>_<name>`;
/// `header` (lines without comment marks) opens the top's file, its first line every file.
///
/// # Errors
/// See [`EmitError`]: a construct whose Verilog would not mean what the Rust says.
pub fn emit<B: Block>(top: &B, top_name: &str, header: &str) -> Result<Emitted, EmitError> {
    Emitter::new(top_name).header(header).emit(top)
}

/// [`emit`] with options.
#[derive(Debug, Clone)]
pub struct Emitter {
    top: String,
    prefix: String,
    header: String,
    names: Naming,
}

impl Emitter {
    /// Prints the top as module `top`.
    pub fn new(top: &str) -> Self {
        Self {
            top: top.to_string(),
            prefix: top.to_string(),
            header: String::new(),
            names: Naming::default(),
        }
    }

    /// Lines of the comment that opens the top's file; the first one opens every file.
    pub fn header(mut self, header: &str) -> Self {
        self.header = header.to_string();
        self
    }

    /// What the names of the other modules start with (default: the top's name).
    pub fn prefix(mut self, prefix: &str) -> Self {
        self.prefix = prefix.to_string();
        self
    }

    /// Children in the `Vec` field `field` sit in a grid: number n is called `r<n / columns>_c<n %
    /// columns>` in instance and wire names.
    pub fn grid(mut self, field: &str, columns: usize) -> Self {
        self.names.grids.insert(field.to_string(), columns.max(1));
        self
    }

    /// The entries of the `Vec` of constants `field` are called `labels`, in their order.
    pub fn labels(mut self, field: &str, labels: Vec<String>) -> Self {
        self.names.labels.insert(field.to_string(), labels);
        self
    }

    /// Prints `top` and everything below it.
    ///
    /// # Errors
    /// See [`EmitError`]: a construct whose Verilog would not mean what the Rust says.
    pub fn emit<B: Block>(&self, top: &B) -> Result<Emitted, EmitError> {
        pipeline::run(self, top)
    }

    /// The statements of `top` and everything below it.
    ///
    /// # Errors
    /// As [`Emitter::emit`]; a module that is printed elsewhere has no statements.
    pub fn netlist<B: Block>(&self, top: &B) -> Result<netlist::Netlist, EmitError> {
        netlist::netlist(&pipeline::design(self, top)?)
    }

    /// Prints `top` and everything below it with deliberate mistakes, one of which is chosen by
    /// an added input.
    ///
    /// # Errors
    /// As [`Emitter::emit`].
    pub fn emit_mutants<B: Block>(
        &self,
        top: &B,
        plan: MutationPlan,
    ) -> Result<Mutated, EmitError> {
        mutate::run(&pipeline::design(self, top)?, plan)
    }
}

/// A comment in `#[hdl_gen]` code that reaches the Verilog; nothing in Rust.
#[macro_export]
macro_rules! comment {
    ($text:literal) => {};
}
