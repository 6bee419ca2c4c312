//! Good files, small ones: damage then hits what matters.

use super::mutate::gzip;
use crate::configurations::{benches, configuration};
use crate::graph::{self, Focus, Graph};
use brownout_golden::data::{Dataset, cifar};
use brownout_golden::float::FloatModel;
use brownout_golden::model::{Accuracy, InputMap, Normalization};
use brownout_golden::network::{Builtin, Epsilon};
use brownout_golden::quantize::{BitWidth, Granularity};
use brownout_golden::state_dict::{Target, state_dict};
use brownout_golden::train::{QuantizerName, Run, TrainingOptions};
use brownout_spec::code::CodeName;
use brownout_spec::config::{Configuration, VoltageModelChoice, VoltagePoint, WeightBits};
use brownout_spec::fault::{CellFault, FaultMap};
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::Shape;
use brownout_spec::quantity::{Lane, WordAddress};
use ndarray::Array4;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};

/// A small accelerator for models of a width and a code.
pub fn accelerator(weight_bits: WeightBits, code: CodeName) -> Configuration {
    let columns = match code.is_in_place() {
        true => code.weights_per_word(weight_bits),
        false => 4,
    };
    configuration(4, columns, weight_bits, code)
}

/// IDX files of 1 to 50 images.
pub fn idx_images() -> Vec<Vec<u8>> {
    [(12, 4, 4), (50, 28, 28), (3, 5, 2), (1, 1, 1)]
        .into_iter()
        .map(|(count, rows, columns): (u32, u32, u32)| {
            let pixels = (0..count * rows * columns).map(|i| (i * 37 % 251) as u8);
            [2051, count, rows, columns]
                .iter()
                .flat_map(|field| field.to_be_bytes())
                .chain(pixels)
                .collect()
        })
        .collect()
}

/// IDX files of 1 to 300 labels.
pub fn idx_labels() -> Vec<Vec<u8>> {
    [12_u32, 1, 300]
        .into_iter()
        .map(|count| {
            let labels = (0..count).map(|i| (i * 7 % 10) as u8);
            let header = [2049, count].map(u32::to_be_bytes).concat();
            header.into_iter().chain(labels).collect()
        })
        .collect()
}

/// Batches of 1 to 3 records of CIFAR-10.
pub fn cifar_batches() -> Vec<Vec<u8>> {
    [3, 1, 2]
        .into_iter()
        .map(|count| {
            let byte = |i: usize| match i % cifar::RECORD {
                0 => (i / cifar::RECORD * 3 % 10) as u8,
                at => (at * 37 % 251) as u8,
            };
            (0..count * cifar::RECORD).map(byte).collect()
        })
        .collect()
}

/// Files of 1 to 3 records of CIFAR-100.
pub fn cifar100_batches() -> Vec<Vec<u8>> {
    let record = cifar::RECORD + 1;
    [3, 1, 2]
        .into_iter()
        .map(|count| {
            let byte = |i: usize| match i % record {
                0 => (i / record * 3 % 20) as u8,
                1 => (i / record * 37 % 100) as u8,
                at => (at * 37 % 251) as u8,
            };
            (0..count * record).map(byte).collect()
        })
        .collect()
}

/// The files, compressed.
pub fn compressed(files: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    files.iter().map(|file| gzip(file)).collect()
}

fn graphs() -> Vec<Graph> {
    let bits = [WeightBits::Eight, WeightBits::Four];
    [
        (0, bits[0], CodeName::None, Focus::Residual),
        (1, bits[0], CodeName::Inplace64_57, Focus::MaxPool),
        (2, bits[1], CodeName::Inplace32_26, Focus::Dense),
        (3, bits[0], CodeName::Secded72_64, Focus::AveragePool),
    ]
    .into_iter()
    .map(|(seed, bits, code, focus)| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        graph::draw(&accelerator(bits, code), focus, &mut random)
    })
    .collect()
}

/// Models of several kinds of layers, weight widths and codes.
pub fn models() -> Vec<Vec<u8>> {
    graphs()
        .into_iter()
        .enumerate()
        .map(|(index, Graph { mut model, .. })| {
            if index % 2 == 1 {
                model.origin.training = Some(TrainingOptions::default());
                model.origin.accuracy = Some(Accuracy {
                    float: 0.975,
                    integer: 0.97,
                    images: 2000,
                });
            }
            model.to_bytes().expect("a drawn model is valid")
        })
        .collect()
}

/// The network of [`state_dicts`].
pub fn importing() -> Target {
    Target {
        network: Builtin::Cnn,
        image: Shape {
            height: 12,
            width: 12,
            channels: 1,
        },
        classes: 10,
        input: InputMap::Halve,
        epsilon: Epsilon::DEFAULT,
    }
}

/// Checkpoints of networks with and without normalisation.
pub fn checkpoints() -> Vec<Vec<u8>> {
    let small = Shape {
        height: 3,
        width: 2,
        channels: 3,
    };
    let moments = InputMap::Normalize(Normalization::CIFAR10);
    let Target {
        network,
        image,
        classes,
        input,
        ..
    } = importing();
    [
        FloatModel::random(network, (image, classes), input, 1),
        FloatModel::random(Builtin::Mlp, (small, 4), moments, 2),
    ]
    .into_iter()
    .map(|model| {
        model
            .expect("the network has a form for its images")
            .to_bytes()
    })
    .collect()
}

/// Checkpoints of small networks on a uniform grid per channel and on an asymmetric one.
pub fn quantized_checkpoints() -> Vec<Vec<u8>> {
    let (data, options) = training();
    [
        (QuantizerName::LeastError, Granularity::Channel),
        (QuantizerName::Rquant, Granularity::Tensor),
    ]
    .into_iter()
    .map(|(quantizer, granularity)| {
        let options = TrainingOptions {
            quantizer,
            granularity,
            code: CodeName::None,
            ..options.clone()
        };
        let network = start(&data).calibrate(&data, &options);
        network.expect("its weights are finite").to_bytes()
    })
    .collect()
}

/// The data and the options of [`training_states`].
pub fn training() -> (Dataset, TrainingOptions) {
    let images = Array4::from_shape_fn((12, 3, 2, 3), |(n, y, x, c)| {
        (n * 37 + y * 101 + x * 59 + c * 83) as u8
    });
    let labels = (0..12).map(|n| n % 4).collect();
    let data = Dataset::new("stripes", images, labels, 4);
    let options = TrainingOptions {
        epochs: 2,
        batch: 4,
        chunk: 2,
        float_share: 0.3,
        weight_bits: BitWidth::FOUR,
        quantizer: QuantizerName::Wcat,
        quiet: true,
        ..TrainingOptions::default()
    };
    (data, options)
}

/// The network that the run of [`training_states`] starts from.
pub fn start(data: &Dataset) -> FloatModel {
    let images = (data.shape(), data.classes);
    let model = FloatModel::random(Builtin::Mlp, images, InputMap::Halve, 3);
    model.expect("an mlp takes any image")
}

/// States of a run before its first step, before and after quantization has begun, and at its end.
pub fn training_states() -> Vec<Vec<u8>> {
    let (data, options) = training();
    let mut run = Run::new(start(&data), &data, &options).expect("options and data are allowed");
    let mut states = Vec::new();
    for step in 0..=run.steps() {
        if [0, 1, 4, run.steps()].contains(&step) {
            states.push(run.to_bytes());
        }
        if step < run.steps() {
            run.step().expect("a small run does not diverge");
        }
    }
    states
}

/// State dicts of a small network: with and without `module.` in front of the names, with
/// parts pruned and split into direction and length, and with metadata of our own.
pub fn state_dicts() -> Vec<Vec<u8>> {
    let names: [(&str, &[usize]); 14] = [
        ("conv1.weight", &[8, 1, 3, 3]),
        ("bn1.weight", &[8]),
        ("bn1.bias", &[8]),
        ("bn1.running_mean", &[8]),
        ("bn1.running_var", &[8]),
        ("conv2.weight", &[16, 8, 3, 3]),
        ("bn2.weight", &[16]),
        ("bn2.bias", &[16]),
        ("bn2.running_mean", &[16]),
        ("bn2.running_var", &[16]),
        ("hidden.weight", &[64, 16]),
        ("hidden.bias", &[64]),
        ("logits.weight", &[10, 64]),
        ("logits.bias", &[10]),
    ];
    let file = |names: &[(&str, &[usize])], prefix: &str| {
        let parts = names.iter().map(|(name, shape)| {
            let count: usize = shape.iter().product();
            let value = |i: usize| match name.ends_with("_mask") {
                true => (i % 2) as f32,
                false => i as f32 / 512.0,
            };
            let values = (0..count).flat_map(|i| value(i).to_le_bytes());
            (
                format!("{prefix}{name}"),
                shape.to_vec(),
                values.collect::<Vec<u8>>(),
            )
        });
        let parts: Vec<_> = parts.collect();
        let views = parts.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F32, shape.clone(), bytes);
            (name, view.expect("as many bytes as the shape has"))
        });
        safetensors::serialize(views, None).expect("names are unique")
    };
    let mut forms = names.to_vec();
    let changed = ["conv2.weight", "logits.bias", "bn1.weight", "bn1.bias"];
    forms.retain(|(name, _)| !changed.contains(name));
    forms.extend([
        ("conv1.bias", &[8][..]),
        ("conv2.weight_g", &[16, 1, 1, 1]),
        ("conv2.weight_v", &[16, 8, 3, 3]),
        ("logits.bias_orig", &[10]),
        ("logits.bias_mask", &[10]),
    ]);
    let Target {
        network,
        image,
        classes,
        input,
        ..
    } = importing();
    let own = FloatModel::random(network, (image, classes), input, 4);
    let own = state_dict(
        &own.expect("the network has a form for its images"),
        "unrounded",
    );
    vec![
        file(&names, ""),
        file(&names, "module."),
        file(&forms, ""),
        own,
    ]
}

/// The weights of the same models as code words.
pub fn weight_images() -> Vec<Vec<u8>> {
    graphs()
        .into_iter()
        .map(|Graph { model, .. }| {
            let configuration = accelerator(model.weight_bits, model.code);
            let layout = Layout::new(&configuration, model.weight_shapes());
            let layout = layout.expect("a drawn graph fits its accelerator");
            WeightImage::encode(layout, &model.weight_tensors())
                .expect("drawn weights are in range")
                .to_bytes()
        })
        .collect()
}

/// The accelerators of the random graphs.
pub fn configurations() -> Vec<Vec<u8>> {
    let files = benches().into_iter().map(|b| b.configuration.to_toml());
    files.map(String::into_bytes).collect()
}

/// Configurations with a voltage table of the user's.
pub fn voltage_tables() -> Vec<Vec<u8>> {
    let tables: [&[(u16, f64, f64)]; 4] = [
        &[(500, 1e-2, 0.4), (600, 1e-4, 0.6), (700, 0.0, 1.0)],
        &[(1, 1.0, 1e-3), (4096, 0.0, 1.0)],
        &[
            (300, 0.5, 0.1),
            (310, 0.5, 0.1),
            (320, 1e-9, 0.1),
            (330, 1e-300, 900.0),
        ],
        &[(800, 0.0, 1.0), (801, 0.0, 1.0)],
    ];
    tables
        .into_iter()
        .map(|rows| {
            let row = |&(millivolts, bit_error_rate, relative_energy)| VoltagePoint {
                millivolts,
                bit_error_rate,
                relative_energy,
            };
            Configuration {
                voltage_model: VoltageModelChoice::Table(rows.iter().map(row).collect()),
                ..accelerator(WeightBits::Eight, CodeName::None)
            }
            .to_toml()
            .into_bytes()
        })
        .collect()
}

/// Lists of faulty cells, with every kind of separator.
pub fn fault_maps() -> Vec<Vec<u8>> {
    let mut map = FaultMap::default();
    for cell in 0..60 {
        let kinds = [
            CellFault::Flip,
            CellFault::StuckAtZero,
            CellFault::StuckAtOne,
        ];
        let lane = Lane((cell * 5 % 72) as u8);
        map.insert(WordAddress(cell * cell), lane, kinds[cell as usize % 3]);
    }
    vec![
        map.to_string().into_bytes(),
        b"# one chip\n\n1048575 71 flip\r\n0, 0, 0\n 7\t31\t1\n".to_vec(),
        b"address lane kind\n5 9 flip\n5 10 flip".to_vec(),
    ]
}

/// Every sixth of the small models that the ONNX reader's own tests compare with others.
pub fn onnx_models() -> Vec<Vec<u8>> {
    let models = include_str!("../../../sw/onnx/tests/vectors/operators.txt").lines();
    let model = |line: &str| line.split('\t').nth(1).map(base64);
    models.step_by(6).filter_map(model).collect()
}

/// The bytes of a text in base64.
fn base64(text: &str) -> Vec<u8> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits: Vec<usize> = text.chars().filter_map(|c| alphabet.find(c)).collect();
    let group = |group: &[usize]| {
        let bits = group.iter().fold(0, |bits, digit| bits << 6 | digit) << (6 * (4 - group.len()));
        (bits as u32).to_be_bytes()[1..group.len()].to_vec()
    };
    digits.chunks(4).flat_map(group).collect()
}
