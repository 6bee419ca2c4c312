//! What the passes do with small designs, without a compiler.

use crate::expr::{Op, Statement, Target, Term, Value};
use crate::family::{Families, pattern};
use crate::flat::{Block, Edge, Flat, Net};
use crate::group::nest;
use crate::schedule::{reads_itself, schedule};
use crate::simplify::simplify;
use crate::taint::{Equal, Taint};

/// Registers `stage$0 .. stage$n`, each of which takes the one before; the first takes an input.
fn delay_line(length: usize, ring: bool) -> Flat {
    let mut flat = Flat::default();
    let net = |path: String| Net { path, width: 8 };
    flat.nets.push(net("word".into()));
    flat.inputs.push(0);
    for stage in 0..length {
        flat.nets.push(net(format!("line.stage${stage}$q")));
        flat.registers.insert(1 + stage);
    }
    for stage in 0..length {
        let from = match (stage, ring) {
            (0, true) => length,
            (stage, _) => stage,
        };
        flat.edges.push(Edge {
            register: Some(1 + stage),
            body: vec![Statement::Assign(
                Target::Whole(1 + stage),
                Value::net(from, 8),
            )],
        });
    }
    flat.nets.push(net("out".into()));
    flat.outputs.push(1 + length);
    flat.blocks.push(Block {
        body: vec![Statement::Assign(
            Target::Whole(1 + length),
            Value::net(length, 8),
        )],
        writes: vec![1 + length],
    });
    flat
}

fn none(flat: &Flat) -> Equal {
    Equal {
        nets: vec![false; flat.nets.len()],
        memories: Vec::new(),
    }
}

#[test]
fn numbers_of_a_path_are_places_in_an_array() {
    let (text, numbers) = pattern("array.pe$5.bus$0$q");
    assert_eq!(
        (text.as_str(), &numbers[..]),
        ("array.pe$#.bus$#$q", &[5, 0][..])
    );
    // A name that begins with a digit is none.
    assert_eq!(pattern("input_8").1, Vec::<usize>::new());
}

#[test]
fn a_delay_line_is_one_loop_from_its_end_and_a_ring_waits() {
    for (ring, loops, waiting) in [(false, 1, 0), (true, 1, 1)] {
        let mut flat = delay_line(6, ring);
        let outputs = simplify(&mut flat);
        assert_eq!(outputs, [Value::net(6, 8)], "a copy is what it copies");
        let taint = Taint::of(&flat, &vec![false; flat.nets.len()], &none(&flat));
        let families = Families::of(&flat, &taint);
        let program = schedule(&flat, &outputs, &families).expect("no loops");
        let many = program.edges.iter().filter(|e| e.group.count() > 1);
        let many: Vec<_> = many.collect();
        assert_eq!(many.len(), loops);
        assert_eq!(many[0].backwards, !ring, "read before it is renewed");
        let waits = program.edges.iter().filter(|e| e.waits).count();
        assert_eq!(waits, waiting, "a ring has no end to begin at");
    }
}

#[test]
fn what_differs_spreads_up_to_what_is_equal() {
    let flat = delay_line(6, false);
    let differing: Vec<bool> = (0..flat.nets.len()).map(|net| net == 0).collect();
    let all = Taint::of(&flat, &differing, &none(&flat));
    assert!(all.nets.iter().all(|differs| *differs));
    let mut equal = none(&flat);
    equal.nets[4] = true;
    let some = Taint::of(&flat, &differing, &equal);
    let expected = [true, true, true, true, false, false, false, false];
    assert_eq!(some.nets, expected);
}

#[test]
fn a_condition_that_differs_makes_what_it_decides_differ() {
    let mut flat = delay_line(2, false);
    let bit = Value::net(0, 8).bits(0, 1);
    let body = std::mem::take(&mut flat.edges[1].body);
    flat.edges[0].body = vec![Statement::Assign(Target::Whole(1), Value::constant(3, 8))];
    flat.edges[1].body = vec![Statement::If(bit, body, Vec::new())];
    let differing: Vec<bool> = (0..flat.nets.len()).map(|net| net == 0).collect();
    let taint = Taint::of(&flat, &differing, &none(&flat));
    assert_eq!(taint.nets[..3], [true, false, true]);
}

#[test]
fn rows_and_columns_are_two_loops_and_a_triangle_is_a_table() {
    // Cells (i, 1 .. 3) of a grid of four columns, and what is to their left.
    let cells: Vec<i64> = (0..3)
        .flat_map(|i| (1..4).map(move |j| 4 * i + j))
        .collect();
    let left = cells.iter().map(|n| n - 1).collect();
    let found = nest(&[cells, left], 9);
    assert_eq!(found.turns, [3, 3]);
    assert_eq!(found.steps, [(1, vec![4, 1]), (0, vec![4, 1])]);
    let triangle = vec![0, 1, 3, 6, 10];
    let found = nest(&[triangle.clone(), vec![0, 1, 2, 3, 4]], 5);
    assert_eq!(found.turns, [5]);
    assert_eq!(found.tables.get(&0), Some(&triangle));
    assert_eq!(found.steps[1], (0, vec![1]));
}

#[test]
fn a_register_that_is_read_after_it_was_assigned_is_noticed() {
    let one = || Value::constant(1, 8).boxed();
    let sum = Value::new(8, Term::Binary(Op::Add, Value::net(1, 8).boxed(), one()));
    let counts = [Statement::Assign(Target::Whole(1), sum.clone())];
    assert!(!reads_itself(&counts, 1));
    let twice = [counts[0].clone(), counts[0].clone()];
    assert!(reads_itself(&twice, 1));
    let held = [
        Statement::Assign(Target::Whole(1), Value::constant(0, 8)),
        Statement::If(
            Value::net(0, 1),
            vec![Statement::Assign(Target::Whole(1), sum)],
            Vec::new(),
        ),
    ];
    assert!(reads_itself(&held, 1));
}
