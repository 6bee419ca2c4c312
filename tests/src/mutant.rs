//! Hardware with one deliberate mistake, to prove that the comparison finds it.
//!
//! A mutant changes the emitted text at one place, named by what is assigned
//! there; if the place is not exactly one, the mutant refuses to exist.

use brownout_hdl::emit::Emitted;

/// Stands for what is replaced.
const ORIGINAL: &str = "@";

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

    /// Gives lane `lane` of an array something else in the loop over its lanes of `width` bits.
    /// `assigned` is ` =` for wires, whose loop is a `generate for` over `n`, and ` <=` for
    /// registers, whose variable is `i`.
    pub fn lane(
        module: &'static str,
        (array, width): (&str, usize),
        assigned: &str,
        lane: usize,
        instead: &str,
    ) -> Self {
        let turn = if assigned == " =" { "n" } else { "i" };
        Self {
            module,
            before: format!("{array}[{width} * {turn} +: {width}]{assigned} "),
            after: ";",
            instead: format!("({turn} == {lane}) ? ({instead}) : ({ORIGINAL})"),
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
        let places: Vec<_> = module.text.match_indices(&self.before).collect();
        assert_eq!(
            places.len(),
            1,
            "{name} has {} places with {:?}",
            places.len(),
            self.before
        );
        let start = places[0].0 + self.before.len();
        let length = module.text[start..]
            .find(self.after)
            .unwrap_or_else(|| panic!("{:?} has no end in {name}", self.before));
        let range = start..start + length;
        assert_ne!(
            module.text[range.clone()],
            self.instead,
            "the change changes nothing"
        );
        let instead = self.instead.replace(ORIGINAL, &module.text[range.clone()]);
        module.text.replace_range(range, &instead);
    }
}
