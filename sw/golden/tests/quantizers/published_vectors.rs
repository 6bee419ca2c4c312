//! The published fixed-point family, against vectors that an independent script made of its formulas.
//!
//! `vectors/rquant.tsv` is a copy of `facts/tables/rquant_vectors.tsv`: for four
//! schemes, four widths and two clipping bounds, weights with their codes in offset
//! binary, the decoded weight, and the decoded weight after each single flip.

use crate::bits;
use brownout_golden::quantize::fixed_point::{Formula, Fraction, Range, Sign};
use brownout_golden::quantize::{Exposure, FixedPoint, Quantizer};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

const VECTORS: &str = include_str!("../vectors/rquant.tsv");
/// The tensor's largest weight, which is not among the listed ones; it follows from
/// any two decoded weights of an asymmetric scheme.
const LARGEST: f32 = 0.41;

struct Vector {
    weight: f32,
    code: u8,
    decoded: f32,
    flipped: Vec<f32>,
}

/// Vectors of one tensor under one scheme, by (scheme, width, clipping bound).
fn groups() -> BTreeMap<(&'static str, u32, &'static str), Vec<Vector>> {
    let mut groups = BTreeMap::<_, Vec<_>>::new();
    for line in VECTORS.lines().filter(|l| !l.starts_with('#')).skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |i: usize| fields[i].parse::<f32>().unwrap();
        let width: u32 = fields[1].parse().unwrap();
        let vector = Vector {
            weight: number(4),
            code: fields[5].parse().unwrap(),
            decoded: number(6),
            flipped: (7..7 + width as usize).map(number).collect(),
        };
        let key = (fields[0], width, fields[2]);
        groups.entry(key).or_default().push(vector);
    }
    groups
}

fn named(name: &str, width: u32, clip: f32) -> FixedPoint {
    let normal = FixedPoint::normal(bits(width), clip);
    let rquant = FixedPoint::rquant(bits(width), clip);
    match name {
        "rquant" => rquant,
        "asym_unsigned_trunc" => FixedPoint {
            fraction: Fraction::Truncated,
            ..rquant
        },
        "sym_unsigned_trunc(Normal)" => normal,
        "sym_unsigned_round" => FixedPoint {
            fraction: Fraction::Rounded,
            ..normal
        },
        other => panic!("no scheme is called {other}"),
    }
}

/// Numbers of the vector file that the schemes, changed by `change`, do not reproduce, per scheme;
/// and how many there are in all.
fn wrong(change: impl Fn(&mut FixedPoint)) -> (BTreeMap<&'static str, usize>, usize) {
    let (mut wrong, mut all) = (BTreeMap::new(), 0);
    for ((name, width, clip), vectors) in groups() {
        let mut scheme = named(name, width, clip.parse().unwrap());
        change(&mut scheme);
        let mut tensor: Vec<f32> = vectors.iter().map(|v| v.weight).collect();
        tensor.push(LARGEST);
        let grid = scheme.fit(&tensor).unwrap();
        let count = wrong.entry(name).or_insert(0);
        for vector in &vectors {
            let stored = grid.encode(vector.weight);
            // Nine digits are written: enough to tell one f32 from the next.
            *count += usize::from(bits(width).to_offset_binary(stored) != vector.code);
            *count += usize::from(grid.decode(stored) != vector.decoded);
            let of_vector = bits(width).from_offset_binary(vector.code);
            for (bit, &expected) in vector.flipped.iter().enumerate() {
                let value = grid.disturbed(of_vector, 1 << bit, Exposure::LiveBits);
                *count += usize::from(value != expected);
            }
            all += 2 + vector.flipped.len();
        }
    }
    (wrong, all)
}

#[test]
fn every_published_code_weight_and_single_flip_is_reproduced_to_the_bit() {
    let (wrong, all) = wrong(|_| ());
    assert_eq!(all, 16 * 8 * 2 * 2 + 8 * 8 * (8 + 4 + 3 + 2));
    assert_eq!(wrong.len(), 4);
    assert!(wrong.values().all(|&count| count == 0), "{wrong:?}");
}

#[test]
fn the_vectors_reject_each_other_formula_and_rule() {
    let rejected = |change: fn(&mut FixedPoint)| wrong(change).0;
    let paper = rejected(|s| s.formula = Formula::Paper);
    assert!(paper.values().all(|&count| count > 100), "{paper:?}");
    let fraction = rejected(|s| {
        s.fraction = match s.fraction {
            Fraction::Truncated => Fraction::Rounded,
            Fraction::Rounded => Fraction::Truncated,
        }
    });
    assert!(fraction.values().all(|&count| count > 20), "{fraction:?}");
    let range = rejected(|s| {
        s.range = match s.range {
            Range::Asymmetric => Range::Symmetric,
            _ => Range::Asymmetric,
        }
    });
    assert!(range.values().all(|&count| count > 100), "{range:?}");
    let sign = rejected(|s| s.sign = Sign::Signed);
    for (name, count) in sign {
        // Rounding hides where a cast cuts; truncation shows it.
        assert_eq!(count > 10, name.contains("trunc"), "{name}: {count}");
    }
    let global = rejected(|s| s.range = Range::Global);
    assert!(global.values().all(|&count| count > 100), "{global:?}");
}

#[test]
fn the_copy_of_the_vectors_is_the_table_among_the_facts() {
    let table = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../../shared/facts/tables/rquant_vectors.tsv");
    match std::fs::read_to_string(&table) {
        Ok(text) => assert_eq!(text, VECTORS),
        Err(_) => {
            let _ = writeln!(std::io::stderr(), "skipped: {} is missing", table.display());
        }
    }
}
