//! The columns in Verilator against the specification's integer arithmetic.

#[path = "../emitter/tests/bench/mod.rs"]
mod bench;

use bench::{Bench, lanes};
use brownout_hdl::column::Columns;
use brownout_spec::arithmetic::{
    self, ChannelParameters, OutputScale, ResidualScale, TABLE_ENTRIES,
};
use brownout_spec::config::Configuration;
use brownout_spec::cycles::{ACCUMULATOR_LATENCY, TABLE_LATENCY};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const COLUMNS: usize = 4;
const PIXELS: usize = 16;
const TILES: usize = 8;
/// Tables of the columns that have some.
const TABLES: usize = 3;
/// Cycles between control and activations without tables, and between control and column 0's wide
/// result.
const ACTIVATION_LATENCY: usize = COLUMNS + 11;
const RESULT_LATENCY: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Convolution,
    Residual,
    Maximum,
    Average,
    /// A pool that takes the last operand as a residual instead.
    Addition,
    Wide,
}

/// Positions of the inputs in a row.
mod port {
    use super::COLUMNS;
    pub const RESET: usize = 0;
    pub const VALID: usize = 1;
    pub const FIRST: usize = 2;
    pub const LAST: usize = 3;
    pub const ACCUMULATOR_ADDRESS: usize = 4;
    pub const PARAMETER_ADDRESS: usize = 5;
    pub const POOL: usize = 6;
    pub const AVERAGE: usize = 7;
    pub const RESIDUAL: usize = 17;
    pub const WIDE: usize = 8;
    pub const SHIFT: usize = 9;
    pub const RESIDUAL_SHIFT: usize = 10;
    pub const LOW: usize = 11;
    pub const HIGH: usize = 12;
    pub const RESIDUAL_MULTIPLIER: usize = 13;
    pub const PARAMETER_HALF: usize = 14;
    pub const PARAMETER_WRITE_ADDRESS: usize = 15;
    pub const PARAMETER_DATA: usize = 16;
    pub const PARTIAL_SUM: usize = 18;
    pub const OPERAND: usize = PARTIAL_SUM + COLUMNS;
    pub const PARAMETER_WRITE: usize = OPERAND + COLUMNS;
    pub const COUNT: usize = PARAMETER_WRITE + COLUMNS;
    /// With tables.
    pub const TABLED: usize = COUNT;
    pub const TABLE_NUMBER: usize = COUNT + 1;
    pub const TABLE_WRITE: usize = COUNT + 2;
    pub const TABLE_WRITE_ADDRESS: usize = COUNT + 3;
    pub const TABLE_DATA: usize = COUNT + 4;
    pub const COUNT_WITH_TABLES: usize = COUNT + 5;
}

fn inputs(form: Form) -> Vec<String> {
    let scalars = [
        "reset",
        "valid",
        "first",
        "last",
        "accumulator_address",
        "parameter_address",
        "pool",
        "average",
        "wide",
        "shift",
        "residual_shift",
        "low",
        "high",
        "residual_multiplier",
        "parameter_half",
        "parameter_write_address",
        "parameter_data",
        "residual",
    ];
    let mut names = scalars.map(String::from).to_vec();
    for vector in ["partial_sum", "operand", "parameter_write"] {
        names.extend(lanes(vector, COLUMNS));
    }
    if form == Form::Full {
        let tables = [
            "tabled",
            "table_number",
            "table_write",
            "table_write_address",
            "table_data",
        ];
        names.extend(tables.map(String::from));
    }
    names
}

fn outputs() -> Vec<String> {
    let mut names = ["activation_valid", "result_valid", "result"]
        .map(String::from)
        .to_vec();
    names.extend(lanes("activation", COLUMNS));
    names
}

/// What the columns have.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Form {
    /// Operands of eight bits, and no tables.
    Plain,
    /// Operands of nine bits, of which zero points are taken off, and tables.
    Full,
}

struct Layer {
    kind: Kind,
    scale: OutputScale,
    residual: ResidualScale,
    tile: usize,
    pixels: usize,
    taps: usize,
    table: Option<usize>,
}

/// Stimuli under construction, with what they must lead to.
struct Script {
    form: Form,
    rng: ChaCha8Rng,
    tables: Vec<[i8; TABLE_ENTRIES]>,
    rows: Vec<Vec<u64>>,
    parameters: Vec<Vec<ChannelParameters>>,
    activations: Vec<(usize, Vec<i8>)>,
    results: Vec<(usize, i32)>,
}

impl Script {
    fn new(seed: u64, form: Form) -> Self {
        let mut script = Self {
            form,
            tables: Vec::new(),
            rng: ChaCha8Rng::seed_from_u64(seed),
            rows: Vec::new(),
            parameters: Vec::new(),
            activations: Vec::new(),
            results: Vec::new(),
        };
        for _ in 0..3 {
            let cycle = script.idle();
            script.rows[cycle][port::RESET] = 1;
        }
        script.write_parameters();
        if form == Form::Full {
            script.write_tables();
        }
        script
    }

    /// An operand as the columns get it.
    fn bits(&self, operand: i16) -> u64 {
        let mask = match self.form {
            Form::Plain => 0xff,
            Form::Full => 0x1ff,
        };
        u64::from(operand as u16 & mask)
    }

    /// Appends a cycle in which all that is not control is random.
    fn idle(&mut self) -> usize {
        let ports = match self.form {
            Form::Plain => port::COUNT,
            Form::Full => port::COUNT_WITH_TABLES,
        };
        let mut row: Vec<u64> = vec![0; ports];
        for bit in [port::FIRST, port::LAST, port::PARAMETER_HALF] {
            row[bit] = self.rng.random_range(0..2);
        }
        row[port::ACCUMULATOR_ADDRESS] = self.rng.random_range(0..PIXELS as u64);
        row[port::PARAMETER_ADDRESS] = self.rng.random_range(0..TILES as u64);
        for j in 0..COLUMNS {
            row[port::PARTIAL_SUM + j] = u64::from(self.rng.random::<u32>());
            row[port::OPERAND + j] = u64::from(self.rng.random::<u8>());
        }
        self.rows.push(row);
        self.rows.len() - 1
    }

    fn write_parameters(&mut self) {
        for tile in 0..TILES {
            let mut channels = Vec::new();
            for j in 0..COLUMNS {
                let bits = self.rng.random_range(0..16);
                let channel = ChannelParameters {
                    multiplier: match self.rng.random_range(0..4) {
                        0 => i16::MIN,
                        _ => self.rng.random::<i16>() >> bits,
                    },
                    bias: self.rng.random::<i64>() >> self.rng.random_range(19..60),
                };
                channels.push(channel);
                let high =
                    (channel.multiplier as u16 as u64) << 16 | (channel.bias >> 32) as u64 & 0xffff;
                for (half, data) in [(0, channel.bias as u64 & 0xffff_ffff), (1, high)] {
                    let cycle = self.idle();
                    let row = &mut self.rows[cycle];
                    row[port::PARAMETER_WRITE + j] = 1;
                    row[port::PARAMETER_HALF] = half;
                    row[port::PARAMETER_WRITE_ADDRESS] = tile as u64;
                    row[port::PARAMETER_DATA] = data;
                }
            }
            self.parameters.push(channels);
        }
    }

    fn write_tables(&mut self) {
        for table in 0..TABLES {
            let entries: [i8; TABLE_ENTRIES] = std::array::from_fn(|_| self.rng.random());
            for (entry, value) in entries.iter().enumerate() {
                let cycle = self.idle();
                let row = &mut self.rows[cycle];
                row[port::TABLE_WRITE] = 1;
                row[port::TABLE_WRITE_ADDRESS] = (table * TABLE_ENTRIES + entry) as u64;
                row[port::TABLE_DATA] = u64::from(value.cast_unsigned());
            }
            self.tables.push(entries);
        }
    }

    fn random_operand(&mut self, maximum: bool) -> i16 {
        match (self.form, self.rng.random_range(0..8)) {
            (Form::Plain, 0) => -128,
            (Form::Plain, 1) => 127,
            (Form::Plain, _) => self.rng.random::<i8>().into(),
            // What no maximum sees.
            (Form::Full, 0) if maximum => -256,
            (Form::Full, 0) => -255,
            (Form::Full, 1) => 255,
            (Form::Full, _) => self.rng.random_range(-255..=255),
        }
    }

    fn random_layer(&mut self, kind: Kind, shift: u8) -> Layer {
        let rng = &mut self.rng;
        let (a, b) = (rng.random::<i8>(), rng.random::<i8>());
        let mut residual = ResidualScale {
            multiplier: rng.random(),
            shift: rng.random_range(0..=shift),
        };
        // |r·mr| < 2^23, and 2^45 is left to the residual.
        let left = shift - residual.shift;
        if left > 22 {
            residual.multiplier >>= left - 22;
        }
        // Pools ignore a residual multiplier; elsewhere it meets an operand of zero.
        if matches!(kind, Kind::Convolution | Kind::Wide) {
            residual.multiplier = 0;
        }
        let pixels = if kind == Kind::Wide {
            1
        } else {
            rng.random_range(1..=PIXELS)
        };
        Layer {
            kind,
            scale: OutputScale {
                shift,
                low: if kind == Kind::Average {
                    -128
                } else {
                    a.min(b)
                },
                high: if kind == Kind::Average { 127 } else { a.max(b) },
            },
            residual,
            tile: rng.random_range(0..TILES),
            pixels,
            taps: match kind {
                Kind::Addition => rng.random_range(2..6),
                _ => rng.random_range(1..6),
            },
            table: match (self.form, kind) {
                (Form::Plain, _) | (_, Kind::Wide) => None,
                _ => rng.random_bool(0.5).then(|| rng.random_range(0..TABLES)),
            },
        }
    }

    /// Streams a layer: its taps one after the other at the shortest period.
    fn play(&mut self, layer: &Layer) {
        let begin = self.rows.len();
        // Operands and partial sums of later cycles are written into rows that exist.
        let period = layer
            .pixels
            .max(ACCUMULATOR_LATENCY)
            .max(if layer.kind == Kind::Wide { COLUMNS } else { 0 });
        let total = layer.taps * period;
        for _ in 0..total + 2 * COLUMNS + 19 {
            self.idle();
        }
        for row in &mut self.rows[begin..] {
            constants(row, layer);
        }
        // One more cycle: the constants hold before the first control.
        let begin = begin + 1;
        let mut accumulators = vec![[0i32; COLUMNS]; PIXELS];
        // Sums of very different sizes, so that clamped and unclamped results occur.
        let size = self.rng.random_range(0..32);
        for tap in 0..layer.taps {
            for (pixel, sums) in accumulators.iter_mut().enumerate().take(layer.pixels) {
                let cycle = begin + tap * period + pixel;
                let last = tap + 1 == layer.taps;
                let operands = self.drive(cycle, layer, tap, pixel, size, sums);
                if last {
                    self.expect(cycle, layer, sums, &operands);
                }
            }
        }
    }

    /// One value into every column; gives the operands and accumulates.
    fn drive(
        &mut self,
        cycle: usize,
        layer: &Layer,
        tap: usize,
        pixel: usize,
        size: u32,
        accumulators: &mut [i32; COLUMNS],
    ) -> [i16; COLUMNS] {
        let row = &mut self.rows[cycle];
        row[port::VALID] = 1;
        row[port::FIRST] = u64::from(tap == 0);
        row[port::LAST] = u64::from(tap + 1 == layer.taps);
        row[port::ACCUMULATOR_ADDRESS] = pixel as u64;
        row[port::PARAMETER_ADDRESS] = layer.tile as u64;
        let mut operands = [0; COLUMNS];
        for j in 0..COLUMNS {
            let operand = self.random_operand(layer.kind == Kind::Maximum);
            let sum = match self.rng.random_range(0..8) {
                0 => i32::MIN,
                1 => i32::MAX,
                _ => self.rng.random(),
            };
            let sum = sum >> size;
            self.rows[cycle + 1 + j][port::PARTIAL_SUM + j] = u64::from(sum as u32);
            self.rows[cycle + 1][port::OPERAND + j] = self.bits(operand);
            operands[j] = operand;
            let (old, term) = (accumulators[j], i32::from(operand));
            accumulators[j] = match (layer.kind, tap) {
                (Kind::Maximum | Kind::Average | Kind::Addition, 0) => term,
                (Kind::Addition, tap) if tap + 1 == layer.taps => old,
                (Kind::Addition, _) => old + term,
                (Kind::Maximum, _) => old.max(term),
                (Kind::Average, _) => old + term,
                (_, 0) => sum,
                _ => old.wrapping_add(sum),
            };
        }
        operands
    }

    fn expect(
        &mut self,
        cycle: usize,
        layer: &Layer,
        acc: &[i32; COLUMNS],
        operands: &[i16; COLUMNS],
    ) {
        let mut activations = Vec::new();
        for j in 0..COLUMNS {
            let channel = self.parameters[layer.tile][j];
            let residual = if matches!(layer.kind, Kind::Residual | Kind::Addition) {
                operands[j]
            } else {
                0
            };
            let sum = arithmetic::sum(acc[j], channel, layer.scale.shift, residual, layer.residual);
            assert!(
                sum.unsigned_abs() < 1 << 47,
                "the test must stay in 48 bits"
            );
            let activation = arithmetic::requantize(sum, layer.scale);
            activations.push(match layer.table {
                Some(table) => arithmetic::lookup(&self.tables[table], activation),
                None => activation,
            });
            if layer.kind == Kind::Wide {
                let result = arithmetic::widen(sum, layer.scale.shift);
                self.results.push((cycle + RESULT_LATENCY + j, result));
            }
        }
        if layer.kind != Kind::Wide {
            let latency = match self.form {
                Form::Plain => ACTIVATION_LATENCY,
                Form::Full => ACTIVATION_LATENCY + TABLE_LATENCY,
            };
            self.activations.push((cycle + latency, activations));
        }
    }
}

/// With memories of the columns that are no larger than needed.
fn configuration(tables: usize) -> Configuration {
    let text = format!(
        "tables = {tables}\nrows = 4\ncolumns = {COLUMNS}\nweight_bits = 8\ncode = \"none\"\n\
         voltage_model = \"fdx-22nm\"\nfault_emulation = false\n[depths]\nweights = 64\n\
         activations = 64\naccumulators = {PIXELS}\nparameters = {TILES}\nlayers = 4\n"
    );
    Configuration::from_toml(&text).expect("a configuration")
}

fn constants(row: &mut [u64], layer: &Layer) {
    let sums = matches!(layer.kind, Kind::Average | Kind::Addition);
    row[port::POOL] = u64::from(sums || layer.kind == Kind::Maximum);
    row[port::AVERAGE] = u64::from(sums);
    let residual = matches!(layer.kind, Kind::Residual | Kind::Addition);
    row[port::RESIDUAL] = u64::from(residual);
    row[port::WIDE] = u64::from(layer.kind == Kind::Wide);
    row[port::SHIFT] = u64::from(layer.scale.shift);
    row[port::RESIDUAL_SHIFT] = u64::from(layer.residual.shift);
    row[port::LOW] = u64::from(layer.scale.low as u8);
    row[port::HIGH] = u64::from(layer.scale.high as u8);
    row[port::RESIDUAL_MULTIPLIER] = u64::from(layer.residual.multiplier as u16);
    if let Some(table) = layer.table {
        row[port::TABLED] = 1;
        row[port::TABLE_NUMBER] = table as u64;
    }
}

#[test]
fn every_kind_of_layer_gives_the_specified_values_in_the_specified_cycles() {
    check(Columns::<8>::new(&configuration(0)), Form::Plain);
}

#[test]
fn operands_of_nine_bits_and_tables_give_the_specified_values_in_the_specified_cycles() {
    let configuration = Configuration {
        zero_points: true,
        ..configuration(TABLES)
    };
    check(Columns::<9>::new(&configuration), Form::Full);
}

fn check<const AB: usize>(mut columns: Columns<AB>, form: Form) {
    let Some(bench) = Bench::build(&mut columns, "columns", &inputs(form), &outputs()) else {
        return;
    };
    let mut script = Script::new(11, form);
    let kinds = [
        Kind::Convolution,
        Kind::Residual,
        Kind::Maximum,
        Kind::Average,
        Kind::Addition,
        Kind::Wide,
    ];
    for _ in 0..8 {
        for kind in kinds {
            for shift in 1..=arithmetic::MAX_SHIFT {
                let layer = script.random_layer(kind, shift);
                script.play(&layer);
            }
        }
    }
    let responses = bench.run(&script.rows);
    let activations: Vec<(usize, Vec<i8>)> = responses
        .iter()
        .enumerate()
        .filter(|(cycle, row)| *cycle > 3 && row[0] == 1)
        .map(|(cycle, row)| (cycle, row[3..].iter().map(|&y| y as u8 as i8).collect()))
        .collect();
    let results: Vec<(usize, i32)> = responses
        .iter()
        .enumerate()
        .filter(|(cycle, row)| *cycle > 3 && row[1] == 1)
        .map(|(cycle, row)| (cycle, row[2] as u32 as i32))
        .collect();
    assert_eq!(activations.len(), script.activations.len());
    for (got, expected) in activations.iter().zip(&script.activations) {
        assert_eq!(got, expected);
    }
    assert_eq!(results, script.results);
}
