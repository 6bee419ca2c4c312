use super::*;
use crate::data::glyph;
use crate::float::FloatModel;
use crate::infer::IntegerNetwork;
use crate::model::InputMap;
use crate::network::{Architecture, Builder, Builtin, Chunk, Parameters, Prepared, Statistics};
use crate::quantize::{
    ActivationGrid, AllowedRanges, FixedPoint, Granularity, Grid, Placement, WeightGrid,
};
use crate::quantized::Quantization;
use crate::train::{TrainingOptions, train};
use brownout_spec::code::CodeName;
use brownout_spec::program::{Operation, Shape};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const DIGIT: Shape = Shape {
    height: 28,
    width: 28,
    channels: 1,
};

/// A network with random parameters, as if training had just frozen it; the
/// activation steps come from a forward pass in floating point.
fn untrained(architecture: Architecture, gains: &[f32]) -> QuantizedNetwork {
    let mut random = ChaCha8Rng::seed_from_u64(8);
    let mut parameters = Parameters::random(&architecture, 8, 0);
    for layer in parameters.layers.iter_mut().flatten() {
        layer.bias.mapv_inplace(|_| random.random_range(-0.5..0.5));
        layer.mean.mapv_inplace(|_| random.random_range(-0.5..0.5));
        layer
            .variance
            .mapv_inplace(|_| random.random_range(0.5..2.0));
        if let Some(gain) = &mut layer.gain {
            for (i, g) in gain.iter_mut().enumerate() {
                *g = gains[i % gains.len()];
            }
        }
    }
    let (code, width) = (CodeName::None, BitWidth::EIGHT);
    let grids = parameters.layers.iter().map(|layer| {
        let layer = layer.as_ref()?;
        let ranges = AllowedRanges::new(code, width, Placement::Channel);
        let granularity = Granularity::Channel;
        let grid = WeightGrid::least_error(&layer.weight, width, &ranges, granularity);
        Some(grid)
    });
    let grids = grids.collect();
    let layers = architecture.network.layers.len();
    let mut trained = QuantizedNetwork {
        quantization: Quantization {
            width,
            code,
            placement: Placement::Channel,
            grids,
            activations: vec![None; layers + 1],
        },
        model: FloatModel {
            network: Builtin::Cnn.into(),
            image: architecture.network.input,
            input: InputMap::Centre,
            origin: "random".into(),
            parameters,
            architecture,
        },
    };
    let floating = run_float(&trained, &image(&trained, 0));
    let steps = &mut trained.quantization.activations;
    for (tensor, step) in steps.iter_mut().enumerate().take(layers) {
        *step = Some(match tensor {
            0 => ActivationGrid::hardware(InputMap::Centre.step()),
            k => ActivationGrid::hardware(floating.maxima()[k].max(1e-3) / 100.0),
        });
    }
    // A maximum keeps its input's step.
    let layers = &trained.model.architecture.network.layers;
    for (index, layer) in layers.iter().enumerate() {
        if matches!(layer.operation, Operation::MaxPool { .. }) {
            steps[index + 1] = steps[index];
        }
    }
    trained
}

fn image(trained: &QuantizedNetwork, seed: u64) -> Vec<i8> {
    let mut random = ChaCha8Rng::seed_from_u64(100 + seed);
    let volume = trained.model.architecture.network.input.volume();
    (0..volume).map(|_| random.random()).collect()
}

fn run_float(trained: &QuantizedNetwork, image: &[i8]) -> Chunk {
    let weights = trained.stored().values(&trained.quantization.grids);
    let prepared = Prepared::new(
        &trained.model.architecture,
        &trained.model.parameters,
        &weights,
        Statistics::Running,
        trained.quantization.activations.clone(),
    );
    let mut chunk = Chunk::new(&trained.model.architecture, &trained.model.parameters, 1);
    for (x, &q) in chunk.input_mut().iter_mut().zip(image) {
        *x = f32::from(q) * trained.model.input.step();
    }
    chunk.forward(&prepared);
    chunk
}

/// The integer activations differ from the floating-point ones by rounding only:
/// never more than one step of drift, and almost always not at all.
fn assert_equal_activations(trained: &QuantizedNetwork) {
    let model = export(trained, None).unwrap();
    let network = IntegerNetwork::undisturbed(&model);
    let mut workspace = network.workspace();
    let (mut compared, mut different) = (0, 0);
    for seed in 0..5 {
        let input = image(trained, seed);
        network.run(&input, &mut workspace);
        let floating = run_float(trained, &input);
        for layer in 0..trained.model.architecture.network.layers.len() - 1 {
            let step = trained.quantization.activations[layer + 1].unwrap().step;
            let integers = workspace.activations(layer).unwrap();
            for (&integer, real) in integers.iter().zip(floating.output(layer)) {
                let difference = (f32::from(integer) - real / step).abs();
                assert!(
                    difference < 2.5,
                    "layer {layer}: {integer} is not {}",
                    real / step
                );
                compared += 1;
                different += usize::from(difference > 0.5);
            }
        }
    }
    assert!(
        different * 50 < compared,
        "{different} of {compared} differ"
    );
}

#[test]
fn negative_and_zero_batch_norm_scales_fold_into_multipliers_and_constants() {
    let input = Shape {
        height: 6,
        width: 6,
        channels: 4,
    };
    let architecture = Builder::new("gains", input)
        .convolution("conv", 12, 3, 1, 1, true)
        .dense("logits", 3, false)
        .build()
        .unwrap();
    let trained = untrained(architecture, &[-1.5, 0.0, 1e-6, 0.7]);
    assert_equal_activations(&trained);
    let channels = export(&trained, None).unwrap().layers[0].channels.clone();
    assert!(channels[0].multiplier < 0, "the sign is in m");
    assert_eq!(channels[1].multiplier, 0, "a dead channel is a constant");
    assert_ne!(channels[1].bias, 0);
}

#[test]
fn residual_blocks_and_pools_keep_their_values() {
    let input = Shape {
        height: 8,
        width: 8,
        channels: 6,
    };
    let architecture = Builder::new("blocks", input)
        .convolution("stem", 8, 3, 1, 1, true)
        .basic_block("a", 8, 1)
        .basic_block("b", 16, 2)
        .max_pool("pool", 2, 2)
        .global_average_pool("mean")
        .dense("logits", 5, false)
        .build()
        .unwrap();
    assert_equal_activations(&untrained(architecture, &[0.8, 1.1, -0.9]));
}

#[test]
fn an_exported_model_is_within_a_point_of_its_float_accuracy() {
    let split = glyph::split(3, 6000, 1000);
    for (bits, code) in [
        (BitWidth::EIGHT, CodeName::Inplace64_57),
        (BitWidth::FOUR, CodeName::Inplace32_26),
    ] {
        let options = TrainingOptions {
            epochs: 4,
            weight_bits: bits,
            code,
            quiet: true,
            ..TrainingOptions::default()
        };
        let start = FloatModel::random(Builtin::Cnn, (DIGIT, 10), InputMap::Halve, 1).unwrap();
        let trained = train(start, &split.train, &options).unwrap();
        let float = trained.accuracy(&split.test);
        let model = export(&trained.network, Some(&options)).unwrap();
        let integer = IntegerNetwork::undisturbed(&model).accuracy(&split.test);
        assert!(float >= 0.97, "{bits}-bit float accuracy is {float}");
        assert!(
            (float - integer).abs() <= 0.01,
            "{bits} bit: {float} and {integer}"
        );
        model.check_code(code).unwrap();
    }
}

#[test]
fn a_scale_that_no_shift_can_express_is_refused_by_layer() {
    let input = Shape {
        height: 4,
        width: 4,
        channels: 1,
    };
    let architecture = Builder::new("steep", input)
        .convolution("conv", 4, 3, 1, 1, true)
        .dense("logits", 2, false)
        .build()
        .unwrap();
    let mut trained = untrained(architecture, &[1.0]);
    trained.quantization.activations[1] = Some(ActivationGrid::hardware(1e-9));
    let message = export(&trained, None).unwrap_err().to_string();
    assert!(message.contains("layer 0 (conv)"), "{message}");
}

#[test]
fn what_hardware_cannot_run_is_refused_with_a_sentence() {
    let build = || {
        let input = Shape {
            height: 4,
            width: 4,
            channels: 1,
        };
        let architecture = Builder::new("small", input)
            .convolution("conv", 4, 3, 1, 1, true)
            .dense("logits", 2, false)
            .build()
            .unwrap();
        untrained(architecture, &[1.0])
    };
    let refuse = |change: &dyn Fn(&mut QuantizedNetwork)| {
        let mut network = build();
        change(&mut network);
        export(&network, None).unwrap_err().to_string()
    };
    let five = refuse(&|n| n.quantization.width = BitWidth::new(5).unwrap());
    assert!(
        five.contains("5 bits") && five.contains("4 and 8"),
        "{five}"
    );
    let spread = refuse(&|n| n.quantization.placement = Placement::Spread);
    assert!(spread.contains("placement channel"), "{spread}");
    let float = refuse(&|n| n.quantization.activations[1] = None);
    assert!(float.contains("tensor 1 is in floating point"), "{float}");
    let rquant = refuse(&|n| {
        let weight = &n.model.parameters.layers[0].as_ref().unwrap().weight;
        let fit = FixedPoint::rquant(BitWidth::EIGHT, 1.0).fit(weight.as_slice().unwrap());
        n.quantization.grids[0] = Some(WeightGrid::tensor(Grid::FixedPoint(fit.unwrap())));
    });
    assert!(
        rquant.contains("layer 0 (conv)") && rquant.contains("wcat"),
        "{rquant}"
    );
}
