//! The module that stands in a memory's place: its ports, and macros behind them.

use super::pins::{Pin, Role, pins};
use super::tile::Tiling;
use crate::memory::Shape;
use brownout_emitter::Module;
use brownout_spec::macros::Macro;
use std::fmt::Write;

/// Text of a memory's module, made of macros; its ports are those of `module`. A macro with one
/// port writes where both are asked for.
pub fn wrapper(module: &Module, shape: Shape, one: &Macro, tiling: Tiling) -> String {
    let Shape {
        words,
        lanes,
        lane_bits,
    } = shape;
    let Tiling { deep, wide, parts } = tiling;
    let stride = parts * one.mask_bits();
    let stored = wide * one.width;
    let groups = wide * one.mask_parts();
    let one_port = !one.ports.read_while_writing();
    let mut out = format!(
        "// {words} words of {lanes} x {lane_bits} bits, one write and one read port, in {} of {}:\n\
         // {deep} in depth, {wide} side by side, each of {} x {} bits. A word stands at the output one clock\n\
         // after its address. No user relies on one that is read while it is written.\n",
        match tiling.count() {
            1 => "one macro".to_owned(),
            count => format!("{count} macros"),
        },
        one.name,
        one.words,
        one.width,
    );
    if one_port {
        out.push_str(
            "// No user reads a word that counts while it writes another: one port serves both.\n",
        );
    }
    out.push_str(&ports(module));
    // Writing into a string does not fail.
    let mut line = |text: String| {
        let _ = writeln!(out, "    {text}");
    };
    line(format!(
        "// Lanes as they lie in the macros: every {stride} bits, in parts of {} that are written together.",
        one.mask_bits()
    ));
    line(format!("wire [{}:0] stored_data;", stored - 1));
    line(format!("wire [{}:0] stored_mask;", groups - 1));
    line(format!("wire [{}:0] stored_word;", stored - 1));
    let any = if lanes == 1 {
        "write_enable"
    } else {
        "|write_enable"
    };
    line(format!("wire write = {any};"));
    line(match one_port {
        true => "wire read = read_enable && !write;".to_owned(),
        false => "wire read = read_enable;".to_owned(),
    });
    line(String::new());
    for text in lanes_of(shape, stride, parts) {
        line(text);
    }
    for text in beyond(shape, stride, parts, (stored, groups)) {
        line(text);
    }
    line(String::new());
    let given = if one.pins.output_stays() {
        "stored_word"
    } else {
        "fresh_word"
    };
    if !one.pins.output_stays() {
        line(
            "// A macro's output lasts one clock; the word is kept until the next one.".to_owned(),
        );
        line(format!("wire [{}:0] fresh_word;", stored - 1));
        line(format!("reg [{}:0] kept_word;", stored - 1));
        line("reg fresh;".to_owned());
        line("always @(posedge clock) begin".to_owned());
        line("    fresh <= read;".to_owned());
        line("    if (fresh) kept_word <= fresh_word;".to_owned());
        line("end".to_owned());
        line("assign stored_word = fresh ? fresh_word : kept_word;".to_owned());
        line(String::new());
    }
    let address_bits = crate::memory::address_bits(words);
    for text in rows_of(one, tiling, (stored, address_bits), given) {
        line(text);
    }
    for text in macros_of(one, tiling, address_bits, given) {
        line(text);
    }
    out.push_str("endmodule\n");
    let lines = out.lines().map(|line| line.trim_end().to_owned() + "\n");
    lines.collect()
}

/// The head of a module, up to its ports' end.
fn ports(module: &Module) -> String {
    let start = module.text.find(&format!("module {} (", module.name));
    let text = &module.text[start.unwrap_or(0)..];
    let end = text.find("\n);\n").map_or(text.len(), |end| end + 4);
    text[..end].to_owned() + "\n"
}

/// How lanes lie in the macros' words.
fn lanes_of(shape: Shape, stride: usize, parts: usize) -> Vec<String> {
    let bits = shape.lane_bits;
    let spare = stride - bits;
    if shape.lanes == 1 {
        let mut lines = vec![
            format!("assign stored_data[{}:0] = write_data;", bits - 1),
            format!(
                "assign stored_mask[{}:0] = {{{parts}{{write_enable}}}};",
                parts - 1
            ),
            format!("assign read_data = stored_word[{}:0];", bits - 1),
        ];
        if spare > 0 {
            let place = format!("[{}:{bits}]", stride - 1);
            lines.push(format!("assign stored_data{place} = {{{spare}{{1'b0}}}};"));
            lines.push(format!(
                "wire [{}:0] unused_bits = stored_word{place};",
                spare - 1
            ));
        }
        return lines;
    }
    let mut lines = vec![
        "genvar lane;".to_owned(),
        "generate".to_owned(),
        format!(
            "    for (lane = 0; lane < {}; lane = lane + 1) begin : gen_lane",
            shape.lanes
        ),
        format!(
            "        assign stored_data[{stride} * lane +: {bits}] = write_data[{bits} * lane +: {bits}];"
        ),
        format!(
            "        assign stored_mask[{parts} * lane +: {parts}] = {{{parts}{{write_enable[lane]}}}};"
        ),
        format!(
            "        assign read_data[{bits} * lane +: {bits}] = stored_word[{stride} * lane +: {bits}];"
        ),
    ];
    if spare > 0 {
        let place = format!("[{stride} * lane + {bits} +: {spare}]");
        lines.push(format!(
            "        assign stored_data{place} = {{{spare}{{1'b0}}}};"
        ));
        lines.push(format!(
            "        wire [{}:0] unused_bits = stored_word{place};",
            spare - 1
        ));
    }
    lines.extend(["    end".to_owned(), "endgenerate".to_owned()]);
    lines
}

/// What the macros have beyond the last lane: never written, never looked at.
fn beyond(
    shape: Shape,
    stride: usize,
    parts: usize,
    (stored, groups): (usize, usize),
) -> Vec<String> {
    let (bits, used) = (stride * shape.lanes, parts * shape.lanes);
    let mut lines = Vec::new();
    if stored > bits {
        let place = format!("[{}:{bits}]", stored - 1);
        let spare = stored - bits;
        lines.push(format!("assign stored_data{place} = {{{spare}{{1'b0}}}};"));
        lines.push(format!(
            "wire [{}:0] unused_end = stored_word{place};",
            spare - 1
        ));
    }
    if groups > used {
        lines.push(format!(
            "assign stored_mask[{}:{used}] = {{{}{{1'b0}}}};",
            groups - 1,
            groups - used
        ));
    }
    lines
}

/// The choice of a row of macros, where there are several.
fn rows_of(
    one: &Macro,
    tiling: Tiling,
    (stored, address_bits): (usize, usize),
    given: &str,
) -> Vec<String> {
    let deep = tiling.deep;
    if deep == 1 {
        return Vec::new();
    }
    let place = format!("[{}:{}]", address_bits - 1, one.address_bits());
    let last = deep - 1;
    let mut lines = vec![
        "// One bit for each row of macros; that of the last read chooses the output.".to_owned(),
        format!("wire [{last}:0] read_row = {{{{{last}{{1'b0}}}}, read}} << read_address{place};"),
        format!(
            "wire [{last}:0] write_row = {{{{{last}{{1'b0}}}}, write}} << write_address{place};"
        ),
        format!("wire [{}:0] row_words;", deep * stored - 1),
        format!("reg [{last}:0] row;"),
        format!("reg [{}:0] chosen_word;", stored - 1),
        "always @(posedge clock) begin".to_owned(),
        "    if (read) row <= read_row;".to_owned(),
        "end".to_owned(),
        "always @* begin : choice".to_owned(),
        "    integer i;".to_owned(),
        format!("    chosen_word = {{{stored}{{1'b0}}}};"),
        format!("    for (i = 0; i < {deep}; i = i + 1)"),
        format!(
            "        chosen_word = chosen_word | ({{{stored}{{row[i]}}}} & row_words[{stored} * i +: {stored}]);"
        ),
        "end".to_owned(),
    ];
    lines.push(format!("assign {given} = chosen_word;"));
    lines.push(String::new());
    lines
}

/// The instances.
fn macros_of(one: &Macro, tiling: Tiling, address_bits: usize, given: &str) -> Vec<String> {
    let Tiling { deep, wide, .. } = tiling;
    let (width, groups) = (one.width, one.mask_parts());
    let (row, column) = (deep > 1, wide > 1);
    let read = if row { "read_row[at_row]" } else { "read" };
    let write = if row { "write_row[at_row]" } else { "write" };
    let slice = |array: &str, bits: usize| match (column, bits) {
        (false, _) => array.to_owned(),
        (true, 1) => format!("{array}[at_column]"),
        (true, bits) => format!("{array}[{bits} * at_column +: {bits}]"),
    };
    // Without a mask, what is not to be written is not selected.
    let masked = groups > 1 || pins(one).iter().any(|pin| pin.role == Role::Mask);
    let writes = match masked {
        true => write.to_owned(),
        false => format!("{write} && {}", slice("stored_mask", 1)),
    };
    let address = |from: &str| match one.address_bits() {
        bits if bits > address_bits => {
            format!("{{{{{}{{1'b0}}}}, {from}}}", bits - address_bits)
        }
        bits if bits == address_bits => from.to_owned(),
        bits => format!("{from}[{}:0]", bits - 1),
    };
    let word = match (row, column) {
        (false, _) => slice(given, width),
        (true, false) => format!("row_words[{width} * at_row +: {width}]"),
        (true, true) => format!(
            "row_words[{} * at_row + {width} * at_column +: {width}]",
            wide * width
        ),
    };
    let value = |pin: &Pin| {
        let value = match pin.role {
            Role::Clock => "clock".to_owned(),
            Role::Select => format!("{read} || ({writes})"),
            Role::Write | Role::WriteSelect => writes.clone(),
            Role::AlwaysWrite => return "1'b0".to_owned(),
            Role::ReadSelect => read.to_owned(),
            Role::Mask => slice("stored_mask", groups),
            Role::Address => format!(
                "write ? {} : {}",
                address("write_address"),
                address("read_address")
            ),
            Role::ReadAddress => address("read_address"),
            Role::WriteAddress => address("write_address"),
            Role::Data => slice("stored_data", width),
            Role::Word => word.clone(),
            Role::Unused => "unused_word".to_owned(),
        };
        match pin.low {
            true => format!("!({value})"),
            false => value,
        }
    };
    let pins = pins(one);
    let mut lines = Vec::new();
    if pins.iter().any(|pin| pin.role == Role::Unused) {
        lines.push(format!("wire [{}:0] unused_word;", width - 1));
    }
    lines.push(format!("{} sram (", one.name));
    let last = pins.len() - 1;
    lines.extend(pins.iter().enumerate().map(|(at, pin)| {
        let comma = if at == last { "" } else { "," };
        format!("    .{}({}){comma}", pin.name, value(pin))
    }));
    lines.push(");".to_owned());
    let loops: Vec<(&str, usize)> = [("row", deep), ("column", wide)]
        .into_iter()
        .filter(|(_, count)| *count > 1)
        .collect();
    if loops.is_empty() {
        return lines;
    }
    let variable = |name: &str| format!("at_{name}");
    let names: Vec<String> = loops.iter().map(|(name, _)| variable(name)).collect();
    let mut out = vec![
        format!("genvar {};", names.join(", ")),
        "generate".to_owned(),
    ];
    for (depth, (name, count)) in loops.iter().enumerate() {
        let (indent, at) = ("    ".repeat(depth + 1), variable(name));
        out.push(format!(
            "{indent}for ({at} = 0; {at} < {count}; {at} = {at} + 1) begin : gen_{name}"
        ));
    }
    let indent = "    ".repeat(loops.len() + 1);
    out.extend(lines.into_iter().map(|line| indent.clone() + &line));
    for depth in (1..=loops.len()).rev() {
        out.push("    ".repeat(depth) + "end");
    }
    out.push("endgenerate".to_owned());
    out
}
