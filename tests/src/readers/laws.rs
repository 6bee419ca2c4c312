//! What must hold for a file that was accepted, however it came about.

use brownout_golden::data::cifar;
use brownout_golden::float::{Checkpoint, FloatModel};
use brownout_golden::infer::IntegerNetwork;
use brownout_golden::model::{InputMap, IntegerModel, Normalization};
use brownout_golden::quantized::QuantizedNetwork;
use brownout_golden::state_dict::{state_dict, state_dict_from};
use brownout_golden::train::Run;
use brownout_onnx::network::Network;
use brownout_spec::code::Policy;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::fault::FaultMap;
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::Program;
use brownout_spec::quantity::{BitErrorRate, Lane, Millivolts, WordAddress};
use brownout_spec::voltage::VoltageModel;
use ndarray::Array4;
use std::path::Path;

/// Largest network that is run, in multiplications.
const MOST_WORK: usize = 100_000;

pub fn images(images: &Array4<u8>, pixels: Option<&[u8]>) {
    let (count, rows, columns, channels) = images.dim();
    assert!(count > 0 && rows > 0 && columns > 0 && channels == 1);
    if let Some(pixels) = pixels {
        assert_eq!(
            images.as_slice(),
            Some(pixels),
            "pixels as they were stored"
        );
    }
}

pub fn labels(labels: &[u8], stored: Option<&[u8]>) {
    assert!(!labels.is_empty());
    if let Some(stored) = stored {
        assert_eq!(labels, stored, "labels as they were stored");
    }
}

/// An accepted batch has a class and 32 x 32 pixels of three channels for each image.
pub fn cifar_batch(batch: &cifar::Batch, stored: Option<&[u8]>) {
    assert!((1..=cifar::MOST_RECORDS).contains(&batch.labels.len()));
    cifar_records(batch, stored, (1, 10));
}

/// The same of CIFAR-100, whose fine label stands behind a coarse one.
pub fn cifar100_batch(batch: &cifar::Batch, stored: &[u8]) {
    cifar_records(batch, Some(stored), (2, 100));
}

/// Records of so many labels, of which the last is the class, below a number of classes.
fn cifar_records(batch: &cifar::Batch, stored: Option<&[u8]>, (labels, classes): (usize, u8)) {
    let volume = cifar::RECORD - 1;
    assert_eq!(batch.pixels.len(), batch.labels.len() * volume);
    assert!(batch.labels.iter().all(|&label| label < classes));
    let Some(stored) = stored else { return };
    let plane = volume / cifar::CHANNELS;
    for (number, record) in stored.chunks_exact(labels + volume).enumerate() {
        assert_eq!(batch.labels[number], record[labels - 1]);
        let image = &batch.pixels[number * volume..][..volume];
        for (i, &pixel) in image.iter().enumerate() {
            let place = labels + i % cifar::CHANNELS * plane + i / cifar::CHANNELS;
            assert_eq!(pixel, record[place], "pixels as they were stored");
        }
    }
}

/// An accepted model survives its own file, and can be placed and run, or is refused in words.
pub fn model(model: &IntegerModel) {
    let bytes = model.to_bytes().expect("an accepted model is valid");
    let again = IntegerModel::from_bytes(&bytes, Path::new("again"));
    assert_eq!(&again.expect("a written model is accepted"), model);
    let configuration = super::seeds::accelerator(model.weight_bits, model.code);
    let program = Program::new(&configuration, &model.network);
    let layout = Layout::new(&configuration, model.weight_shapes());
    if let (Ok(program), Ok(layout)) = (&program, layout) {
        let image = WeightImage::encode(layout, &model.weight_tensors());
        let image = image.expect("an accepted model satisfies its code");
        assert_eq!(image.words().len(), program.weight_words);
        assert!(program_cycles(&configuration, program) > 0);
        let work: usize = program.steps.iter().map(|s| s.multiply_accumulates()).sum();
        if work <= MOST_WORK {
            let network = IntegerNetwork::undisturbed(model);
            let mut workspace = network.workspace();
            network.run(&vec![-128; program.input.volume()], &mut workspace);
        }
    }
}

/// An accepted network survives its own checkpoint, and runs.
pub fn float_model(model: &FloatModel) {
    let again = FloatModel::from_bytes(&model.to_bytes(), Path::new("again"));
    assert_eq!(&again.expect("a written checkpoint is accepted"), model);
    let shapes = model.architecture.shapes().iter();
    if shapes
        .map(|s| s.output.volume() * s.input.channels)
        .sum::<usize>()
        <= MOST_WORK
    {
        let logits = model.logits(&vec![7; model.image.volume()]);
        assert_eq!(logits.len(), model.architecture.classes());
    }
}

/// An imported network is any other's equal, and survives its way back as a state dict.
pub fn imported(model: &FloatModel) {
    float_model(model);
    let bytes = state_dict(model, "unrounded");
    let again = state_dict_from(&bytes, Path::new(&model.origin), &super::seeds::importing());
    assert_eq!(&again.expect("a written state dict is accepted"), model);
}

/// An accepted checkpoint survives its own writer, and a quantized network runs on what it stores.
pub fn checkpoint(checkpoint: Checkpoint) {
    let again = Checkpoint::from_bytes(&checkpoint.to_bytes(), Path::new("again"));
    assert_eq!(again.expect("a written checkpoint is accepted"), checkpoint);
    let Checkpoint {
        model,
        quantization,
    } = checkpoint;
    float_model(&model);
    let Some(quantization) = quantization else {
        return;
    };
    let network = QuantizedNetwork {
        model,
        quantization,
    };
    let stored = network.stored();
    assert_eq!(stored.hamming_distance(&network.stored(), u8::MAX), 0);
    network.evaluator(&stored);
}

/// An accepted state is that of a run which goes on, and which may be broken off again.
pub fn training_state(bytes: &[u8]) {
    let (data, options) = super::seeds::training();
    let mut run =
        Run::resume(bytes, super::seeds::start(&data), &data, &options).expect("it was accepted");
    if run.steps_taken() < run.steps() && run.step().is_ok() {
        Run::resume(&run.to_bytes(), super::seeds::start(&data), &data, &options)
            .expect("a written state is accepted");
    }
}

/// An accepted network's layers read what is there, and each of its nodes is accounted for; what has
/// integers is a valid model.
pub fn onnx(network: &Network) {
    let mut made = vec![false; network.tensors.len()];
    made[network.input] = true;
    for layer in &network.layers {
        assert!(layer.reads.iter().all(|&tensor| made[tensor]));
        assert!(!std::mem::replace(&mut made[layer.writes], true));
    }
    assert!(made.iter().all(|&made| made), "every tensor is somebody's");
    let text = brownout_onnx::explain::explain(network);
    assert!(text.lines().count() >= network.account.len() + 2);
    if let Ok(lowered) = brownout_onnx::lower::lower(network, "fuzzed") {
        let results = network.tensors[network.output].shape.len();
        assert_eq!(lowered.architecture.classes(), results);
    }
    let pixels = InputMap::Normalize(Normalization::UNIT);
    let names = ("fuzzed", "fuzzed");
    if let Ok(made) = brownout_onnx::integers::integers(network, names, pixels) {
        let results = network.tensors[network.output].shape.len();
        assert_eq!(made.model.results().volume(), results);
        assert!(made.model.to_bytes().is_ok(), "a valid model");
    }
}

/// An accepted image is the one that its own bytes are made of.
pub fn weight_image(image: &WeightImage, bytes: &[u8]) {
    assert!(image.to_bytes() == bytes, "an image has one file");
    let layout = image.layout();
    for (number, layer) in layout.layers().iter().enumerate() {
        let channels = layout.constrained_channels(number);
        assert!(channels.is_some_and(|c| c.len() <= layer.shape.output_channels));
    }
    for word in 0..layout.words().min(8) {
        for lane in 0..layout.code().n() {
            let cell = layout.cell(WordAddress(word as u32), Lane(lane as u8));
            assert!(cell.is_some(), "every lane of every word is something");
        }
    }
    for policy in [Policy::Keep, Policy::Zero] {
        let decoded = image.decode(policy);
        assert_eq!(decoded.tensors.len(), layout.layers().len());
    }
}

/// An accepted configuration survives its own file, and every voltage of its model has a rate.
pub fn configuration(configuration: &Configuration) {
    let again = Configuration::from_toml(&configuration.to_toml());
    assert_eq!(again.as_ref(), Ok(configuration));
    let voltages = VoltageModel::from_configuration(configuration);
    let voltages = voltages.expect("an accepted configuration has a voltage model");
    let rom = voltages.rom();
    assert!(rom.thresholds.windows(2).all(|pair| pair[0] >= pair[1]));
    let (lowest, highest) = voltages.range();
    for supply in (lowest.0..=highest.0).step_by(7).map(Millivolts) {
        let energy = voltages.relative_energy(supply).expect("inside the range");
        assert!(energy > 0.0 && energy <= 1000.0, "{energy} at {supply}");
    }
    for rate in [0.0, 1e-6, 1e-2, 1.0]
        .into_iter()
        .filter_map(BitErrorRate::new)
    {
        let nearest = voltages.nearest_millivolts(rate);
        assert!((lowest..=highest).contains(&nearest));
    }
}

/// An accepted map survives its own file.
pub fn fault_map(map: &FaultMap) {
    let again = FaultMap::from_text(&map.to_string());
    assert_eq!(again.as_ref(), Ok(map));
    assert_eq!(map.cells().count(), map.len());
    for (address, lane, _) in map.cells().take(100) {
        let flips = map.flips(address, 0) | map.flips(address, u128::MAX);
        assert_eq!(flips >> lane.0 & 1, 1, "a faulty cell flips one of the two");
    }
}
