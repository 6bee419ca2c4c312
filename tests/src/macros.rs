//! Lists of memory macros for the tests, and accelerators made of them.

use brownout_hdl::emit::{Emitted, Module, Origin};
use brownout_hdl::macros::{WithMacros, with_macros};
use brownout_spec::macros::MacroList;

/// As in a file.
///
/// # Panics
/// With the list's error.
pub fn list(text: &str) -> MacroList {
    MacroList::from_toml(text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// An accelerator with its memories made of macros.
///
/// # Panics
/// With the error's sentence.
pub fn wrapped(emitted: &Emitted, list: &MacroList) -> WithMacros {
    with_macros(emitted, list).unwrap_or_else(|error| panic!("{error}"))
}

/// The accelerator with the models of its macros, as a simulator reads it.
pub fn simulated(with: &WithMacros) -> Emitted {
    let mut emitted = with.emitted.clone();
    emitted.modules.extend(with.macros.iter().map(|one| Module {
        name: one.name.clone(),
        text: one.model.clone(),
        origin: Origin::Leaf,
        ports: Vec::new(),
        places: Vec::new(),
        children: Vec::new(),
    }));
    emitted
}
