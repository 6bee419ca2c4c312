//! Hardware with one deliberate mistake, to prove that the comparison finds it.
//!
//! A mutant changes the emitted text at one place, named by what is assigned
//! there; if the place is not exactly one, the mutant refuses to exist.

use brownout_hdl::emit::Emitted;

/// Stands for what is replaced.
const ORIGINAL: &str = "@";

/// Stands for the variable of a loop, and what it may be: of one in a block, of `generate for`.
const TURN: &str = "#";
const TURNS: [&str; 2] = ["i", "n"];

/// One change of one module.
#[derive(Clone, Debug)]
pub struct Change {
    /// What the module's name ends with; the top module's is empty.
    pub module: &'static str,
    /// What the statement begins with, up to what is replaced.
    pub before: String,
    /// What the statement ends with, after what is replaced.
    pub after: &'static str,
    /// What stands there instead.
    pub instead: String,
}

impl Change {
    /// Drives a wire with something else.
    pub fn wire(module: &'static str, name: &str, instead: impl Into<String>) -> Self {
        Self {
            module,
            before: format!("assign {name} = "),
            after: ";",
            instead: instead.into(),
        }
    }

    /// Loads a register with something else.
    pub fn register(module: &'static str, name: &str, instead: impl Into<String>) -> Self {
        Self {
            module,
            before: format!(" {name} <= "),
            after: ";",
            instead: instead.into(),
        }
    }

    /// Gives lane `lane` of an array something else in the loop over its lanes of `width` bits;
    /// `assigned` is ` =` or ` <=`, and `#` in `instead` the variable of the loop.
    pub fn lane(
        module: &'static str,
        (array, width): (&str, usize),
        assigned: &str,
        lane: usize,
        instead: &str,
    ) -> Self {
        Self {
            module,
            before: format!("{array}[{width} * {TURN} +: {width}]{assigned}"),
            after: ";",
            instead: format!(" ({TURN} == {lane}) ? ({instead}) : ({ORIGINAL})"),
        }
    }

    /// Applies the change.
    ///
    /// # Panics
    /// If the module or the statement is not there exactly once, or says so already.
    pub fn apply(&self, emitted: &mut Emitted) {
        let top = emitted.top().name.clone();
        let name = match self.module {
            "" => top,
            module => format!("{top}_{module}"),
        };
        let module = emitted
            .modules
            .iter_mut()
            .find(|m| m.name == name)
            .unwrap_or_else(|| panic!("there is no module {name}"));
        let turns: &[&str] = match self.before.contains(TURN) {
            true => &TURNS,
            false => &[TURN],
        };
        let mut places = Vec::new();
        for turn in turns {
            let before = self.before.replace(TURN, turn);
            let found = module.text.match_indices(&before);
            places.extend(found.map(|(at, _)| (at + before.len(), *turn)));
        }
        let [(start, turn)] = places[..] else {
            let (count, before) = (places.len(), &self.before);
            panic!("{name} has {count} places with {before:?}");
        };
        let length = module.text[start..]
            .find(self.after)
            .unwrap_or_else(|| panic!("{:?} has no end in {name}", self.before));
        let range = start..start + length;
        assert_ne!(
            module.text[range.clone()],
            self.instead,
            "the change changes nothing"
        );
        let instead = self.instead.replace(TURN, turn);
        let instead = instead.replace(ORIGINAL, &module.text[range.clone()]);
        module.text.replace_range(range, &instead);
    }
}
