//! Which network a checkpoint holds: one that has a name here, or a graph of its own.

use crate::network::Builtin;
use std::fmt;

/// How a network in floating point is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    /// One of those that are built from images and classes alone.
    Builtin(Builtin),
    /// Anybody's, with layers of its own; by the name that reports give it.
    Graph(String),
}

impl Form {
    /// The network that is built here, if it is one.
    pub fn builtin(&self) -> Option<Builtin> {
        match self {
            Self::Builtin(builtin) => Some(*builtin),
            Self::Graph(_) => None,
        }
    }
}

impl From<Builtin> for Form {
    fn from(builtin: Builtin) -> Self {
        Self::Builtin(builtin)
    }
}

/// The network's name.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Builtin(builtin) => builtin.fmt(f),
            Self::Graph(name) => f.pad(name),
        }
    }
}

#[cfg(test)]
#[path = "form_tests.rs"]
mod tests;
