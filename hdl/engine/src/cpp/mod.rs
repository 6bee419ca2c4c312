//! A scheduled design as C++ text.

mod statement;
mod value;

use crate::expr::{NetId, Op, Statement, Target, Term, Value};
use crate::family::Families;
use crate::flat::Flat;
use crate::group::{Group, Nest, nest, numbers};
use crate::schedule::{EdgeGroup, Program, reads_itself};
use crate::taint::Taint;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use value::{Context, type_name};

/// What every model is compiled with.
const LANES: &str = include_str!("lanes.h");
/// The C interface.
const INTERFACE: &str = include_str!("interface.h");

/// What of the model is being written.
pub(crate) struct Writer<'a> {
    flat: &'a Flat,
    taint: &'a Taint,
    families: &'a Families,
    /// Names of what is compared between lanes.
    watched: Vec<String>,
    tables: BTreeMap<Vec<i64>, usize>,
    counter: usize,
    /// Members of the state for new values that wait.
    waiting: String,
}

/// A design's C++ for `lanes` runs side by side.
pub(crate) fn write(
    flat: &Flat,
    taint: &Taint,
    families: &Families,
    program: &Program,
    outputs: &[Value],
    lanes: usize,
) -> String {
    let mut writer = Writer {
        flat,
        taint,
        families,
        watched: Vec::new(),
        tables: BTreeMap::new(),
        counter: 0,
        waiting: String::new(),
    };
    let edge = writer.edge(program);
    let settle = writer.settle(program, outputs);
    let mut out = format!("#define LANES {lanes}\n{LANES}\n");
    for (values, number) in &writer.tables {
        let small = values.iter().all(|v| i32::try_from(*v).is_ok());
        let kind = if small { "int" } else { "int64_t" };
        let values: Vec<String> = values.iter().map(i64::to_string).collect();
        let _ = writeln!(
            out,
            "static const {kind} t{number}[] = {{{}}};",
            values.join(",")
        );
    }
    out.push_str(&writer.state(outputs));
    out.push_str("static const char* const watched[] = {\"\"");
    for name in &writer.watched {
        let _ = write!(out, ",\n    \"{name}\"");
    }
    out.push_str("};\n\n");
    out.push_str(
        "template <class T> INLINE typename Of<T>::E same(const T& x, int id, State& s) {\n    \
         typename Of<T>::E r = x[0];\n    EACH if (x[k] != r) s.diverged = id;\n    return r;\n}\n\n",
    );
    let _ = write!(
        out,
        "static void edge(State& __restrict s) {{\n{edge}}}\n\nstatic void settle(State& __restrict s) {{\n{settle}}}\n\n"
    );
    out.push_str("static void* port(State& s, u32 index) {\n    switch (index) {\n");
    for (at, &net) in flat.inputs.iter().enumerate() {
        let (family, index) = families.nets[net];
        let name = match families.list[family].count {
            1 => format!("s.f{family}"),
            _ => format!("s.f{family}[{index}]"),
        };
        let _ = writeln!(out, "    case {at}: return &{name};");
    }
    for at in 0..outputs.len() {
        let _ = writeln!(out, "    case {}: return &s.o{at};", flat.inputs.len() + at);
    }
    out.push_str("    }\n    return nullptr;\n}\n\n");
    out.push_str("static void* family(State& s, u32 index) {\n    switch (index) {\n");
    for (at, family) in families.list.iter().enumerate() {
        if family.kept {
            let _ = writeln!(out, "    case {at}: return &s.f{at};");
        }
    }
    out.push_str("    }\n    return nullptr;\n}\n\n");
    out.push_str(INTERFACE);
    out
}

impl<'a> Writer<'a> {
    /// A new name.
    fn fresh(&mut self, what: &str) -> String {
        self.counter += 1;
        format!("{what}{}", self.counter)
    }

    /// The number under which the model reports that `path` differs between lanes.
    fn watched(&mut self, path: String) -> usize {
        let path = crate::family::pattern(&path).0;
        match self.watched.iter().position(|known| *known == path) {
            Some(at) => at + 1,
            None => {
                self.watched.push(path);
                self.watched.len()
            }
        }
    }

    /// How a net is called; `index` is its place in its family.
    fn name(&self, net: NetId, index: &str) -> String {
        let id = self.families.nets[net].0;
        let family = &self.families.list[id];
        match (family.kept, family.count) {
            (true, 1) => format!("s.f{id}"),
            (true, _) => format!("s.f{id}[{index}]"),
            (false, 1) => format!("c{id}"),
            (false, _) => format!("s.c{id}[{index}]"),
        }
    }

    fn state(&self, outputs: &[Value]) -> String {
        let mut out = String::from("struct State {\n    int diverged;\n");
        for (at, family) in self.families.list.iter().enumerate() {
            let kind = type_name(family.width, family.lanes);
            let count = match family.count {
                1 if !family.kept => continue,
                1 => String::new(),
                count => format!("[{count}]"),
            };
            let letter = if family.kept { 'f' } else { 'c' };
            let _ = writeln!(out, "    {kind} {letter}{at}{count}; // {}", family.pattern);
        }
        for (at, memory) in self.families.memories.iter().enumerate() {
            let kind = type_name(memory.width, memory.differs);
            let (count, depth, lanes) = (memory.count, memory.depth, memory.lanes);
            let _ = writeln!(
                out,
                "    {kind} m{at}[{count}][{depth}][{lanes}]; // {}",
                memory.pattern
            );
        }
        for (at, output) in outputs.iter().enumerate() {
            let kind = type_name(output.width, self.taint.value(output));
            let _ = writeln!(out, "    {kind} o{at};");
        }
        out.push_str(&self.waiting);
        out.push_str("};\n\n");
        out
    }

    fn edge(&mut self, program: &Program) -> String {
        let mut out = self.locals(&program.before);
        for group in &program.before {
            self.group(group, None, &mut out);
        }
        let mut after = String::new();
        for edge in &program.edges {
            self.edge_group(edge, &mut out, &mut after);
        }
        out + &after
    }

    fn settle(&mut self, program: &Program, outputs: &[Value]) -> String {
        let mut out = self.locals(&program.outputs);
        for group in &program.outputs {
            self.group(group, None, &mut out);
        }
        for (at, output) in outputs.iter().enumerate() {
            let numbers = numbers(output, self.families);
            let numbers = numbers.iter().map(i64::to_string).collect();
            let mut context = self.context(numbers, false);
            let text = context.value(output);
            let _ = writeln!(out, "    s.o{at} = {text};");
        }
        out
    }

    /// Declarations of what lives for one call only.
    fn locals(&self, groups: &[Group]) -> String {
        let mut found = BTreeSet::new();
        for group in groups {
            for statement in &group.body {
                statement.targets(&mut |t| {
                    found.extend(t.net().map(|net| self.families.nets[net].0));
                });
            }
        }
        let mut out = String::new();
        for id in found {
            let family = &self.families.list[id];
            if family.count == 1 && !family.kept {
                let kind = type_name(family.width, family.lanes);
                let _ = writeln!(out, "    {kind} c{id}{{}}; // {}", family.pattern);
            }
        }
        out
    }

    /// Whether everything that `body` assigns is equal in all lanes.
    fn is_equal(&self, body: &[Statement]) -> bool {
        let mut equal = true;
        for statement in body {
            statement.targets(&mut |target| {
                equal &= match target {
                    Target::Word(memory, ..) => {
                        !self.families.memories[self.families.memory[*memory].0].differs
                    }
                    Target::Whole(net) | Target::Bits(net, ..) | Target::Variable(net, ..) => {
                        !self.families.list[self.families.nets[*net].0].lanes
                    }
                };
            });
        }
        equal
    }

    fn context<'s>(&'s mut self, numbers: Vec<String>, equal: bool) -> Context<'a, 's> {
        Context {
            writer: self,
            numbers: numbers.into(),
            equal,
            into: String::new(),
            fresh: None,
        }
    }

    /// One unit, or a loop over units of one form.
    fn group(&mut self, group: &Group, edge: Option<&EdgeGroup>, out: &mut String) {
        let nest = nest(&group.numbers, group.count());
        let texts = self.texts(&nest);
        let equal = self.is_equal(&group.body);
        let mut lines = Vec::new();
        let register = edge.and_then(|_| self.flat.edges[group.units[0]].register);
        let fresh =
            register.filter(|&net| edge.is_some_and(|e| e.waits) || reads_itself(&group.body, net));
        // Where the loop's turns all ask the same, it is asked once.
        let (mut test, mut body) = (None, &group.body[..]);
        let into = self.target_of(&group.body);
        let mut context = self.context(texts, equal);
        context.into = into;
        if fresh.is_none()
            && let [Statement::If(asked, then, other)] = body
            && other.is_empty()
            && !context.differs(asked)
        {
            let (before, text) = (context.numbers.len(), context.value(asked));
            let used = before - context.numbers.len();
            let fixed = nest.steps[..used]
                .iter()
                .enumerate()
                .all(|(at, (_, steps))| {
                    steps.iter().all(|s| *s == 0) && !nest.tables.contains_key(&at)
                });
            if fixed {
                test = Some(text);
            } else {
                test = context.writer.guard(asked);
                lines.push(format!("if ({text}) {{"));
            }
            body = &then[..];
        }
        let inside = !lines.is_empty();
        match fresh {
            None => context.block(body, None, &mut lines),
            Some(net) => {
                let waits = edge.is_some_and(|e| e.waits);
                context.renewed(net, body, &nest, waits, &mut lines);
            }
        }
        if inside {
            lines.push("}".into());
        }
        let backwards = edge.is_some_and(|e| e.backwards);
        put_loops(&nest, backwards, test.as_deref(), &lines, out);
    }

    /// What `body` assigns first.
    fn target_of(&self, body: &[Statement]) -> String {
        let mut found = None;
        for statement in body {
            statement.targets(&mut |target| {
                found.get_or_insert_with(|| match target {
                    Target::Word(memory, ..) => self.flat.memories[*memory].path.clone(),
                    Target::Whole(net) | Target::Bits(net, ..) | Target::Variable(net, ..) => {
                        self.flat.nets[*net].path.clone()
                    }
                });
            });
        }
        found.unwrap_or_default()
    }

    /// What is true if `test` is in any turn of a loop: an array that it reads an element of is not
    /// all zero.
    fn guard(&self, test: &Value) -> Option<String> {
        match &test.term {
            Term::Binary(Op::And, l, r) => self.guard(l).or_else(|| self.guard(r)),
            Term::Net(net) => {
                let id = self.families.nets[*net].0;
                let family = &self.families.list[id];
                let letter = if family.kept { 'f' } else { 'c' };
                (family.count > 1 && !family.lanes).then(|| format!("live(s.{letter}{id})"))
            }
            _ => None,
        }
    }

    fn edge_group(&mut self, edge: &EdgeGroup, out: &mut String, after: &mut String) {
        self.group(&edge.group, Some(edge), out);
        if !edge.waits {
            return;
        }
        let Some(net) = self.flat.edges[edge.group.units[0]].register else {
            return;
        };
        let nest = nest(&edge.group.numbers, edge.group.count());
        let family = self.families.nets[net].0;
        let index = self
            .texts(&nest)
            .swap_remove(self.place_of(&edge.group, net));
        let place = self.name(net, &index);
        let waiting = match self.families.list[family].count {
            1 => format!("s.w{family}"),
            _ => format!("s.w{family}[{index}]"),
        };
        put_loops(
            &nest,
            false,
            None,
            &[format!("{place} = {waiting};")],
            after,
        );
    }

    /// Which number of a group's form is the index of the register.
    fn place_of(&self, group: &Group, net: NetId) -> usize {
        let all = crate::group::places(&group.body, self.families);
        all.iter().position(|n| *n == Some(net)).unwrap_or(0)
    }

    /// The numbers of a form as C++, in loops over i0, i1, ..
    fn texts(&mut self, nest: &Nest) -> Vec<String> {
        let mut out = Vec::new();
        for (at, (first, steps)) in nest.steps.iter().enumerate() {
            if let Some(values) = nest.tables.get(&at) {
                let next = self.tables.len();
                let table = *self.tables.entry(values.clone()).or_insert(next);
                out.push(format!("t{table}[i0]"));
                continue;
            }
            let mut text = String::new();
            for (level, step) in steps.iter().enumerate().filter(|(_, s)| **s != 0) {
                let _ = match step {
                    1 => write!(text, "+i{level}"),
                    step => write!(text, "{step:+}*i{level}"),
                };
            }
            out.push(match (text.is_empty(), first) {
                (true, first) => first.to_string(),
                (false, 0) => text.trim_start_matches('+').to_string(),
                (false, first) => format!("{first}{text}"),
            });
        }
        out
    }

    fn note_waiting(&mut self, net: NetId) {
        let id = self.families.nets[net].0;
        let family = &self.families.list[id];
        let kind = type_name(family.width, family.lanes);
        let count = match family.count {
            1 => String::new(),
            count => format!("[{count}]"),
        };
        let line = format!("    {kind} w{id}{count};\n");
        if !self.waiting.contains(&line) {
            self.waiting.push_str(&line);
        }
    }
}

impl Context<'_, '_> {
    /// A register's statements where its old value is read until it is renewed.
    fn renewed(
        &mut self,
        net: NetId,
        body: &[Statement],
        _nest: &Nest,
        waits: bool,
        lines: &mut Vec<String>,
    ) {
        let families = self.writer.families;
        let id = families.nets[net].0;
        let family = &families.list[id];
        let places = crate::group::places(body, families);
        let at = places.iter().position(|n| *n == Some(net)).unwrap_or(0);
        let index = self.numbers.get(at).cloned().unwrap_or_default();
        let place = self.writer.name(net, &index);
        let kind = type_name(family.width, family.lanes);
        let name = self.writer.fresh("n");
        lines.push(format!("{kind} {name} = {place};"));
        self.fresh = Some(name.clone());
        self.block(body, None, lines);
        self.fresh = None;
        if waits {
            self.writer.note_waiting(net);
            let waiting = match family.count {
                1 => format!("s.w{id}"),
                _ => format!("s.w{id}[{index}]"),
            };
            lines.push(format!("{waiting} = {name};"));
        } else {
            lines.push(format!("{place} = {name};"));
        }
    }
}

/// `lines` in the loops of `nest`, under a condition that they share.
fn put_loops(nest: &Nest, backwards: bool, test: Option<&str>, lines: &[String], out: &mut String) {
    let mut close = String::new();
    if let Some(test) = test {
        let _ = writeln!(out, "    if ({test}) {{");
        close.push('}');
    }
    let loops = nest.turns.iter().product::<usize>() > 1;
    for (level, turns) in nest.turns.iter().enumerate().filter(|_| loops) {
        let _ = match backwards {
            false => writeln!(
                out,
                "    for (int i{level} = 0; i{level} < {turns}; i{level}++) {{"
            ),
            true => writeln!(
                out,
                "    for (int i{level} = {}; i{level} >= 0; i{level}--) {{",
                turns - 1
            ),
        };
        close.push('}');
    }
    // Names of one unit are its own.
    let _ = writeln!(out, "    {{ {} }}{close}", lines.join("\n        "));
}
