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
