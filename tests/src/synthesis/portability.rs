//! What families make of one accelerator, module by module: a memory that became flip-flops and a
//! product made of look-up tables are named, since no tool says so.

use super::families::{Family, Kind};
use super::{SynthesisError, count_cells, datasheet_configuration, version};
use brownout_hdl::emit::{Emitted, Module as EmittedModule};
use brownout_hdl::generate::generate;
use brownout_spec::code::CodeName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Numbers of cells by what they count as.
type Counts = BTreeMap<String, u64>;

/// What a family made of the accelerator.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct FamilyFigures {
    /// Hash of the Verilog, Yosys' version and the command: others are stale.
    key: String,
    /// Yosys.
    pub tool: String,
    /// The whole accelerator, flat.
    pub whole: Counts,
    /// Memories, products and their modules, each by itself.
    pub modules: BTreeMap<String, Counts>,
}

impl FamilyFigures {
    /// Cells of a kind in the whole accelerator.
    pub fn count(&self, kind: Kind) -> u64 {
        count(&self.whole, kind)
    }

    /// Sentences about modules that did not become what they are meant for.
    pub fn warnings(&self) -> Vec<String> {
        let warn = |(module, counts): (&String, &Counts)| warning(module, counts);
        self.modules.iter().filter_map(warn).collect()
    }

    /// Whether each product of the array is one multiplier, the weights lie in blocks alone, and
    /// the whole accelerator has the multipliers and blocks that it was measured with.
    ///
    /// # Errors
    /// With what is missing and is not known to be.
    pub fn check(&self, family: &Family) -> Result<(), SynthesisError> {
        let missed = |what: String| SynthesisError::Missed {
            family: family.name,
            what,
        };
        for (module, counts) in &self.modules {
            let [multipliers, blocks] = [Kind::Multiplier, Kind::Block].map(|k| count(counts, k));
            if module.ends_with("_pe") && multipliers != 1 && family.without_multipliers.is_none() {
                return Err(missed(format!(
                    "{module} has {multipliers} multipliers, not one"
                )));
            }
            if is_of_weights(module) && family.without_blocks.is_none() {
                let others = count(counts, Kind::LutRam);
                if blocks == 0 || others > 0 {
                    return Err(missed(format!(
                        "{module} has {blocks} blocks and {others} RAMs of look-up tables"
                    )));
                }
            }
        }
        let found = [Kind::Multiplier, Kind::Block].map(|kind| self.count(kind));
        match family.measured {
            Some(measured) if measured != found => Err(missed(format!(
                "the accelerator has {} multipliers and {} blocks of RAM, not the {} and {} that it \
                 was measured with",
                found[0], found[1], measured[0], measured[1]
            ))),
            _ => Ok(()),
        }
    }
}

fn count(counts: &Counts, kind: Kind) -> u64 {
    counts.get(&format!("{kind:?}")).copied().unwrap_or(0)
}

/// The weight memory is the deepest.
fn is_of_weights(module: &str) -> bool {
    module.ends_with("_memory_16384x1x64")
}

/// Words and bits of a memory's module, from its name.
fn size_of(module: &str) -> Option<(u64, u64)> {
    let (_, size) = module.rsplit_once("_memory_")?;
    let mut numbers = size.split('x').map(str::parse);
    let mut next = || numbers.next()?.ok();
    let (words, lanes, bits): (u64, u64, u64) = (next()?, next()?, next()?);
    Some((words, lanes * bits))
}

fn warning(module: &str, counts: &Counts) -> Option<String> {
    let of = |kind| count(counts, kind);
    let Some((words, width)) = size_of(module) else {
        return (of(Kind::Multiplier) == 0).then(|| {
            let luts = of(Kind::Lut);
            format!("{module} has no multiplier: its product is made of {luts} look-up tables")
        });
    };
    let what = match (of(Kind::Block), of(Kind::LutRam), of(Kind::FlipFlop)) {
        (0, 0, registers) => format!("{registers} flip-flops"),
        (0, rams, _) => format!("{rams} RAMs of look-up tables"),
        _ => return None,
    };
    Some(format!(
        "{module} ({words} words of {width} bits) has no block of RAM: it is made of {what}"
    ))
}

/// Synthesizes the default accelerator without fault emulation, and its memories and products each
/// by itself; figures are kept in `folder`.
///
/// # Errors
/// If Yosys is missing or refuses the text.
pub fn measure_family(
    folder: &Path,
    family: &Family,
    mut say: impl FnMut(&str),
) -> Result<FamilyFigures, SynthesisError> {
    let tool = version("yosys")?;
    let emitted = generate(&datasheet_configuration(CodeName::Inplace64_57, false))
        .expect("the datasheet's configurations are valid");
    let text = emitted.text();
    let mut hash = blake3::Hasher::new();
    for part in [&text, &tool, family.script] {
        hash.update(part.as_bytes());
    }
    let key = hash.finalize().to_hex().to_string();
    let folder = folder.join(family.name);
    let path = folder.join("figures.json");
    let file = |source| SynthesisError::File {
        path: path.clone(),
        source,
    };
    let old: Option<FamilyFigures> = fs::read_to_string(&path)
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .filter(|figures: &FamilyFigures| figures.key == key);
    if let Some(figures) = old {
        return Ok(figures);
    }
    let mut modules = BTreeMap::new();
    for module in emitted.modules.iter().filter(|m| is_asked(m)) {
        let name = &module.name;
        say(&format!("{}: {name} ...", family.title));
        let own = with_children(&emitted, module);
        let made = measure_module(&folder.join(name), family, name, &own)?;
        modules.insert(name.clone(), made.counts);
    }
    say(&format!(
        "{}: the whole accelerator (minutes) ...",
        family.title
    ));
    let top = &emitted.top().name;
    let netlist = count_cells(&text, top, family.script, &folder.join(top))?;
    let figures = FamilyFigures {
        key,
        tool,
        whole: counts(family, &netlist.cells),
        modules,
    };
    let text = serde_json::to_string_pretty(&figures).expect("figures are plain data");
    fs::write(&path, text).map_err(file)?;
    Ok(figures)
}

/// What a family made of one module.
#[derive(Clone, Debug)]
pub struct Module {
    /// Its name.
    name: String,
    counts: Counts,
}

impl Module {
    /// Cells of a kind.
    pub fn count(&self, kind: Kind) -> u64 {
        count(&self.counts, kind)
    }

    /// A sentence, if it is a memory without a block or a product without a multiplier.
    pub fn warning(&self) -> Option<String> {
        warning(&self.name, &self.counts)
    }
}

/// Synthesizes module `name` of `text` for a family; logs go into `folder`.
///
/// # Errors
/// If Yosys is missing or refuses the text.
pub fn measure_module(
    folder: &Path,
    family: &Family,
    name: &str,
    text: &str,
) -> Result<Module, SynthesisError> {
    let netlist = count_cells(text, name, family.script, folder)?;
    Ok(Module {
        name: name.to_owned(),
        counts: counts(family, &netlist.cells),
    })
}

/// Memories, and modules whose product is to be a multiplier.
fn is_asked(module: &EmittedModule) -> bool {
    let name = &module.name;
    size_of(name).is_some() || name.ends_with("_pe") || name.ends_with("_multiplier")
}

fn with_children(emitted: &Emitted, module: &EmittedModule) -> String {
    let mut text = emitted.module_file(module);
    for (_, kind) in &module.children {
        if let Some(child) = emitted.modules.iter().find(|m| m.name == *kind) {
            text.push_str(&with_children(emitted, child));
        }
    }
    text
}

fn counts(family: &Family, cells: &BTreeMap<String, u64>) -> Counts {
    let mut out = Counts::new();
    for (cell, number) in cells {
        if let Some(kind) = family.kind(cell) {
            *out.entry(format!("{kind:?}")).or_default() += number;
        }
    }
    out
}

/// A row for each family, and warnings by name.
pub fn family_table(measured: &[(&Family, FamilyFigures)]) -> String {
    let mut text = String::from(
        "| 8 x 8, inplace-64-57, 128 KiB of weights | LUTs | FFs | multipliers | RAM blocks | LUT RAMs | Yosys |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for (family, figures) in measured {
        let of = |kind| figures.count(kind);
        text.push_str(&format!(
            "| {} | {} | {} | {} | {} | {} | `{}` |\n",
            family.title,
            of(Kind::Lut),
            of(Kind::FlipFlop),
            of(Kind::Multiplier),
            of(Kind::Block),
            of(Kind::LutRam),
            family.script,
        ));
    }
    for (family, figures) in measured {
        for warning in figures.warnings() {
            text.push_str(&format!("\nwarning: {}: {warning}", family.title));
        }
        let reasons = [family.without_multipliers, family.without_blocks];
        for reason in reasons.into_iter().flatten() {
            text.push_str(&format!("\n{}: {reason}", family.title));
        }
    }
    let tools: Vec<&str> = measured.iter().map(|(_, f)| f.tool.as_str()).collect();
    if let Some(tool) = tools.first() {
        text.push_str(&format!("\n{tool}, before place and route\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(multipliers: u64, blocks: u64) -> Counts {
        let counts = [(Kind::Multiplier, multipliers), (Kind::Block, blocks)];
        counts.map(|(kind, n)| (format!("{kind:?}"), n)).into()
    }

    fn figures(module: &str, counts: &[(Kind, u64)]) -> FamilyFigures {
        let counts = counts.iter().map(|(kind, n)| (format!("{kind:?}"), *n));
        FamilyFigures {
            key: String::new(),
            tool: String::new(),
            whole: whole(88, 110),
            modules: BTreeMap::from([(module.to_owned(), counts.collect())]),
        }
    }

    #[test]
    fn what_became_of_a_memory_or_a_product_is_said_by_name() {
        let weights = "brownout_memory_16384x1x64";
        let said = |module, counts: &[_]| figures(module, counts).warnings().join("");
        assert_eq!(said(weights, &[(Kind::Block, 64), (Kind::FlipFlop, 3)]), "");
        let registers = said("brownout_memory_32x8x8", &[(Kind::FlipFlop, 2048)]);
        assert!(
            registers.starts_with("brownout_memory_32x8x8 (32 words of 64 bits)")
                && registers.contains("2048 flip-flops"),
            "{registers}"
        );
        assert!(said(weights, &[(Kind::LutRam, 9)]).contains("9 RAMs of look-up tables"));
        assert!(said("brownout_pe", &[(Kind::Lut, 334)]).contains("334 look-up tables"));
        assert_eq!(said("brownout_pe", &[(Kind::Multiplier, 1)]), "");
    }

    #[test]
    fn a_lost_multiplier_or_block_of_weights_ends_the_command_unless_it_is_known_why() {
        let [ecp5, efinix] = ["ecp5", "efinix"].map(|name| Family::named(name).expect("a family"));
        let without = figures("brownout_pe", &[(Kind::Lut, 300)]);
        let error = without.check(ecp5).expect_err("no multiplier");
        assert!(
            error.to_string().contains("brownout_pe has 0 multipliers"),
            "{error}"
        );
        let mut known = without.clone();
        let [multipliers, blocks] = efinix.measured.unwrap_or_default();
        known.whole = whole(multipliers, blocks);
        known.check(efinix).expect("known");
        let two = figures("brownout_pe", &[(Kind::Multiplier, 2)]);
        two.check(ecp5).expect_err("two multipliers");
        let weights = "brownout_memory_16384x1x64";
        let mixed = figures(weights, &[(Kind::Block, 60), (Kind::LutRam, 4)]);
        mixed.check(ecp5).expect_err("weights in look-up tables");
        figures(weights, &[(Kind::Block, 64)])
            .check(ecp5)
            .expect("blocks alone");
    }

    #[test]
    fn one_block_more_than_was_measured_ends_the_command() {
        let ecp5 = Family::named("ecp5").expect("a family");
        let mut changed = figures("brownout_pe", &[(Kind::Multiplier, 1)]);
        changed.check(ecp5).expect("as measured");
        changed.whole = whole(88, 111);
        let message = changed.check(ecp5).expect_err("one more").to_string();
        assert!(
            message.contains("88 multipliers and 111 blocks of RAM, not the 88 and 110"),
            "{message}"
        );
    }
}
