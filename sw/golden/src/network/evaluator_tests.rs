use super::*;
use crate::data::glyph;
use crate::model::InputMap;
use crate::network::test_graph;
use crate::network::{Builder, Chunk, Epsilon, Prepared, Statistics, Style};
use brownout_spec::program::Shape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every kind of layer of a chain, with random parameters.
fn network() -> (Architecture, Parameters) {
    let input = Shape {
        height: 28,
        width: 28,
        channels: 1,
    };
    let architecture = Builder::new("all", input)
        .convolution("stem", 8, 3, 2, 1, true)
        .basic_block("a", 8, 1)
        .basic_block("b", 20, 2)
        .projection_block("c", 24, 2)
        .biased_convolution("d", 12, 3, Some(4))
        .biased_convolution("e", 12, 1, None)
        .max_pool("pool", 2, 2)
        .global_average_pool("mean")
        .dense("hidden", 9, true)
        .dense("logits", 10, false)
        .build()
        .unwrap();
    randomized(architecture)
}

/// A chain and two graphs.
fn networks() -> [(Architecture, Parameters); 3] {
    let shape = glyph::split(1, 0, 1).test.shape();
    [
        network(),
        randomized(test_graph::graph(shape, 10)),
        randomized(test_graph::normed_anywhere(shape, 10)),
    ]
}

fn randomized(mut architecture: Architecture) -> (Architecture, Parameters) {
    for (index, style) in architecture.styles.iter_mut().enumerate() {
        style.epsilon = Epsilon::new(0.5_f32.powi(index as i32)).unwrap();
    }
    let mut random = ChaCha8Rng::seed_from_u64(6);
    let mut parameters = Parameters::random(&architecture, 6, 0);
    for layer in parameters.layers.iter_mut().flatten() {
        let mut draw = |low: f32, high: f32| random.random_range(low..high);
        layer.bias.mapv_inplace(|_| draw(-0.5, 0.5));
        layer.mean.mapv_inplace(|_| draw(-0.5, 0.5));
        layer.variance.mapv_inplace(|_| draw(0.5, 2.0));
        for optional in [&mut layer.offset, &mut layer.gain].into_iter().flatten() {
            optional.mapv_inplace(|_| draw(-1.0, 1.0));
        }
    }
    (architecture, parameters)
}

#[test]
fn one_image_at_a_time_gives_the_bits_of_a_chunk_with_and_without_rounding() {
    let data = glyph::split(1, 0, 5).test;
    let table = InputMap::Centre.rounded_table();
    for ((architecture, parameters), step) in networks()
        .into_iter()
        .flat_map(|n| [None, Some(0.05)].map(|s| (n.clone(), s)))
    {
        let layers = architecture.network.layers.len();
        // Of concats some parts are on another grid.
        let grid =
            |tensor: usize| step.map(|s| ActivationGrid::hardware(s * (1.0 + (tensor % 3) as f32)));
        let steps: Vec<_> = (0..=layers).map(grid).collect();
        let weights = vec![None; layers];
        let prepared = Prepared::new(
            &architecture,
            &parameters,
            &weights,
            Statistics::Running,
            steps.clone(),
        );
        let mut chunk = Chunk::new(&architecture, &parameters, data.len());
        let pixels = data.images.bytes().unwrap();
        for (x, value) in chunk.input_mut().iter_mut().zip(table.apply(pixels)) {
            *x = value;
        }
        chunk.forward(&prepared);
        let evaluator = Evaluator::new(&architecture, &parameters, &weights, steps);
        let mut values = evaluator.values();
        for image in 0..data.len() {
            evaluator.run(table.apply(data.image(image)), &mut values);
            for layer in 0..layers {
                let whole = chunk.output(layer);
                let part = whole.index_axis(ndarray::Axis(0), image);
                assert!(part.iter().eq(values.tensor(layer + 1)), "layer {layer}");
            }
        }
        assert_eq!(chunk.logits()[4 * 10..], *values.logits());
    }
}

#[test]
fn the_score_counts_right_images_and_its_loss_is_that_of_the_softmax() {
    let (architecture, parameters) = network();
    let mut data = glyph::split(1, 0, 70).test;
    let table = InputMap::Halve.rounded_table();
    let evaluator = Evaluator::exact(&architecture, &parameters);
    let mut values = evaluator.values();
    let mut expected = 0.0;
    for i in 0..data.len() {
        evaluator.run(table.apply(data.image(i)), &mut values);
        let exponentials: Vec<f64> = values
            .logits()
            .iter()
            .map(|&l| f64::from(l).exp())
            .collect();
        // Two of three labels are made right, the others wrong.
        let best = arg_max(values.logits());
        data.labels[i] = (if i % 3 < 2 { best } else { (best + 1) % 10 }) as u16;
        let share = exponentials[usize::from(data.labels[i])] / exponentials.iter().sum::<f64>();
        expected -= share.ln() / data.len() as f64;
    }
    let score = evaluator.score(&table, &data);
    assert_eq!((score.correct, score.images), (47, 70));
    assert!(
        (score.loss - expected).abs() < 1e-6,
        "{} is not {expected}",
        score.loss
    );
}

#[test]
fn a_batch_gives_the_bits_of_its_images_one_by_one() {
    for (architecture, parameters) in networks() {
        let data = glyph::split(1, 0, BATCH - 1).test;
        let table = InputMap::Centre.rounded_table();
        let evaluator = Evaluator::exact(&architecture, &parameters);
        assert!((1..architecture.styles.len()).contains(&evaluator.batched));
        let (mut batch, mut single) = (evaluator.values_of(BATCH), evaluator.values());
        let inputs = (0..data.len()).map(|i| table.apply(data.image(i)));
        evaluator.run_all(inputs, &mut batch);
        let mut largest = vec![f32::MIN; batch.maxima().len()];
        for image in 0..data.len() {
            evaluator.run(table.apply(data.image(image)), &mut single);
            assert_eq!(batch.logits_of(image), single.logits(), "image {image}");
            for (l, &m) in largest.iter_mut().zip(single.maxima()) {
                *l = l.max(m);
            }
        }
        assert_eq!(batch.maxima(), largest);
    }
}

#[test]
fn a_network_that_ends_in_a_mean_over_a_large_map_gives_each_image_its_own_results() {
    let data = glyph::split(1, 0, 40).test;
    let architecture = Builder::new("mean", data.shape())
        .convolution("maps", 10, 3, 1, 1, false)
        .global_average_pool("mean")
        .build()
        .unwrap();
    // Without a clip, and with results that are 0 on average, so that images differ in their class.
    let mut network = architecture.network;
    network.layers[0].output.low = i8::MIN;
    let architecture = Architecture::new("mean", network, vec![Style::default(); 2]).unwrap();
    let mut parameters = Parameters::random(&architecture, 3, 0);
    let table = InputMap::Centre.real_table();
    let evaluator = Evaluator::exact(&architecture, &parameters);
    let mut values = evaluator.values();
    let mut means = [0.0; 10];
    for image in 0..data.len() {
        evaluator.run(table.apply(data.image(image)), &mut values);
        for (mean, logit) in means.iter_mut().zip(values.logits()) {
            *mean += logit / data.len() as f32;
        }
    }
    for (bias, mean) in parameters.layers[0]
        .as_mut()
        .unwrap()
        .bias
        .iter_mut()
        .zip(means)
    {
        *bias -= mean;
    }
    let evaluator = Evaluator::exact(&architecture, &parameters);
    let mut values = evaluator.values();
    let alone: Vec<u16> = (0..data.len())
        .map(|image| {
            evaluator.run(table.apply(data.image(image)), &mut values);
            arg_max(values.logits()) as u16
        })
        .collect();
    assert!(alone.iter().any(|class| *class != alone[0]), "{alone:?}");
    assert_eq!(evaluator.classes(&table, &data), alone);
}
