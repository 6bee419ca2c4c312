//! Modules cut out of emitted files, and small damage done to them.

use super::window::range;
use brownout_hdl::emit::{Direction, Emitted, Module, Port};

/// A module with all that it instantiates, as `brownout generate` writes it.
#[derive(Clone, Debug)]
pub struct Cut {
    /// Name of the module, or of one around it whose ports are the lanes of its arrays.
    pub name: String,
    /// Name of the module itself.
    pub module: String,
    /// Ports of `name`: `x_3` is lane 3 of the array `x`.
    pub ports: Vec<Port>,
    /// Lanes and where they are in the module's text.
    pub places: Vec<(String, String)>,
    /// The module's file and those of the modules below it, each once.
    pub files: Vec<(String, String)>,
}

impl Cut {
    /// The module whose name ends with `_kind`, if there is one.
    pub fn find(emitted: &Emitted, kind: &str) -> Option<Self> {
        let ending = format!("_{kind}");
        let module = emitted.modules.iter().find(|m| m.name.ends_with(&ending))?;
        Some(Self::of(emitted, module))
    }

    /// `module` and what it instantiates.
    pub fn of(emitted: &Emitted, module: &Module) -> Self {
        let mut wanted = vec![module];
        let mut next = 0;
        while next < wanted.len() {
            let parent = wanted[next];
            for child in &emitted.modules {
                let known = wanted.iter().any(|m| m.name == child.name);
                if !known && instantiates(&parent.text, &child.name) {
                    wanted.push(child);
                }
            }
            next += 1;
        }
        let mut files: Vec<(String, String)> = wanted
            .iter()
            .map(|m| (m.name.clone(), emitted.module_file(m)))
            .collect();
        let (mut name, ports) = (module.name.clone(), lane_ports(module));
        if ports.len() != module.ports.len() || ports.iter().any(|(p, at)| p.name != *at) {
            name.push_str("_lanes");
            files.push((name.clone(), by_lanes(module, &name, &ports)));
        }
        Self {
            name,
            module: module.name.clone(),
            places: module.places.clone(),
            ports: ports.into_iter().map(|(port, _)| port).collect(),
            files,
        }
    }

    /// The port `name`.
    ///
    /// # Panics
    /// If the module has none of that name.
    pub fn port(&self, name: &str) -> &Port {
        self.ports
            .iter()
            .find(|port| port.name == name)
            .unwrap_or_else(|| panic!("{} has no port {name}", self.name))
    }

    /// The ports `name_0`, `name_1`, ...
    pub fn lanes(&self, name: &str) -> Vec<&Port> {
        (0..)
            .map_while(|lane| {
                let name = format!("{name}_{lane}");
                self.ports.iter().find(|port| port.name == name)
            })
            .collect()
    }

    /// The text of the module itself.
    pub fn text(&self) -> &str {
        &self.files[0].1
    }

    /// The same with another text of the module itself.
    ///
    /// # Panics
    /// If the text is the one that it has: a mutant has to differ.
    pub fn with_text(&self, text: String) -> Self {
        assert_ne!(
            text, self.files[0].1,
            "this mutant of {} is none",
            self.name
        );
        let mut changed = self.clone();
        changed.files[0].1 = text;
        changed
    }

    /// The same with another module in place of the one whose name ends with `_kind`.
    ///
    /// # Panics
    /// If there is no such module below this one.
    pub fn with_module(&self, kind: &str, text: impl FnOnce(&str) -> String) -> Self {
        let ending = format!("_{kind}");
        let mut changed = self.clone();
        let file = changed
            .files
            .iter_mut()
            .find(|(name, _)| name.ends_with(&ending))
            .unwrap_or_else(|| panic!("{} does not contain a {kind}", self.name));
        file.1 = text(&file.0);
        changed
    }

    /// Replaces `from` at its only place in the module's own text.
    ///
    /// # Panics
    /// If there is not exactly one.
    pub fn replace(&self, from: &str, to: &str) -> Self {
        let count = self.text().matches(from).count();
        assert_eq!(count, 1, "{} has {count} places with {from:?}", self.name);
        self.with_text(self.text().replace(from, to))
    }

    /// One mutant for each place outside comments with `from`, which is replaced by `to`.
    ///
    /// # Panics
    /// If there is no such place.
    pub fn replace_each(&self, from: &str, to: &str) -> Vec<Self> {
        let text = self.text();
        let in_code = |at: &usize| {
            let line = text[..*at].rfind('\n').map_or(0, |end| end + 1);
            !text[line..*at].contains("//")
        };
        let places = text.match_indices(from).map(|(at, _)| at);
        let places: Vec<_> = places.filter(in_code).collect();
        assert!(!places.is_empty(), "{} has no {from:?}", self.name);
        places
            .into_iter()
            .map(|at| {
                let mut changed = text.to_owned();
                changed.replace_range(at..at + from.len(), to);
                self.with_text(changed)
            })
            .collect()
    }

    /// Replaces every number of `width` bits and this value, however it is written.
    ///
    /// # Panics
    /// If there is no such number.
    pub fn replace_number(&self, width: usize, value: u128, instead: u128) -> Self {
        let text = self.text();
        let mut changed = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(tick) = rest.find('\'') {
            let start = rest[..tick]
                .trim_end_matches(|c: char| c.is_ascii_digit())
                .len();
            let digits = rest[tick + 1..]
                .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .map_or(rest.len(), |end| tick + 1 + end);
            let number = &rest[start..digits];
            changed.push_str(&rest[..start]);
            if parse(number) == Some((width, value)) {
                changed.push_str(&format!("{width}'h{instead:x}"));
            } else {
                changed.push_str(number);
            }
            rest = &rest[digits..];
        }
        changed.push_str(rest);
        self.with_text(changed)
    }

    /// Puts `expression` between an input and all that reads it inside the module.
    ///
    /// # Panics
    /// If nothing reads it.
    pub fn disturb_input(&self, port: &str, expression: &str) -> Self {
        let width = self.port(port).width;
        if let Some((array, bits)) = self.place(port).and_then(|p| p.split_once('[')) {
            return self.disturb_lane(port, array, bits.trim_end_matches(']'), expression);
        }
        let disturbed = format!("{port}_disturbed");
        let head = format!("module {} (", self.module);
        let start = self.text().find(&head).expect("a module has a head");
        let (head, body) = self
            .text()
            .split_at(start + self.text()[start..].find(");\n").expect("its head ends") + 3);
        let read = rename(body, port, &disturbed);
        assert_ne!(read, body, "{} does not read {port}", self.name);
        self.with_text(format!(
            "{head}\n    wire [{}:0] {disturbed} = {expression};\n{read}",
            width - 1
        ))
    }

    /// Where the lane `name` is in the module's text.
    pub fn place(&self, name: &str) -> Option<&str> {
        let found = self.places.iter().find(|(lane, _)| lane == name);
        found.map(|(_, place)| place.as_str())
    }

    /// As [`Cut::disturb_input`] for bits `bits` of `array`, which are not its highest or lowest.
    fn disturb_lane(&self, lane: &str, array: &str, bits: &str, expression: &str) -> Self {
        let number = |text: &str| text.parse::<usize>().expect("a bit has a number");
        let (high, low) = bits.split_once(':').unwrap_or((bits, bits));
        let (high, low) = (number(high), number(low));
        let head = format!("module {} (", self.module);
        let start = self.text().find(&head).expect("a module has a head");
        let (head, body) = self
            .text()
            .split_at(start + self.text()[start..].find(");\n").expect("its head ends") + 3);
        let read = rename(body, array, &format!("{array}_disturbed"));
        assert_ne!(read, body, "{} does not read {array}", self.name);
        let whole = self.places.iter().filter_map(|(_, place)| {
            let range = place.strip_prefix(array)?.strip_prefix('[')?;
            let top = range.trim_end_matches(']').split(':').next()?;
            top.parse::<usize>().ok()
        });
        let top = whole.max().expect("an array has lanes");
        self.with_text(format!(
            "{head}\n    wire [{}:0] {lane} = {array}[{high}:{low}];\n    \
             wire [{top}:0] {array}_disturbed = {{{array}[{top}:{}], {expression}, {array}[{}:0]}};\n{read}",
            high - low,
            high + 1,
            low - 1
        ))
    }

    /// Puts a register between an input and all that reads it inside the module.
    ///
    /// # Panics
    /// If nothing reads it.
    pub fn delay_input(&self, port: &str) -> Self {
        let late = format!("{port}_late");
        let wire = format!("wire {} {port}_disturbed", range(self.port(port).width));
        let register = format!(
            "reg {} {late};\n    always @(posedge clock) {late} <= {port};\n    {wire}",
            range(self.port(port).width)
        );
        self.disturb_input(port, &late).replace(&wire, &register)
    }

    /// Makes a wire of a register that always takes a value: that value, a clock too early.
    ///
    /// # Panics
    /// If there is not exactly one such register and assignment.
    pub fn without_register(&self, name: &str) -> Self {
        let (assigned, end) = (format!("\n        {name} <= "), format!(" {name};"));
        let (before, rest) = self
            .text()
            .split_once(&assigned)
            .expect("the register takes a value");
        let (value, after) = rest.split_once(";\n").expect("an assignment ends");
        let declared = before
            .lines()
            .find(|line| line.starts_with("    reg ") && line.ends_with(&end))
            .expect("the register is declared");
        let wire = declared
            .replace("    reg ", "    wire ")
            .replace(&end, &format!(" {name} = {value};"));
        self.with_text(format!("{before}\n{after}"))
            .replace(declared, &wire)
    }
}

/// Replaces the identifier `name` wherever it is no port of an instance.
fn rename(text: &str, name: &str, instead: &str) -> String {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let mut changed = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(name) {
        let after = at + name.len();
        let whole = !rest[..at].ends_with(word)
            && !rest[after..].starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        changed.push_str(&rest[..at]);
        changed.push_str(if whole { instead } else { name });
        rest = &rest[after..];
    }
    changed.push_str(rest);
    changed
}

/// Whether `text` has an instance of the module `name`.
fn instantiates(text: &str, name: &str) -> bool {
    text.lines().any(|line| {
        line.trim_start()
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(' ') && rest.ends_with('('))
    })
}

/// Width and value of a sized number of Verilog.
fn parse(number: &str) -> Option<(usize, u128)> {
    let (width, rest) = number.split_once('\'')?;
    let rest = rest.strip_prefix('s').unwrap_or(rest);
    let radix = match rest.chars().next()? {
        'h' => 16,
        'd' => 10,
        'b' => 2,
        _ => return None,
    };
    let value = u128::from_str_radix(&rest[1..].replace('_', ""), radix).ok()?;
    Some((width.parse().ok()?, value))
}

/// One port for every lane, and where it is in the module's own ports.
fn lane_ports(module: &Module) -> Vec<(Port, String)> {
    let mut out = Vec::new();
    for port in &module.ports {
        let is_of = |place: &str| place.split('[').next() == Some(port.name.as_str());
        let lanes = module.places.iter().filter(|(_, place)| is_of(place));
        let before = out.len();
        out.extend(lanes.map(|(name, place)| {
            let lane = Port {
                name: name.clone(),
                width: port.width / port.lanes,
                lanes: 1,
                ..port.clone()
            };
            (lane, place.clone())
        }));
        if out.len() == before {
            out.push((port.clone(), port.name.clone()));
        }
    }
    out
}

/// A module around `module` whose ports are lanes.
fn by_lanes(module: &Module, name: &str, ports: &[(Port, String)]) -> String {
    let mut heads = Vec::new();
    let mut body = String::new();
    for (port, place) in ports {
        let direction = match port.direction {
            Direction::Input => "input",
            Direction::Output => "output",
        };
        heads.push(format!(
            "{direction} wire {} {}",
            range(port.width),
            port.name
        ));
        let inside = format!("inside_{place}");
        body.push_str(&match port.direction {
            Direction::Input => format!("    assign {inside} = {};\n", port.name),
            Direction::Output => format!("    assign {} = {inside};\n", port.name),
        });
    }
    let (mut wires, mut connections) = (String::new(), Vec::new());
    for port in &module.ports {
        wires.push_str(&format!(
            "    wire {} inside_{};\n",
            range(port.width),
            port.name
        ));
        connections.push(format!(".{0}(inside_{0})", port.name));
    }
    format!(
        "module {name} ({});\n{wires}{body}    {} by_arrays ({});\nendmodule\n",
        heads.join(", "),
        module.name,
        connections.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_every_base_and_with_separators() {
        assert_eq!(parse("64'h1_0"), Some((64, 16)));
        assert_eq!(parse("8'd21"), Some((8, 21)));
        assert_eq!(parse("4'sb0101"), Some((4, 5)));
        assert_eq!(parse("4'q7"), None);
    }

    #[test]
    fn only_whole_identifiers_that_are_no_ports_are_renamed() {
        let text = ".word(word), word_2, a_word, {word}";
        assert_eq!(rename(text, "word", "w"), ".word(w), word_2, a_word, {w}");
    }
}
