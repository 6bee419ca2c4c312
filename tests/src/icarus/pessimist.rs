//! Verilog read by a pessimist: a condition that is unknown makes everything unknown that it
//! decides.
//!
//! `if (x)` is a false one to a simulator, which so hides an unknown enable behind a value that is
//! no more than possible. Here every `if` and `case` in the emitted text gets a third branch, in
//! which all that one of the others assigns becomes x. So what a simulation still knows depends on
//! nothing that it does not. And what a reset clears is control: that it stays known is looked
//! after in every clock.

/// A module's text with the third branches. In every clock in which `armed` is true, the text
/// `says` is run, with `{}` replaced, for a register that a reset clears and that is unknown.
///
/// # Panics
/// If the text is not of the form that the emitter gives it.
pub fn pessimist(text: &str, armed: &str, says: &str) -> String {
    let mut read = Reader { text, at: 0 };
    let mut written = String::new();
    while let Some(offset) = text[read.at..].find("always @") {
        let begin = read.at;
        read.at += offset;
        let is_clocked = read.until_closed().contains("posedge");
        written.push_str(&text[begin..read.at]);
        let statement = read.statement();
        // The end of a block is the only place where the names of its loops are known.
        let looked_after = match statement.text.strip_suffix("end") {
            Some(block) if is_clocked && !statement.cleared.is_empty() => {
                let each = |lhs: &str| {
                    let says = says.replace("{}", lhs);
                    format!("if ((^{lhs}) === 1'bx) begin {says} end ")
                };
                let checks = statement.cleared.iter().map(|cleared| cleared.each(&each));
                let checks: String = checks.collect();
                format!("{block}if ({armed}) begin\n{checks}end\nend")
            }
            _ => statement.text,
        };
        written.push_str(&looked_after);
        written.push('\n');
    }
    written.push_str(&text[read.at..]);
    written
}

/// What is assigned, in loops or not.
#[derive(Clone)]
enum Target {
    One { place: String, equals: &'static str },
    Loop { count: String, body: Vec<Target> },
}

impl Target {
    /// A statement for each place.
    fn each(&self, statement: &impl Fn(&str) -> String) -> String {
        match self {
            Self::One { place, .. } => statement(place),
            Self::Loop { count, body } => {
                let body: String = body.iter().map(|target| target.each(statement)).collect();
                format!("for {count} begin {body}end ")
            }
        }
    }

    /// A statement after which it is unknown.
    fn forget(&self) -> String {
        match self {
            Self::One { place, equals } => format!("{place} {equals} 'bx; "),
            Self::Loop { count, body } => {
                let body: String = body.iter().map(Self::forget).collect();
                format!("for {count} begin {body}end ")
            }
        }
    }
}

/// A statement, what it may assign, and what of that for a reset.
#[derive(Default)]
struct Statement {
    text: String,
    targets: Vec<Target>,
    cleared: Vec<Target>,
}

impl Statement {
    /// Takes what another one may assign.
    fn takes(&mut self, other: Statement) -> String {
        self.targets.extend(other.targets);
        self.cleared.extend(other.cleared);
        other.text
    }

    /// Puts a branch for an unknown `test` in front.
    fn unless_unknown(mut self, test: &str, known: &str) -> Self {
        let forgets: String = self.targets.iter().map(Target::forget).collect();
        self.text = format!("\nbegin if ((^{test}) === 1'bx) begin {forgets}end else {known} end");
        self
    }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Passes over spaces and comments.
    fn space(&mut self) {
        loop {
            self.at += self.rest().len() - self.rest().trim_start().len();
            if !self.rest().starts_with("//") {
                return;
            }
            self.at += self.rest().find('\n').expect("a comment ends");
        }
    }

    /// Passes over `word` if it is next.
    fn takes(&mut self, word: &str) -> bool {
        self.space();
        let follows = |rest: &str| rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
        let is_next = self.rest().strip_prefix(word).is_some_and(|r| !follows(r));
        if is_next {
            self.at += word.len();
        }
        is_next
    }

    /// Passes over everything up to the end of the parenthesis that opens next, which it gives.
    fn until_closed(&mut self) -> &'a str {
        let begin = self.at + self.rest().find('(').expect("a parenthesis opens");
        let mut depth = 0;
        for (offset, c) in self.text[begin..].char_indices() {
            depth += i32::from(c == '(') - i32::from(c == ')');
            if depth == 0 {
                self.at = begin + offset + 1;
                return &self.text[begin..self.at];
            }
        }
        panic!("{:?} does not close", &self.text[begin..]);
    }

    /// Passes over everything up to `end`, which it gives.
    fn until(&mut self, end: char) -> &'a str {
        self.space();
        let begin = self.at;
        self.at += self.rest().find(end).expect("a statement ends") + end.len_utf8();
        &self.text[begin..self.at]
    }

    fn statement(&mut self) -> Statement {
        if self.takes("begin") {
            self.block()
        } else if self.takes("if") {
            self.condition()
        } else if self.takes("case") {
            self.case()
        } else if self.takes("for") {
            self.repetition()
        } else {
            self.assignment()
        }
    }

    fn block(&mut self) -> Statement {
        let mut block = Statement::default();
        let mut text = String::from(" begin");
        self.space();
        if self.rest().starts_with(':') {
            let name = &self.rest()[..self.rest().find('\n').expect("a line ends")];
            self.at += name.len();
            text.push_str(name);
        }
        while !self.takes("end") {
            if self.takes("integer") {
                text.push_str("\ninteger ");
                text.push_str(self.until(';'));
                continue;
            }
            text.push_str(&block.takes(self.statement()));
        }
        block.text = text + "\nend";
        block
    }

    fn condition(&mut self) -> Statement {
        let test = self.until_closed();
        let mut choice = Statement::default();
        let then = choice.takes(self.statement());
        let mut known = format!("if {test} begin {then} end");
        if self.takes("else") {
            let other = choice.takes(self.statement());
            known.push_str(&format!(" else begin {other} end"));
        }
        let names = |c: char| !c.is_alphanumeric() && c != '_';
        if test.split(names).any(|name| name == "reset") {
            choice.cleared.clone_from(&choice.targets);
        }
        choice.unless_unknown(test, &known)
    }

    fn case(&mut self) -> Statement {
        let test = self.until_closed();
        let mut choice = Statement::default();
        let mut arms = String::new();
        while !self.takes("endcase") {
            let label = self.until(':');
            let arm = choice.takes(self.statement());
            arms.push_str(&format!("{label} begin {arm} end\n"));
        }
        choice.unless_unknown(test, &format!("case {test} {arms} endcase"))
    }

    fn repetition(&mut self) -> Statement {
        let count = self.until_closed().to_owned();
        let body = self.statement();
        let looped = |body: Vec<Target>| match body.is_empty() {
            true => Vec::new(),
            false => vec![Target::Loop {
                count: count.clone(),
                body,
            }],
        };
        Statement {
            text: format!("\nfor {count} begin {} end", body.text),
            targets: looped(body.targets),
            cleared: looped(body.cleared),
        }
    }

    fn assignment(&mut self) -> Statement {
        let text = self.until(';');
        let mut depth = 0;
        let place = text.char_indices().find(|&(_, c)| {
            depth += i32::from(c == '[') - i32::from(c == ']');
            depth == 0 && (c == '=' || c == '<')
        });
        let targets = place.map(|(at, c)| Target::One {
            place: text[..at].trim().to_owned(),
            equals: if c == '<' { "<=" } else { "=" },
        });
        Statement {
            text: format!("\n{text}"),
            targets: targets.into_iter().collect(),
            cleared: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> String {
        let text = pessimist(text, "armed", "$display(\"{}\");");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn what_an_unknown_condition_decides_becomes_unknown() {
        let text = "always @(*) begin\n    if (a == (b | c)) x[2 * i +: 2] = d; else y = d;\nend\n";
        assert_eq!(
            read(text),
            "always @(*) begin begin if ((^(a == (b | c))) === 1'bx) begin \
             x[2 * i +: 2] = 'bx; y = 'bx; end else if (a == (b | c)) begin \
             x[2 * i +: 2] = d; end else begin y = d; end end end"
        );
    }

    #[test]
    fn what_a_reset_clears_is_looked_after() {
        let text = "always @(posedge clock) begin\n    x <= d;\n    if (reset || b) x <= 0;\nend\n";
        assert_eq!(
            read(text),
            "always @(posedge clock) begin x <= d; begin if ((^(reset || b)) === 1'bx) begin \
             x <= 'bx; end else if (reset || b) begin x <= 0; end end \
             if (armed) begin if ((^x) === 1'bx) begin $display(\"x\"); end end end"
        );
    }
}
