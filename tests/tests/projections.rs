//! ResNet's projection shortcuts (option B) on the hardware: a convolution of what the block
//! reads waits, and is added to what the block computes.

use brownout_golden::network::{Architecture, Depth, Shortcut};
use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use brownout_spec::program::Shape;
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::configuration;
use brownout_tests::graph::{Node, with_nodes};
use brownout_tests::session::{compare_images, simulator};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn resnet_20_with_projections_agrees_in_every_layer_and_copies_nothing() {
    let mut configuration = configuration(16, 16, WeightBits::Eight, CodeName::Inplace64_57);
    configuration.depths.weights = 40_000;
    configuration.depths.parameters = 80;
    configuration.depths.layers = 24;
    let input = Shape {
        height: 8,
        width: 8,
        channels: 3,
    };
    let architecture =
        Architecture::resnet(Depth::Twenty, Shortcut::Projection, input, 10).unwrap();
    let nodes: Vec<Node> = architecture
        .network
        .layers
        .iter()
        .map(|layer| Node {
            operation: layer.operation,
            reads: layer.reads.clone(),
        })
        .collect();
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let graph = with_nodes(&configuration, input, &nodes, &mut random).unwrap();
    assert_eq!(graph.program.steps.len(), nodes.len(), "no copies");
    let projections = graph.program.steps.iter().filter(|step| {
        let window = step.window();
        step.convolution && window.taps() == 1 && window.stride.rows == 2
    });
    assert_eq!(projections.count(), 2);
    let conditions = draw_conditions(&configuration, &graph, &mut random);
    let simulator = simulator(&configuration, BuildOptions::default());
    let mut driver = simulator
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let image = draw_image(input.volume(), &mut random);
    let found = compare_images(&mut driver, &graph, &conditions, &[image], &[0])
        .unwrap_or_else(|error| panic!("{error}"));
    assert!(found.is_none(), "{}", found.unwrap());
}
