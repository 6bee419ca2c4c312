use super::*;
use crate::quantize::FixedPoint;
use crate::quantize::Placement;
use brownout_spec::code::CodeName;
use brownout_spec::config::WeightBits;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn random_weights(outputs: usize) -> Array4<f32> {
    let mut random = ChaCha8Rng::seed_from_u64(2);
    Array4::from_shape_simple_fn((outputs, 3, 3, 4), || random.random_range(-1.0..1.0))
}

fn ranges(name: CodeName, bits: WeightBits) -> AllowedRanges {
    AllowedRanges::new(name, bits.into(), Placement::Channel)
}

#[test]
fn throttling_leaves_no_constrained_weight_out_of_range() {
    for (name, bits) in [
        (CodeName::Inplace64_57, WeightBits::Eight),
        (CodeName::Inplace64_57, WeightBits::Four),
        (CodeName::Inplace32_26, WeightBits::Four),
    ] {
        let placements = [Placement::Channel, Placement::Spread];
        let granularities = [Granularity::Tensor, Granularity::Channel];
        for (placement, granularity) in placements
            .into_iter()
            .flat_map(|p| granularities.map(|g| (p, g)))
        {
            let ranges = AllowedRanges::new(name, bits.into(), placement);
            let mut weight = random_weights(21);
            let grid = WeightGrid::least_error(&weight, bits.into(), &ranges, granularity);
            // Larger weights than those the step was chosen for.
            weight *= 3.0;
            assert!(grid.throttle(&mut weight, &ranges, Throttle::All) > 0);
            let before = weight.clone();
            assert_eq!(
                grid.throttle(&mut weight, &ranges, Throttle::All),
                0,
                "{name} {bits}"
            );
            assert_eq!(weight, before);
            let quantized = grid.quantize(&weight, &ranges);
            let mut free = 0;
            for (output, weights) in quantized.integers.outer_iter().enumerate() {
                for (index, &q) in weights.iter().enumerate() {
                    let (low, high) = ranges.of(weight.dim(), output, index);
                    assert!((low..=high).contains(&q), "channel {output} stores {q}");
                    free += usize::from((low, high) == (BitWidth::from(bits)).range());
                }
            }
            assert!(free > 0, "{name} {bits} {placement:?}");
        }
    }
}

#[test]
fn rounding_at_eight_bits_errs_by_at_most_half_a_step() {
    let weight = random_weights(8);
    let ranges = ranges(CodeName::None, WeightBits::Eight);
    let width = WeightBits::Eight.into();
    let grid = WeightGrid::least_error(&weight, width, &ranges, Granularity::Tensor);
    let quantized = grid.quantize(&weight, &ranges);
    let largest = weight.iter().fold(0.0f32, |m, w| m.max(w.abs()));
    for (w, v) in weight.iter().zip(&quantized.values) {
        assert!((w - v).abs() <= largest / 127.0, "{w} became {v}");
    }
    assert!(quantized.integers.iter().all(|&q| q > -128), "symmetric");
}

#[test]
fn a_layer_of_zeros_has_a_step() {
    let zeros = Array4::zeros((3, 1, 1, 2));
    let ranges = ranges(CodeName::None, WeightBits::Eight);
    let width = WeightBits::Eight.into();
    let grid = WeightGrid::least_error(&zeros, width, &ranges, Granularity::Channel);
    assert_eq!(grid.steps(3), Some(vec![1.0; 3]));
}

#[test]
fn stored_integers_mean_the_values_that_are_computed_with() {
    let weight = random_weights(6);
    let ranges = ranges(CodeName::None, WeightBits::Four);
    let width = BitWidth::new(4).unwrap();
    let uniform = |_: &[f32]| Uniform::new(width, 0.1).map(Grid::Uniform);
    let rquant = |w: &[f32]| FixedPoint::rquant(width, 1.0).fit(w).map(Grid::FixedPoint);
    for granularity in [Granularity::Tensor, Granularity::Channel] {
        for grid in [
            WeightGrid::fit(&weight, granularity, uniform).unwrap(),
            WeightGrid::fit(&weight, granularity, rquant).unwrap(),
        ] {
            let quantized = grid.quantize(&weight, &ranges);
            assert_eq!(grid.decode(&quantized.integers), quantized.values);
            assert_eq!(grid.validate(6, width), Ok(()));
            let text = serde_json::to_string(&grid).unwrap();
            assert_eq!(serde_json::from_str::<WeightGrid>(&text).unwrap(), grid);
        }
    }
}

#[test]
fn grids_from_outside_are_checked() {
    let width = BitWidth::new(4).unwrap();
    let grid = WeightGrid::tensor(Grid::Uniform(Uniform::new(width, 0.1).unwrap()));
    let text = serde_json::to_string(&grid).unwrap();
    let message = |from: &str, to: &str| {
        let changed = text.replace(from, to);
        assert_ne!(changed, text, "{text} has no {from}");
        let grid: WeightGrid = serde_json::from_str(&changed).unwrap();
        grid.validate(3, width).unwrap_err()
    };
    assert!(message("0.1", "0.0").contains("step is 0"));
    assert!(message("\"low\":-8", "\"low\":-9").contains("-9 to 7"));
    assert!(message("\"width\":4", "\"width\":5").contains("5 bits"));
    let two = WeightGrid::channels(vec![*grid.channel(0); 2]);
    assert!(two.validate(3, width).unwrap_err().contains("1 and 3"));
    assert!(two.validate(2, width).is_ok());
}

#[test]
fn throttling_of_constrained_channels_leaves_the_others_alone() {
    let ranges = ranges(CodeName::Inplace32_26, WeightBits::Four);
    let mut weight = random_weights(16);
    let grid = WeightGrid::least_error(&weight, BitWidth::FOUR, &ranges, Granularity::Tensor);
    weight *= 3.0;
    let before = weight.clone();
    assert!(grid.throttle(&mut weight, &ranges, Throttle::Constrained) > 0);
    for (output, (new, old)) in weight.outer_iter().zip(before.outer_iter()).enumerate() {
        assert_eq!(new == old, output % 8 >= 6, "channel {output}");
    }
    let mut free = before.clone();
    let all = super::AllowedRanges::new(CodeName::None, BitWidth::FOUR, Placement::Channel);
    assert_eq!(grid.throttle(&mut free, &all, Throttle::Constrained), 0);
    assert!(grid.throttle(&mut free, &all, Throttle::All) > 0);
}

#[test]
fn a_channel_of_zeros_takes_the_least_step_of_the_others_and_decides_nothing() {
    let mut weight = random_weights(5);
    weight.index_axis_mut(Axis(0), 1).mapv_inplace(|w| w / 1e3);
    for zeros in [0, 3] {
        // So small that any step stores it as zero, as weight decay leaves it.
        weight.index_axis_mut(Axis(0), zeros).fill(-1e-35);
    }
    let ranges = ranges(CodeName::None, WeightBits::Eight);
    let uniform = |w: &[f32]| Uniform::symmetric(BitWidth::EIGHT, w).map(Grid::Uniform);
    let granularity = Granularity::Channel;
    for grid in [
        WeightGrid::least_error(&weight, BitWidth::EIGHT, &ranges, granularity),
        WeightGrid::fit(&weight, granularity, uniform).unwrap(),
    ] {
        let steps = grid.steps(5).unwrap();
        assert_eq!((steps[0], steps[3]), (steps[1], steps[1]), "{steps:?}");
        assert!(steps[1] < steps[2] && steps[1] < steps[4], "{steps:?}");
    }
    let zeros = WeightGrid::fit(&Array4::zeros((2, 1, 1, 3)), granularity, uniform).unwrap();
    assert_eq!(zeros.steps(2), Some(vec![1.0; 2]));
}
