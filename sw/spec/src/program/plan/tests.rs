use super::*;

fn problem(words: &[usize], tasks: &[(&[usize], Option<usize>)]) -> Problem {
    Problem {
        words: words.to_vec(),
        movable: vec![true; words.len()],
        tasks: tasks
            .iter()
            .map(|(reads, writes)| Task {
                reads: reads.to_vec(),
                writes: *writes,
            })
            .collect(),
    }
}

fn copies(actions: &[Action]) -> usize {
    let is_copy = |action: &&Action| matches!(action, Action::Copy { .. });
    actions.iter().filter(is_copy).count()
}

/// Spots hold what was written there until it is read, buffers are not used twice, and nothing
/// lies beyond the depth.
fn check(problem: &Problem, depth: usize) -> Vec<Action> {
    let actions = problem.solve(depth).unwrap();
    // For each word the map that it belongs to.
    let mut memory = vec![vec![None; depth]; BUFFERS];
    let place = |memory: &mut Vec<Vec<Option<usize>>>, map: usize, spot: Spot| {
        let range = spot.base..spot.base + problem.words[map];
        memory[spot.buffer][range].fill(Some(map));
    };
    let holds = |memory: &[Vec<Option<usize>>], map: usize, spot: Spot| {
        let range = spot.base..spot.base + problem.words[map];
        memory[spot.buffer][range]
            .iter()
            .all(|word| *word == Some(map))
    };
    place(&mut memory, 0, Spot { buffer: 0, base: 0 });
    let mut tasks = problem.tasks.iter();
    for action in &actions {
        match action {
            Action::Copy { map, from, to, .. } => {
                assert_ne!(from.buffer, to.buffer);
                assert!(holds(&memory, *map, *from), "{action:?}");
                place(&mut memory, *map, *to);
            }
            Action::Run { reads, writes } => {
                let task = tasks.next().unwrap();
                let mut buffers: Vec<_> = reads.iter().chain(writes).map(|s| s.buffer).collect();
                for (map, spot) in task.reads.iter().zip(reads) {
                    assert!(holds(&memory, *map, *spot), "{action:?}");
                }
                if let (Some(map), Some(spot)) = (task.writes, writes) {
                    place(&mut memory, map, *spot);
                }
                let count = buffers.len();
                buffers.sort_unstable();
                buffers.dedup();
                assert_eq!(buffers.len(), count, "{action:?}");
            }
        }
    }
    assert_eq!(tasks.next(), None);
    actions
}

#[test]
fn a_chain_never_copies_and_needs_no_more_than_its_largest_map() {
    let chain = problem(
        &[5, 9, 9, 2],
        &[
            (&[0], Some(1)),
            (&[1], Some(2)),
            (&[2], Some(3)),
            (&[3], None),
        ],
    );
    assert_eq!(copies(&check(&chain, 9)), 0);
    assert_eq!(chain.solve(8), Err(0));
    assert_eq!(chain.need(8), Some(9));
}

#[test]
fn the_search_goes_back_where_the_first_place_was_wrong() {
    // Map 1 must lie where map 3 does not, and map 3 is read with map 0.
    let waiting = problem(
        &[3, 4, 4, 4, 4],
        &[
            (&[0], Some(1)),
            (&[1], Some(2)),
            (&[2, 1], Some(3)),
            (&[3, 0], Some(4)),
            (&[4], None),
        ],
    );
    assert_eq!(copies(&check(&waiting, 7)), 0);
}

#[test]
fn a_map_that_is_read_twice_by_one_pass_is_copied_for_it_alone() {
    let twice = problem(&[3, 3], &[(&[0, 0], Some(1)), (&[1], None)]);
    let actions = check(&twice, 3);
    assert_eq!(copies(&actions), 1);
    assert!(matches!(actions[0], Action::Copy { moved: false, .. }));
    let pinned = Problem {
        movable: vec![false, true],
        ..twice
    };
    assert_eq!(pinned.solve(100), Err(0));
    assert_eq!(pinned.need(100), None);
}

#[test]
fn random_programs_are_placed_with_memory_enough_and_with_the_words_that_they_need() {
    let mut state = 1u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) as usize % below
    };
    let mut copied = 0;
    for _ in 0..60 {
        let count = 3 + random(9);
        let words: Vec<_> = (0..count).map(|_| 1 + random(20)).collect();
        let tasks: Vec<Task> = (1..=count)
            .map(|map| Task {
                reads: match random(2) {
                    0 => vec![map - 1],
                    _ => vec![map - 1, random(map)],
                },
                writes: (map < count).then_some(map),
            })
            .collect();
        let problem = Problem {
            movable: vec![true; count],
            words,
            tasks,
        };
        copied += usize::from(copies(&check(&problem, problem.most())) > 0);
        let need = problem.need(0).unwrap();
        check(&problem, need);
    }
    assert!(copied >= 10, "{copied} programs with copies are too few");
}
