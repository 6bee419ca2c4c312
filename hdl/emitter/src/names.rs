//! From field paths to identifiers.

use std::collections::{BTreeMap, HashSet};
use std::sync::OnceLock;

/// Words that Verilog, SystemVerilog (as Verilator reads it) or C++ reserve.
const RESERVED: &str = "\
    TOP alias always always_comb always_ff always_latch and assert assign assume auto automatic \
    before begin bind bins bit bool break buf byte case casex casez catch cell char checker \
    class clocking cmos config const constraint context continue cover covergroup cross deassign \
    default defparam delete design disable dist do double edge else end endcase endfunction \
    endmodule endtask enum event eventually expect explicit export extends extern false final \
    float for force foreach forever fork forkjoin friend function generate genvar global goto if \
    iff ifnone implements implies import include initial inline inout input inside instance int \
    integer interconnect interface intersect join large let liblist library local localparam \
    logic long macromodule matches medium modport module mutable namespace nand negedge new \
    nexttime nmos nor not null operator or output package packed parameter pmos posedge \
    primitive priority private program property protected public pull0 pull1 pulldown pullup \
    pure rand randc real realtime ref reg register release repeat restrict return scalared \
    sequence shared short shortint shortreal signed sizeof small soft solve specify static \
    string strong std struct super supply0 supply1 switch table tagged task template this throughout \
    throw time timeprecision timeunit tran tri tri0 tri1 true try type typedef union unique \
    unsigned until use using var vectored virtual void volatile wait wand weak while wildcard \
    wire with within wor xnor xor";

pub(crate) fn is_reserved(name: &str) -> bool {
    static WORDS: OnceLock<HashSet<&str>> = OnceLock::new();
    WORDS
        .get_or_init(|| RESERVED.split_whitespace().collect())
        .contains(name)
}

/// Words that VHDL reserves, in lower case: VHDL knows no case. Names of modules are none of them,
/// so that a design in VHDL can hold them.
const RESERVED_IN_VHDL: &str = "\
    abs access after alias all and architecture array assert assume attribute begin block body \
    buffer bus case component configuration constant context cover default disconnect downto \
    else elsif end entity exit fairness file for force function generate generic group guarded \
    if impure in inertial inout is label library linkage literal loop map mod nand new next nor \
    not null of on open or others out package parameter port postponed private procedure process \
    property protected pure range record register reject release rem report restrict return rol \
    ror select sequence severity shared signal sla sll sra srl strong subtype then to transport \
    type unaffected units until use variable view virtual vmode vpkg vprop vunit wait when while \
    with xnor xor";

/// Whether a module may have this name: an identifier that is no keyword of Verilog, SystemVerilog,
/// VHDL, C or C++.
pub fn is_free_module_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    let of_vhdl = RESERVED_IN_VHDL
        .split_whitespace()
        .any(|word| word == lower);
    is_identifier(name) && !is_reserved(name) && !of_vhdl
}

pub(crate) fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Names that the fields alone do not give.
#[derive(Debug, Clone, Default)]
pub(crate) struct Naming {
    /// Columns of child arrays that are grids: field name -> columns.
    pub grids: BTreeMap<String, usize>,
    /// Names of the entries of tables of constants: field name -> names.
    pub labels: BTreeMap<String, Vec<String>>,
}

/// `a_in$3` -> `a_in_3`, and `pe$5$x` -> `pe_r1_c1_x` if `pe` is a grid of 4 columns.
pub(crate) fn identifier(path: &str, naming: &Naming) -> String {
    let mut out: Vec<String> = Vec::new();
    let mut previous = "";
    for part in path.split('$').filter(|p| !p.is_empty()) {
        let cell = match (naming.grids.get(previous), part.parse::<usize>()) {
            (Some(columns), Ok(n)) => format!("r{}_c{}", n / columns, n % columns),
            _ => part.to_string(),
        };
        out.push(cell);
        previous = part;
    }
    out.join("_")
}

/// `State::LoadWeights` -> `STATE_LOAD_WEIGHTS`, `mask$3` -> `MASK_3`.
pub(crate) fn constant_name(path: &str) -> String {
    let mut out = String::new();
    let mut previous_lower = false;
    for c in path.replace("::", "$").chars() {
        if !c.is_ascii_alphanumeric() {
            if !out.ends_with('_') && !out.is_empty() {
                out.push('_');
            }
            previous_lower = false;
            continue;
        }
        if c.is_ascii_uppercase() && previous_lower {
            out.push('_');
        }
        previous_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        out.push(c.to_ascii_uppercase());
    }
    out
}

/// `row_register$3` -> `row_3_q`: the value of a register. A register that drives the port of the
/// same name is called `.._register` in Rust, where port and register cannot share a name.
pub(crate) fn register_name(field: &str, naming: &Naming, suffix: &str) -> String {
    let (base, lane) = field.split_once('$').unwrap_or((field, ""));
    let base = base.strip_suffix("_register").unwrap_or(base);
    let name = identifier(&format!("{base}${lane}"), naming);
    format!("{name}_{suffix}")
}

/// `mask$3` -> `mask` and 3.
pub(crate) fn lane(field: &str) -> Option<(&str, usize)> {
    let (base, lane) = field.rsplit_once('$')?;
    Some((base, lane.parse().ok()?))
}

/// `pe$3` -> `pe`: the field name without indices.
pub(crate) fn base_name(field: &str) -> String {
    field
        .split('$')
        .filter(|p| p.parse::<usize>().is_err())
        .collect::<Vec<_>>()
        .join("_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_verilog_and_c_are_reserved() {
        assert!(is_reserved("double") && is_reserved("wire") && !is_reserved("clock"));
    }

    #[test]
    fn a_module_is_called_by_no_keyword_of_vhdl_in_any_case() {
        for name in ["entity", "Entity", "wait", "always", "double", "9th", "a-b"] {
            assert!(!is_free_module_name(name), "{name}");
        }
        assert!(is_free_module_name("brownout") && is_free_module_name("Always"));
    }

    #[test]
    fn names_say_where_they_sit() {
        let naming = Naming {
            grids: BTreeMap::from([("pe".to_string(), 4)]),
            ..Naming::default()
        };
        assert_eq!(identifier("pe$5$a_in$0", &naming), "pe_r1_c1_a_in_0");
        assert_eq!(identifier("column$5$a_in", &naming), "column_5_a_in");
        assert_eq!(constant_name("State::LoadWeights"), "STATE_LOAD_WEIGHTS");
        assert_eq!(constant_name("mask$3"), "MASK_3");
        assert_eq!(base_name("pe$3"), "pe");
        assert_eq!(register_name("row_register$3", &naming, "q"), "row_3_q");
        assert_eq!(register_name("age", &naming, "d"), "age_d");
    }
}
