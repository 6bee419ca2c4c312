//! The codes of the weight memory: a word is one code word.

mod name;

pub use name::CodeName;
