//! A macro's declaration without a body, and its behavioural model.

use super::pins::{Pin, Role, pins};
use brownout_spec::macros::Macro;

/// The module's head: ports with their directions.
fn head(one: &Macro, pins: &[Pin]) -> String {
    let port = |pin: &Pin| {
        let direction = if pin.is_output() { "output" } else { "input" };
        let bits = match pin.bits {
            1 if !matches!(pin.role, Role::Data | Role::Word | Role::Unused) => String::new(),
            bits => format!("[{}:0] ", bits - 1),
        };
        format!("    {direction} wire {bits}{}", pin.name)
    };
    let ports: Vec<String> = pins.iter().map(port).collect();
    format!("module {} (\n{}\n);\n", one.name, ports.join(",\n"))
}

/// The declaration that a synthesis tool needs and nothing else.
pub fn declaration(one: &Macro) -> String {
    let head = head(one, &pins(one));
    format!("(* blackbox *)\n{head}endmodule\n")
}

/// What the macro does in simulation. Whatever no user may rely on comes out wrong: a word that is
/// read while it is written, and the output when it need not last any longer.
pub fn model(one: &Macro) -> String {
    let pins = pins(one);
    let named = |role: Role| pins.iter().find(|pin| pin.role == role);
    let level = |role: Role| {
        named(role).map_or("1'b1".to_owned(), |pin| {
            format!("{}{}", if pin.low { "!" } else { "" }, pin.name)
        })
    };
    let name = |role: Role| named(role).map_or("1'b1", |pin| pin.name);
    let clocks: Vec<&str> = pins
        .iter()
        .filter(|pin| pin.role == Role::Clock)
        .map(|pin| pin.name)
        .collect();
    let (first, last) = (clocks[0], clocks[clocks.len() - 1]);
    let (words, width, mask) = (one.words, one.width, one.mask_bits());
    let (data, stays) = (name(Role::Data), one.pins.output_stays());
    let (top, last_word, parts) = (width - 1, words - 1, one.mask_parts());
    let write = |address: &str| match named(Role::Mask) {
        None => format!("cells[{address}] <= {data};\n"),
        Some(pin) if parts == 1 => format!("if ({}) cells[{address}] <= {data};\n", pin.name),
        Some(pin) => format!(
            "for (i = 0; i < {parts}; i = i + 1)\n                \
             if ({}[i]) cells[{address}][{mask}*i +: {mask}] <= {data}[{mask}*i +: {mask}];\n",
            pin.name
        ),
    };
    let integer = match parts {
        1 => "",
        _ => "        integer i;\n",
    };
    let lasts = match stays {
        true => "The output stays until the port is used again",
        false => "The output lasts one clock, and is inverted after that",
    };
    let said = format!(
        "// Model of a macro of {words} words of {width} bits, of which {mask} are written together, for\n\
         // simulation only. {lasts}.\n"
    );
    let body = match named(Role::Address) {
        Some(pin) => {
            let address = pin.name;
            let idle = match stays {
                true => String::new(),
                false => format!(
                    "        if (!({})) word <= ~cells[{address}];\n",
                    level(Role::Select)
                ),
            };
            format!(
                "    always @(posedge {first}) begin : port\n{integer}        \
                 if ({select} && {write_level}) begin\n            {written}            \
                 word <= ~cells[{address}]; // nobody reads while a word is written\n        end\n        \
                 if ({select} && !({write_level})) word <= cells[{address}];\n{idle}    end\n",
                select = level(Role::Select),
                write_level = level(Role::Write),
                written = write(address),
            )
        }
        None => {
            let (from, to) = (name(Role::ReadAddress), name(Role::WriteAddress));
            let writes = match named(Role::AlwaysWrite) {
                Some(_) => format!(
                    "{} && {}",
                    level(Role::WriteSelect),
                    level(Role::AlwaysWrite)
                ),
                None => level(Role::WriteSelect),
            };
            let idle = match stays {
                true => String::new(),
                false => format!(
                    "        if (!({})) word <= ~cells[{from}];\n",
                    level(Role::ReadSelect)
                ),
            };
            let collide = match named(Role::Mask) {
                Some(pin) if parts > 1 => format!(
                    "for (i = 0; i < {parts}; i = i + 1)\n                    \
                     if ({}[i]) word[{mask}*i +: {mask}] <= ~cells[{from}][{mask}*i +: {mask}];\n",
                    pin.name
                ),
                _ => format!("word <= ~cells[{from}];\n"),
            };
            format!(
                "    always @(posedge {first}) begin : write_port\n{integer}        \
                 if ({writes}) begin\n            {written}        end\n    end\n\n    \
                 // What is read while it is written comes out inverted.\n    \
                 always @(posedge {last}) begin : read_port\n{integer}        \
                 if ({read}) begin\n            word <= cells[{from}];\n            \
                 if ({writes} && {from} == {to}) begin\n                {collide}            \
                 end\n        end\n{idle}    end\n",
                written = write(to),
                read = level(Role::ReadSelect),
            )
        }
    };
    let unused = named(Role::Unused).map_or(String::new(), |pin| {
        format!("    assign {} = {{{width}{{1'b0}}}};\n", pin.name)
    });
    format!(
        "{said}{head}    reg [{top}:0] cells [0:{last_word}];\n    reg [{top}:0] word;\n\n{body}\n    \
         assign {word} = word;\n{unused}endmodule\n",
        head = head(one, &pins),
        word = name(Role::Word),
    )
}
