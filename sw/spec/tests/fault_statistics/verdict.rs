//! What a check found, and the arithmetic that checks share.

use std::fmt;

/// Bound of the tables and variances: |z| must be below it.
pub const TABLE_BOUND: f64 = 4.5;

/// The result of one check, over all of its cases.
pub struct Verdict {
    pub check: &'static str,
    pub accepted: bool,
    figure: String,
}

impl Verdict {
    pub fn new(check: &'static str, accepted: bool, figure: String) -> Self {
        Self {
            check,
            accepted,
            figure,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.accepted { "passes" } else { "REJECTS" };
        write!(f, "{:<26} {word:<8} {}", self.check, self.figure)
    }
}

/// The largest |z| of many cases.
#[derive(Default)]
pub struct Worst {
    cases: usize,
    z: f64,
    place: String,
}

impl Worst {
    /// Takes in the z-score of one case; `place` names it.
    pub fn take(&mut self, z: f64, place: impl FnOnce() -> String) {
        self.cases += 1;
        // A z that is not a number comes from a table with an empty row: the
        // cells are all alike, which is no independence.
        let z = if z.is_nan() { f64::INFINITY } else { z };
        if self.place.is_empty() || z.abs() > self.z.abs() {
            self.z = z;
            self.place = place();
        }
    }

    pub fn verdict(self, check: &'static str, bound: f64) -> Verdict {
        let accepted = self.z.abs() < bound;
        let Self { cases, z, place } = self;
        let figure = format!("worst z of {cases:>3}: {z:+.2} ({place}), bound {bound}");
        Verdict::new(check, accepted, figure)
    }
}

/// Lanes of a word, counted one by one over many words.
///
/// Counts are kept bit-sliced, plane b holding bit b of every lane's count, so
/// that adding a word costs two operations on average and not one per lane.
pub struct LaneCounts {
    planes: [u128; 16],
    added: u32,
    counts: [u64; 128],
}

impl LaneCounts {
    pub fn new() -> Self {
        Self {
            planes: [0; 16],
            added: 0,
            counts: [0; 128],
        }
    }

    pub fn add(&mut self, lanes: u128) {
        let mut carry = lanes;
        for plane in &mut self.planes {
            (*plane, carry) = (*plane ^ carry, *plane & carry);
            if carry == 0 {
                break;
            }
        }
        self.added += 1;
        if self.added == u32::from(u16::MAX) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        for (bit, plane) in self.planes.iter().enumerate() {
            for (lane, count) in self.counts.iter_mut().enumerate() {
                *count += u64::from(plane >> lane & 1 == 1) << bit;
            }
        }
        self.planes = [0; 16];
        self.added = 0;
    }

    /// How often each lane was set.
    pub fn counts(mut self) -> [u64; 128] {
        self.flush();
        self.counts
    }
}

/// The z-score of independence in a 2 × 2 table: the square root of Pearson's
/// chi-square, with the sign of the dependence.
pub fn table_z(total: u64, first: u64, second: u64, both: u64) -> f64 {
    let [n, x, y, xy] = [total, first, second, both].map(|count| count as f64);
    (xy * n - x * y) * (n / (x * (n - x) * y * (n - y))).sqrt()
}
