//! Few short graphs that have every feature of the census at least once.

use crate::census::Census;
use crate::conditions::draw_conditions;
use crate::graph::{self, Focus, Graph};
use crate::session::Conditions;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Graphs drawn for each focus.
const DRAWN: u64 = 300;
/// Clocks that loading and reading back cost about, whatever the graph.
const OVERHEAD: u64 = 150;

/// A graph that was drawn.
struct Case {
    graph: Graph,
    conditions: Conditions,
    /// Clocks of a pass.
    cycles: u64,
    census: Census,
}

/// Graphs that together have every feature of the census but stalls, which are no graph's, and what
/// their passes are disturbed by: few and short ones.
///
/// # Panics
/// Naming the features, if some are in no graph that was drawn.
pub fn covering(configuration: &Configuration, seed: u64) -> Vec<(Graph, Conditions)> {
    let mut left: Vec<Case> = Vec::new();
    for number in 0..DRAWN * Focus::ALL.len() as u64 {
        let mut random = ChaCha8Rng::seed_from_u64(seed << 32 | number);
        let focus = Focus::ALL[number as usize % Focus::ALL.len()];
        let graph = match number % 7 {
            6 => graph::draw_tiles(configuration, &mut random),
            _ => graph::draw(configuration, focus, &mut random),
        };
        let conditions = draw_conditions(configuration, &graph, &mut random);
        let mut census = Census::default();
        census.add(configuration, &graph, &conditions, 0.0);
        left.push(Case {
            cycles: program_cycles(configuration, &graph.program),
            graph,
            conditions,
            census,
        });
    }
    let mut missing = Census::default().rare(1);
    missing.retain(|(feature, _)| !feature.starts_with("stalls"));
    let mut missing: Vec<&str> = missing.into_iter().map(|(feature, _)| feature).collect();
    let mut chosen = Vec::new();
    while !missing.is_empty() {
        let worth = |case: &Case| {
            let has = |feature: &&&str| case.census.count(feature) > 0;
            let gain = missing.iter().filter(has).count() as f64;
            gain / (OVERHEAD + case.cycles) as f64
        };
        let best = (0..left.len()).max_by(|&a, &b| worth(&left[a]).total_cmp(&worth(&left[b])));
        let best = best.expect("some were drawn");
        assert!(worth(&left[best]) > 0.0, "in no graph: {missing:?}");
        let case = left.swap_remove(best);
        missing.retain(|feature| case.census.count(feature) == 0);
        chosen.push((case.graph, case.conditions));
    }
    chosen
}
