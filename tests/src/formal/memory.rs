//! The memory leaf against its description in Rust.
//!
//! `hdl`'s description is a table of words of lanes: a clock with `read_enable`
//! moves the addressed word, as it was, to the output; one with a lane's
//! `write_enable` replaces that lane of the addressed word. Said without a look
//! inside, for every address and from any state: let a word be read at clocks 1,
//! 2 and 3, let nothing be written at clock 1, and anything anywhere at 2 and 3.
//! What the first read gives is the word; the second gives the same, because it
//! does not see the write of its own clock; the third gives the word with the
//! lanes written at 2, if they were written there. By induction over time that
//! is the content of every word at every clock.

use super::netlist::Cut;
use super::window::range;
use super::yosys::{Theorem, View};

/// How a memory's words are declared, up to the number of the last one.
const WORDS: &str = " cells [0:";

/// The number of words that a memory declares.
///
/// # Panics
/// If it declares none.
pub fn depth(cut: &Cut) -> usize {
    1 + last(cut)
}

/// The number of the last word.
fn last(cut: &Cut) -> usize {
    let declared = cut.text().split_once(WORDS);
    let number = declared.and_then(|(_, rest)| rest.split_once(']'));
    let last = number.and_then(|(last, _)| last.parse().ok());
    last.unwrap_or_else(|| panic!("{} does not say how many words it has", cut.name))
}

/// The same memory with fewer words: what holds of one depth holds of every other, and the effort
/// grows with the number of bits. Addresses keep their width.
///
/// # Panics
/// If it has no more than so many.
pub fn with_words(cut: &Cut, words: usize) -> Cut {
    assert!(words < depth(cut), "{} is not deeper", cut.name);
    let declaration = |last| format!("{WORDS}{last}]");
    cut.replace(&declaration(last(cut)), &declaration(words - 1))
}

/// The same module with so few words in each memory below it, for claims about strobes, on which no
/// word has an influence.
pub fn below_with_words(cut: &Cut, words: usize) -> Cut {
    let mut changed = cut.clone();
    let memories = changed.files.iter_mut().skip(1);
    for (_, text) in memories.filter(|(name, _)| name.contains("_memory_")) {
        let (before, rest) = text.split_once(WORDS).expect("a memory has words");
        let (_, after) = rest.split_once(']').expect("a declaration ends");
        *text = format!("{before}{WORDS}{}]{after}", words - 1);
    }
    changed
}

/// Claims `old`: a read gives the word as it was before a write in the same clock;
/// `merged`: lanes that are written change, all else stays; `still`: without
/// `read_enable` the output keeps its word.
pub fn content(cut: &Cut) -> Theorem {
    let lanes = cut.lanes("read_data");
    let (count, bits) = (lanes.len(), lanes[0].width);
    let address = range(cut.port("read_address").width);
    let (word, depth) = (range(count * bits), depth(cut));
    let connect = |port: &str, width: usize| -> String {
        (0..count)
            .map(|lane| format!(", .{port}_{lane}({port}[{} +: {width}])", lane * width))
            .collect()
    };
    let mask: Vec<String> = (0..count)
        .rev()
        .map(|lane| format!("{{{bits}{{address_2 == place && enable_2[{lane}]}}}}"))
        .collect();
    let text = format!(
        "
module theorem (
    input wire clock, input wire read_enable, input wire {address} write_address,
    input wire {enable} write_enable, input wire {word} write_data,
    output wire old, output wire merged, output wire still
);
    (* anyconst *) wire {address} place;
    wire {word} read_data;
    // At clock 5: what came out at clocks 2, 3 and 4, and what was written at 2.
    reg {word} first, second, third;
    reg {word} data_4, data_3, data_2;
    reg {enable} enable_4, enable_3, enable_2;
    reg {address} address_4, address_3, address_2;
    always @(posedge clock) begin
        {{first, second, third}} <= {{second, third, read_data}};
        {{data_2, data_3, data_4}} <= {{data_3, data_4, write_data}};
        {{enable_2, enable_3, enable_4}} <= {{enable_3, enable_4, write_enable}};
        {{address_2, address_3, address_4}} <= {{address_3, address_4, write_address}};
    end
    {name} memory (.clock(clock), .read_enable(read_enable), .read_address(place), .write_address(write_address){reads}{enables}{writes});
    wire {word} mask = {{{mask}}};
    wire in_range = place < {depth};
    assign old = !in_range || second == first;
    assign merged = !in_range || third == (first & ~mask | data_2 & mask);
    assign still = read_data == third;
endmodule
",
        enable = range(count),
        name = cut.name,
        reads = connect("read_data", bits),
        enables = connect("write_enable", 1),
        writes = connect("write_data", bits),
        mask = mask.join(", "),
    );
    let always = |input: &str, clocks: std::ops::RangeInclusive<usize>, value| {
        clocks
            .map(|clock| (clock, input.to_owned(), value))
            .collect::<Vec<_>>()
    };
    let given = [
        always("read_enable", 1..=3, 1),
        always("read_enable", 4..=4, 0),
        always("write_enable", 1..=1, 0),
    ]
    .concat();
    Theorem {
        text,
        claims: vec!["old", "merged", "still"],
        view: View::Time {
            first: 5,
            clocks: 5,
            given,
        },
    }
}
