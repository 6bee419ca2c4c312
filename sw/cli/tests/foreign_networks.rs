//! A network that somebody else trained, with any number of classes and the usual normalisation
//! of its images, runs on simulated hardware to the answers that its own definition gives.
#![cfg(feature = "simulate")]

mod common;

use common::{SMALL, Sandbox};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

/// Rows and columns of an image.
const SIDE: usize = 14;
const PIXELS: usize = SIDE * SIDE;
const HIDDEN: usize = 100;
const TRAINING: usize = 200;
const TEST: usize = 60;

/// Two dense layers with a ReLU between them, as PyTorch has them: `y = x Wᵀ + b`.
struct Dense {
    hidden: (Vec<f32>, Vec<f32>),
    logits: (Vec<f32>, Vec<f32>),
    classes: usize,
}

impl Dense {
    fn random(classes: usize, random: &mut ChaCha8Rng) -> Self {
        let mut layer = |inputs: usize, outputs: usize| {
            let bound = (6.0 / inputs as f32).sqrt();
            let weight = (0..inputs * outputs).map(|_| random.random_range(-bound..bound));
            let weight: Vec<f32> = weight.collect();
            let bias = (0..outputs).map(|_| random.random_range(-0.1..0.1f32));
            (weight, bias.collect())
        };
        Self {
            hidden: layer(PIXELS, HIDDEN),
            logits: layer(HIDDEN, classes),
            classes,
        }
    }

    /// The class of an image of grey pixels with `mean` and `deviation` of a pixel / 255.
    fn class(&self, image: &[u8], (mean, deviation): (f64, f64)) -> usize {
        let dense = |(weight, bias): &(Vec<f32>, Vec<f32>), x: &[f64]| -> Vec<f64> {
            let rows = weight.chunks_exact(x.len()).zip(bias);
            let sum = |row: &[f32]| {
                row.iter()
                    .zip(x)
                    .map(|(&w, x)| f64::from(w) * x)
                    .sum::<f64>()
            };
            rows.map(|(row, &bias)| sum(row) + f64::from(bias))
                .collect()
        };
        let x: Vec<f64> = image
            .iter()
            .map(|&p| (f64::from(p) / 255.0 - mean) / deviation)
            .collect();
        let hidden: Vec<f64> = dense(&self.hidden, &x)
            .into_iter()
            .map(|y| y.max(0.0))
            .collect();
        let logits = dense(&self.logits, &hidden);
        (0..logits.len())
            .max_by(|&a, &b| logits[a].total_cmp(&logits[b]))
            .unwrap()
    }

    /// Its state dict.
    fn bytes(&self) -> Vec<u8> {
        let bytes = |values: &[f32]| {
            values
                .iter()
                .flat_map(|v| v.to_le_bytes())
                .collect::<Vec<u8>>()
        };
        let tensors = [
            ("hidden.weight", vec![HIDDEN, PIXELS], bytes(&self.hidden.0)),
            ("hidden.bias", vec![HIDDEN], bytes(&self.hidden.1)),
            (
                "logits.weight",
                vec![self.classes, HIDDEN],
                bytes(&self.logits.0),
            ),
            ("logits.bias", vec![self.classes], bytes(&self.logits.1)),
        ];
        let views = tensors.iter().map(|(name, shape, bytes)| {
            (
                *name,
                TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
            )
        });
        safetensors::serialize(views, None).unwrap()
    }
}

/// Four IDX files of random images, whose labels are what the network's definition says.
fn write_images(sandbox: &Sandbox, network: &Dense, moments: (f64, f64), random: &mut ChaCha8Rng) {
    let header = |words: &[usize]| -> Vec<u8> {
        let words = words.iter().map(|&w| u32::try_from(w).unwrap());
        words.flat_map(u32::to_be_bytes).collect()
    };
    for (part, count) in [("train", TRAINING), ("t10k", TEST)] {
        let pixels: Vec<u8> = (0..count * PIXELS).map(|_| random.random()).collect();
        let labels = pixels
            .chunks_exact(PIXELS)
            .map(|image| network.class(image, moments) as u8);
        let labels = [header(&[2049, count]), labels.collect()].concat();
        let images = [header(&[2051, count, SIDE, SIDE]), pixels].concat();
        sandbox.write(&format!("{part}-images-idx3-ubyte"), images);
        sandbox.write(&format!("{part}-labels-idx1-ubyte"), labels);
    }
}

#[test]
fn normalised_networks_of_any_number_of_classes_run_on_hardware_to_their_own_answers() {
    for (seed, (classes, input, moments)) in [
        (2, "mnist", (0.1307, 0.3081)),
        (5, "unit", (0.0, 1.0)),
        (26, "0.1307, .3081", (0.1307, 0.3081)),
        (47, "127.5,127.5", (0.5, 0.5)),
        (100, "0.17365231,0.33177834", (0.173_652_31, 0.331_778_34)),
    ]
    .into_iter()
    .enumerate()
    {
        let mut random = ChaCha8Rng::seed_from_u64(seed as u64);
        let sandbox = Sandbox::new();
        sandbox.write("small.toml", SMALL);
        let network = Dense::random(classes, &mut random);
        sandbox.write("foreign.safetensors", network.bytes());
        write_images(&sandbox, &network, moments, &mut random);
        let json = |arguments: &[&str]| -> Value {
            let answer = sandbox.ok(&[arguments, &["--json"]].concat());
            serde_json::from_str(&answer.out).unwrap()
        };
        let import = json(&[
            "import",
            "--state-dict",
            "foreign.safetensors",
            "--network",
            "mlp",
            "--image",
            "14x14x1",
            "--input",
            input,
            "--data",
            "idx:.",
            "--out",
            "foreign.checkpoint",
        ]);
        // Not one image differs where nothing is rounded.
        assert_eq!(import["measured"]["accuracy"], 1.0, "{classes} classes");
        assert_eq!(import["classes"], classes);
        json(&[
            "export",
            "foreign.checkpoint",
            "--data",
            "idx:.",
            "--calibration-images",
            "200",
            "--out",
            "foreign.model",
        ]);
        json(&[
            "simulate",
            "foreign.model",
            "--config",
            "small.toml",
            "--rates",
            "0",
            "--codes",
            "none",
            "--data",
            "idx:.",
            "--images",
            "60",
            "--out",
            "summary.json",
        ]);
        let summary = std::fs::read(sandbox.path("summary.json")).unwrap();
        let summary: Value = serde_json::from_slice(&summary).unwrap();
        assert_eq!(summary["mismatches"], 0);
        assert_eq!(summary["logits_compared"], 60 * classes);
        let accuracy = summary["points"][0]["accuracy_rtl"].as_f64().unwrap();
        // Eight bits decide some of the closest otherwise.
        assert!(accuracy >= 0.9, "{classes} classes: {accuracy}");
    }
}

/// A convolution of 3 x 3 with its batch norm and a ReLU, as PyTorch has them.
struct Convolution {
    /// `[output][input][row][column]`.
    weight: Vec<f32>,
    gain: Vec<f32>,
    bias: Vec<f32>,
    mean: Vec<f32>,
    variance: Vec<f32>,
    inputs: usize,
    stride: usize,
}

impl Convolution {
    fn random(inputs: usize, outputs: usize, stride: usize, random: &mut ChaCha8Rng) -> Self {
        let mut values = |count: usize, low: f32, high: f32| -> Vec<f32> {
            (0..count).map(|_| random.random_range(low..high)).collect()
        };
        let bound = (6.0 / (9.0 * inputs as f32)).sqrt();
        Self {
            weight: values(outputs * inputs * 9, -bound, bound),
            gain: values(outputs, -1.5, 1.5),
            bias: values(outputs, -0.3, 0.8),
            mean: values(outputs, -0.3, 0.3),
            variance: values(outputs, 0.2, 2.0),
            inputs,
            stride,
        }
    }

    /// Square maps `[channel][row][column]`, with a pixel of zeros around them.
    fn run(&self, x: &[f64]) -> Vec<f64> {
        let side = (x.len() / self.inputs).isqrt();
        let out = side.div_ceil(self.stride);
        let at = |channel: usize, row: usize, column: usize| {
            // One more than the place, so that the border is at 0.
            match (1..=side).contains(&row) && (1..=side).contains(&column) {
                true => x[(channel * side + row - 1) * side + column - 1],
                false => 0.0,
            }
        };
        let mut y = Vec::new();
        for (output, weight) in self.weight.chunks_exact(9 * self.inputs).enumerate() {
            let deviation = (f64::from(self.variance[output]) + 1e-5).sqrt();
            for place in 0..out * out {
                let (row, column) = (place / out * self.stride, place % out * self.stride);
                let taps = weight.iter().enumerate().map(|(i, &w)| {
                    let (channel, tap) = (i / 9, i % 9);
                    f64::from(w) * at(channel, row + tap / 3, column + tap % 3)
                });
                let z = (taps.sum::<f64>() - f64::from(self.mean[output])) / deviation;
                y.push((z * f64::from(self.gain[output]) + f64::from(self.bias[output])).max(0.0));
            }
        }
        y
    }

    fn tensors(&self, layer: &str, norm: &str) -> Vec<(String, Vec<usize>, Vec<f32>)> {
        let outputs = self.gain.len();
        let vector =
            |name: &str, values: &[f32]| (format!("{norm}.{name}"), vec![outputs], values.to_vec());
        vec![
            (
                format!("{layer}.weight"),
                vec![outputs, self.inputs, 3, 3],
                self.weight.clone(),
            ),
            vector("weight", &self.gain),
            vector("bias", &self.bias),
            vector("running_mean", &self.mean),
            vector("running_var", &self.variance),
        ]
    }
}

/// The largest of each 2 x 2 of square maps.
fn pool(x: &[f64], channels: usize) -> Vec<f64> {
    let side = (x.len() / channels).isqrt();
    let out = side / 2;
    let of = |channel: usize, place: usize| {
        let (row, column) = (place / out * 2, place % out * 2);
        let four = (0..4).map(|i| x[(channel * side + row + i / 2) * side + column + i % 2]);
        four.fold(f64::MIN, f64::max)
    };
    let all = (0..channels).flat_map(|channel| (0..out * out).map(move |place| (channel, place)));
    all.map(|(channel, place)| of(channel, place)).collect()
}

#[test]
fn a_convolutional_network_of_mnists_form_runs_on_hardware_to_its_own_answers() {
    const MNIST: usize = 28;
    let mut random = ChaCha8Rng::seed_from_u64(9);
    let first = Convolution::random(1, 8, 2, &mut random);
    let second = Convolution::random(8, 16, 1, &mut random);
    let mut dense = |inputs: usize, outputs: usize| -> (Vec<f32>, Vec<f32>) {
        let bound = (6.0 / inputs as f32).sqrt();
        let weight = (0..inputs * outputs).map(|_| random.random_range(-bound..bound));
        let weight = weight.collect();
        let bias = (0..outputs).map(|_| random.random_range(-0.1..0.1));
        (weight, bias.collect())
    };
    // Maps of 28, 14, 7, 7 and 3 pixels a side.
    let (hidden, logits) = (dense(16 * 9, 64), dense(64, 10));
    let apply = |(weight, bias): &(Vec<f32>, Vec<f32>), x: &[f64]| -> Vec<f64> {
        let rows = weight.chunks_exact(x.len()).zip(bias);
        rows.map(|(row, &bias)| {
            let products = row.iter().zip(x).map(|(&w, x)| f64::from(w) * x);
            products.sum::<f64>() + f64::from(bias)
        })
        .collect()
    };
    let class = |image: &[u8]| -> u8 {
        let x = image
            .iter()
            .map(|&p| (f64::from(p) / 255.0 - 0.1307) / 0.3081);
        let x = pool(&first.run(&x.collect::<Vec<_>>()), 8);
        let x = pool(&second.run(&x), 16);
        let x: Vec<f64> = apply(&hidden, &x).into_iter().map(|y| y.max(0.0)).collect();
        let y = apply(&logits, &x);
        (0..10).max_by(|&a, &b| y[a].total_cmp(&y[b])).unwrap() as u8
    };
    let mut tensors = first.tensors("conv1", "bn1");
    tensors.extend(second.tensors("conv2", "bn2"));
    for (name, (weight, bias)) in [("hidden", &hidden), ("logits", &logits)] {
        let shape = vec![bias.len(), weight.len() / bias.len()];
        tensors.push((format!("{name}.weight"), shape, weight.clone()));
        tensors.push((format!("{name}.bias"), vec![bias.len()], bias.clone()));
    }
    let tensors: Vec<_> = tensors
        .into_iter()
        .map(|(name, shape, values)| {
            let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            (name, shape, bytes)
        })
        .collect();
    let views = tensors.iter().map(|(name, shape, bytes)| {
        (
            name,
            TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap(),
        )
    });
    let sandbox = Sandbox::new();
    sandbox.write(
        "foreign.safetensors",
        safetensors::serialize(views, None).unwrap(),
    );
    let header = |words: &[usize]| -> Vec<u8> {
        words
            .iter()
            .flat_map(|&w| (w as u32).to_be_bytes())
            .collect()
    };
    for (part, count) in [("train", TRAINING), ("t10k", TEST)] {
        // Strokes on a dark ground, in other places and of another brightness each.
        let mut pixels = vec![0; count * MNIST * MNIST];
        for image in pixels.chunks_exact_mut(MNIST * MNIST) {
            for _ in 0..random.random_range(2..7) {
                let (row, column) = (random.random_range(2..24), random.random_range(2..20));
                let (high, wide) = (random.random_range(1..4), random.random_range(1..8));
                let ink = random.random_range(90..=255u8);
                for place in 0..high * wide {
                    image[(row + place / wide) * MNIST + column + place % wide] = ink;
                }
            }
        }
        let labels = pixels.chunks_exact(MNIST * MNIST).map(class).collect();
        let labels = [header(&[2049, count]), labels].concat();
        let images = [header(&[2051, count, MNIST, MNIST]), pixels].concat();
        sandbox.write(&format!("{part}-images-idx3-ubyte"), images);
        sandbox.write(&format!("{part}-labels-idx1-ubyte"), labels);
    }
    let json = |line: &str| -> Value {
        let words: Vec<&str> = line.split_whitespace().chain(["--json"]).collect();
        serde_json::from_str(&sandbox.ok(&words).out).unwrap()
    };
    let import = json(
        "import --state-dict foreign.safetensors --network cnn --image 28x28x1 --input mnist --data idx:. --out foreign.checkpoint",
    );
    assert_eq!(import["measured"]["accuracy"], 1.0);
    json("export foreign.checkpoint --data idx:. --out foreign.model");
    json(
        "simulate foreign.model --rates 0 --codes none --data idx:. --images 60 --out summary.json",
    );
    let summary = std::fs::read(sandbox.path("summary.json")).unwrap();
    let summary: Value = serde_json::from_slice(&summary).unwrap();
    assert_eq!(
        (&summary["mismatches"], &summary["logits_compared"]),
        (&0.into(), &600.into())
    );
    let accuracy = summary["points"][0]["accuracy_rtl"].as_f64().unwrap();
    assert!(accuracy >= 0.9, "{accuracy}");
}
