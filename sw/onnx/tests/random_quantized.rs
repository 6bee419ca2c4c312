//! Random quantized networks that ONNX's own packages wrote and ran, as integer models: every
//! integer is the file's, but where its quotient is as near to a half as the rounding of 16-bit
//! multipliers can bring it.
//!
//! `random/quantized.py` makes them with the packages of `.tools/`; without these the test skips
//! with a message where BROWNOUT_SKIP_ONNX says so, and fails otherwise.

mod support;

use brownout_golden::data::Pixels;
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, Normalization};
use brownout_onnx::integers::{Integers, Said, integers};
use brownout_onnx::network::Network;
use brownout_onnx::read_network;
use brownout_spec::program::{LayerShapes, Operation, Shape};
use std::collections::BTreeMap;
use support::arithmetic::{Place, layer};

/// Networks of a run.
const NETWORKS: usize = 200;
/// What must occur, and at least how often.
const FEATURES: [&str; 37] = [
    "Add",
    "AveragePool",
    "Clip",
    "Concat",
    "Conv",
    "Elu",
    "Flatten",
    "Gemm",
    "GlobalAveragePool",
    "HardSwish",
    "LeakyRelu",
    "MaxPool",
    "Pad",
    "QLinearConv",
    "Relu",
    "Resize",
    "Sigmoid",
    "Slice",
    "Tanh",
    "affine",
    "depthwise",
    "dilation",
    "groups",
    "lone_clip",
    "lone_relu",
    "narrow_weights",
    "per_channel",
    "per_tensor",
    "pool_of_integers",
    "power_of_two",
    "requantized",
    "results_in_numbers",
    "s8",
    "table",
    "u8",
    "zero_channels",
    "zero_point",
];
const LEAST: usize = 10;
/// What single precision adds to the distance from a half: sums of some hundred products that are
/// some ten steps each.
const SINGLE: f64 = 2e-4;

/// Channels first to channels last.
fn channels_last<T: Copy>(values: &[T], shape: Shape, order: &[usize]) -> Vec<T> {
    let pixels = shape.pixels();
    let mut moved = Vec::with_capacity(values.len());
    for pixel in 0..pixels {
        moved.extend(order.iter().map(|channel| values[channel * pixels + pixel]));
    }
    moved
}

/// What was counted.
#[derive(Debug, Default)]
struct Counts {
    values: usize,
    /// Values that are the file's but for the rounding of multipliers.
    differ: usize,
    /// Values of tables, and those that are one off, where the packages' function is another in
    /// its last bits.
    tabled: usize,
    tables_differ: usize,
}

/// What the file has and what the model makes of it, of each tensor.
struct Oracle<'a> {
    number: usize,
    network: &'a Network,
    made: &'a Integers,
    /// The integers of each quantizer by the name of its tensor, as bytes.
    bytes: BTreeMap<String, Vec<u8>>,
}

impl Oracle<'_> {
    /// The file's integers as the model stores them, if the file has them.
    fn stored(&self, said: &Said, shape: Shape) -> Vec<i64> {
        let name = &self.network.tensors[said.tensor].name;
        let bytes = &self.bytes[name];
        let unsigned = self.is_unsigned(name);
        let value = |&b: &u8| match unsigned {
            true => i64::from(b),
            false => i64::from(b.cast_signed()),
        };
        let values: Vec<i64> = bytes.iter().map(|b| value(b) - said.recentred).collect();
        channels_last(&values, shape, &said.order)
    }

    fn is_unsigned(&self, name: &str) -> bool {
        use brownout_onnx::network::{Operator, QuantizedForm};
        let writes = |layer: &&brownout_onnx::network::Layer| {
            self.network.tensors[layer.writes].name == *name
                && matches!(
                    layer.operator,
                    Operator::Quantizer(QuantizedForm::Quantize(_))
                )
        };
        let layer = self
            .network
            .layers
            .iter()
            .find(writes)
            .expect("a quantizer");
        match &layer.operator {
            Operator::Quantizer(QuantizedForm::Quantize(linear)) => linear.element.range().0 == 0,
            _ => false,
        }
    }

    /// The range of the last quantizer, which the results do not have.
    fn cut(&self, said: &Said, integer: i64) -> i64 {
        let name = &self.network.tensors[said.tensor].name;
        let (low, high) = match self.is_unsigned(name) {
            true => (0, 255),
            false => (-128, 127),
        };
        integer.clamp(low - said.recentred, high - said.recentred)
    }

    /// Compares layer by layer, each on the file's own integers.
    fn compare(&self, input: &[i8], counts: &mut Counts) -> Result<(), String> {
        let model = &self.made.model;
        let shapes = model.network.shapes().expect("a valid network");
        let mut tensors: Vec<Vec<i8>> = vec![input.to_vec()];
        // What the file has no integers of: parts that are rounded before they are joined.
        let mut unsaid: Vec<Vec<Place>> = vec![Vec::new()];
        for (index, of) in model.network.layers.iter().enumerate() {
            let reads: Vec<&[i8]> = of.reads.iter().map(|&read| &tensors[read][..]).collect();
            let mut places = layer(model, index, &reads);
            if of.operation == Operation::Concat {
                let parts: Vec<&[Place]> = of.reads.iter().map(|&read| &unsaid[read][..]).collect();
                joined(&mut places, &parts, &of.reads, &shapes);
            }
            let mut own: Vec<i8> = places
                .iter()
                .map(|p| p.integer.clamp(-128, 127) as i8)
                .collect();
            if let Some(said) = &self.made.tensors[index] {
                let wanted = self.stored(said, shapes[index].output);
                assert_eq!(wanted.len(), places.len(), "{}", of.name);
                let tabled = of.operation == Operation::Pointwise;
                let last = index + 1 == model.network.layers.len();
                for (place, &wanted) in places.iter().zip(&wanted) {
                    let found = match last {
                        true => self.cut(said, place.integer),
                        false => place.integer,
                    };
                    check(place, found, wanted, tabled, counts)
                        .map_err(|problem| format!("layer {index} {:?}: {problem}", of.name))?;
                }
                own = wanted.iter().map(|&w| w.clamp(-128, 127) as i8).collect();
                places.clear();
            }
            tensors.push(own);
            unsaid.push(places);
        }
        Ok(())
    }

    /// The same for a model whose multipliers are all a little larger than the file's: the number of
    /// layers with weights that are found out.
    fn found_out(&self, input: &[i8]) -> (usize, usize) {
        let layers = &self.made.model.network.layers;
        let weighted = (0..layers.len()).filter(|&index| layers[index].operation.has_weights());
        let (mut found, mut all) = (0, 0);
        for index in weighted.filter(|&index| self.made.tensors[index].is_some()) {
            let mut wrong = self.made.clone();
            for channel in &mut wrong.model.layers[index].channels {
                channel.multiplier = channel.multiplier.saturating_add(channel.multiplier / 256);
            }
            let oracle = Oracle {
                made: &wrong,
                bytes: self.bytes.clone(),
                ..*self
            };
            all += 1;
            found += usize::from(oracle.compare(input, &mut Counts::default()).is_err());
        }
        (found, all)
    }

    /// The whole model is its layers one after the other.
    fn run(&self, input: &[i8]) -> Vec<i32> {
        let model = &self.made.model;
        let network = IntegerNetwork::undisturbed(model);
        let mut workspace = network.workspace();
        network.run(input, &mut workspace);
        for index in 0..model.network.layers.len() {
            let reads = model.network.layers[index].reads.iter();
            let reads: Vec<&[i8]> = reads
                .map(|&read| match read {
                    0 => workspace.input(),
                    k => workspace.activations(k - 1).expect("a layer in front"),
                })
                .collect();
            let places = layer(model, index, &reads).into_iter().map(|p| p.integer);
            let same = match workspace.activations(index) {
                Some(own) if index + 1 < model.network.layers.len() => {
                    own.iter().map(|&v| i64::from(v)).eq(places)
                }
                _ => workspace.logits().iter().map(|&v| i64::from(v)).eq(places),
            };
            assert!(same, "network {} layer {index}", self.number);
        }
        workspace.logits().to_vec()
    }
}

/// Gives values side by side the quotients of the parts that the file has no integers of.
fn joined(places: &mut [Place], parts: &[&[Place]], reads: &[usize], shapes: &[LayerShapes]) {
    let channels = |read: usize| match read {
        0 => 0,
        k => shapes[k - 1].output.channels,
    };
    let all: usize = reads.iter().map(|&read| channels(read)).sum();
    for (at, place) in places.iter_mut().enumerate() {
        let (pixel, mut channel) = (at / all, at % all);
        for (part, &read) in parts.iter().zip(reads) {
            let own = channels(read);
            if channel < own {
                if let Some(unsaid) = part.get(pixel * own + channel) {
                    *place = *unsaid;
                }
                break;
            }
            channel -= own;
        }
    }
}

fn check(
    place: &Place,
    found: i64,
    wanted: i64,
    tabled: bool,
    counts: &mut Counts,
) -> Result<(), String> {
    counts.values += 1;
    counts.tabled += usize::from(tabled);
    if found == wanted {
        return Ok(());
    }
    if tabled {
        counts.tables_differ += 1;
        return match found.abs_diff(wanted) {
            1 => Ok(()),
            _ => Err(format!("a table has {found} where the file has {wanted}")),
        };
    }
    counts.differ += 1;
    // What the file's quotient is rounded to is at most a half away from it.
    let away = (place.quotient - wanted as f64).abs() - 0.5;
    match away <= place.bound + SINGLE {
        true => Ok(()),
        false => Err(format!("the file has {wanted}, and here is {place:?}")),
    }
}

/// Whether a class is the largest beyond doubt.
fn clear_class(outputs: &[f32]) -> Option<usize> {
    let mut order: Vec<usize> = (0..outputs.len()).collect();
    order.sort_by(|&a, &b| outputs[b].total_cmp(&outputs[a]));
    let (first, second) = (outputs[order[0]], outputs[order[1]]);
    let largest = outputs.iter().fold(0.0, |most: f32, v| most.max(v.abs()));
    (first - second > 0.2 * largest).then_some(order[0])
}

#[test]
fn random_quantized_networks_have_the_integers_that_onnxruntime_gives() {
    let Some(python) = support::python() else {
        return;
    };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let drawn = [&NETWORKS.to_string(), "1"];
    support::write(&python, "quantized.py", folder.path(), &drawn);
    let mut features: BTreeMap<String, usize> = BTreeMap::new();
    let mut counts = Counts::default();
    let mut problems = Vec::new();
    let (mut classes, mut compared) = (0, 0);
    let (mut found_out, mut wrong) = (0, 0);
    for number in 0..NETWORKS {
        let file = |ending: &str| folder.path().join(format!("{number}.{ending}"));
        let text = std::fs::read_to_string(file("txt")).expect("the script has written it");
        let mut lines = text.lines();
        let line = lines.next().unwrap_or_default();
        for feature in line.split_whitespace() {
            *features.entry(feature.to_owned()).or_insert(0) += 1;
        }
        let network = read_network(&file("onnx"))
            .unwrap_or_else(|problem| panic!("network {number} ({line}): {problem}"));
        let pixels = InputMap::Normalize(Normalization::UNIT);
        let made = match integers(&network, ("random", "random"), pixels) {
            Ok(made) => made,
            Err(problem) => {
                problems.push(format!("network {number}: {problem}"));
                continue;
            }
        };
        let all = std::fs::read(file("integers")).expect("the script has written it");
        let mut rest = &all[..];
        let bytes = lines.map(|line| {
            let (name, count) = line.split_once(' ').expect("a name and a number");
            let (own, more) = rest.split_at(count.parse().expect("a number"));
            rest = more;
            (name.to_owned(), own.to_vec())
        });
        let oracle = Oracle {
            number,
            bytes: bytes.collect(),
            network: &network,
            made: &made,
        };
        let shape = made.model.network.input;
        let plain: Vec<usize> = (0..made.image.channels).collect();
        let image = channels_last(&support::floats(&file("input")), made.image, &plain);
        let input = made.model.quantize(Pixels::Reals(&image));
        assert_eq!(input.len(), shape.volume());
        if let Err(problem) = oracle.compare(&input, &mut counts) {
            problems.push(format!(
                "network {number}: {problem}\n{}",
                made.explain(Some(&network))
            ));
        }
        if number < 40 {
            let (found, all) = oracle.found_out(&input);
            (found_out, wrong) = (found_out + found, wrong + all);
        }
        let outputs = support::floats(&file("output"));
        let results = oracle.run(&input);
        if let Some(class) = clear_class(&outputs) {
            compared += 1;
            let largest = results.iter().max().copied().unwrap_or_default();
            classes += usize::from(results[class] == largest);
        }
    }
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    let Counts {
        values,
        differ,
        tabled,
        tables_differ,
    } = counts;
    println!(
        "{differ} of {values} integers differ by the rounding of multipliers ({:.3} %), {tables_differ} of {tabled} values of tables; {classes} of {compared} clear classes; {found_out} of {wrong} layers with wrong multipliers are found out",
        100.0 * differ as f64 / values as f64
    );
    assert!(
        values > 100_000 && differ * 50 < values,
        "{differ} of {values}"
    );
    assert!(
        tabled > 1000 && tables_differ * 200 < tabled,
        "{tables_differ} of {tabled}"
    );
    assert!(
        compared > 20 && classes * 50 > compared * 49,
        "{classes} of {compared}"
    );
    // Multipliers that are 1/256 too large: what is cut off, or 0, does not show it.
    assert!(
        wrong > 60 && found_out * 2 > wrong,
        "{found_out} of {wrong}"
    );
    for feature in FEATURES {
        let found = features.get(feature).copied().unwrap_or(0);
        assert!(found >= LEAST, "{feature} occurs {found} times");
    }
}
