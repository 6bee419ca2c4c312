//! Graphs of every operator on two accelerators, against the definition of each operator: what is
//! written, and the results, under random faults of the weight memory.

use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_tests::census::Census;
use brownout_tests::conditions::draw_conditions;
use brownout_tests::configurations::benches;
use brownout_tests::graph::{self, Focus};
use brownout_tests::session::{compare_with_definition, simulator};
use brownout_tests::tensors::draw_image;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::sync::Mutex;
use std::thread;

/// Graphs of each focus.
const GRAPHS: u64 = 30;

/// With fewer rows than columns, and with more.
#[test]
fn every_operator_writes_what_its_definition_says_whatever_the_faults() {
    let benches = benches();
    let census = Mutex::new(Census::default());
    thread::scope(|scope| {
        for number in [1, 2] {
            let bench = &benches[number];
            let census = &census;
            scope.spawn(move || {
                let options = BuildOptions {
                    random_initial: bench.random_initial,
                    trace: false,
                    ..BuildOptions::default()
                };
                let simulator = simulator(&bench.configuration, options);
                let mut driver = simulator
                    .driver(Stalls::default())
                    .unwrap_or_else(|error| panic!("{error}"));
                for (index, focus) in Focus::ALL.into_iter().enumerate() {
                    for graph in 0..GRAPHS {
                        let seed = (number * 100 + index) as u64 * 1000 + graph;
                        let mut random = ChaCha8Rng::seed_from_u64(seed);
                        let graph = graph::draw(&bench.configuration, focus, &mut random);
                        let conditions = draw_conditions(&bench.configuration, &graph, &mut random);
                        census.lock().expect("no thread panicked").add(
                            &bench.configuration,
                            &graph,
                            &conditions,
                            0.0,
                        );
                        let volume = graph.program.input.volume();
                        let image = draw_image(volume, &mut random);
                        let found =
                            compare_with_definition(&mut driver, &graph, &conditions, &image)
                                .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                        assert_eq!(
                            found, None,
                            "configuration {number}, {focus:?}, seed {seed}: {:#?}",
                            graph.model.network
                        );
                    }
                }
            });
        }
    });
    let census = census.into_inner().expect("no thread panicked");
    let rare = census.rare_of_graphs(10);
    assert!(rare.is_empty(), "drawn in fewer than ten graphs: {rare:?}");
    let mixed = census.count("three features of graphs at once");
    assert!(
        mixed >= 30,
        "{mixed} graphs with three features are too few"
    );
}
