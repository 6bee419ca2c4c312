//! Flips mean the same in two's complement and in offset binary.

use crate::{bits, normal_weights};
use brownout_golden::quantize::fixed_point::{Fraction, Sign};
use brownout_golden::quantize::{BitWidth, Exposure, FixedPoint, Lsq, Quantizer, Uniform};

/// Whether every pattern of flips of every code has the same effect on the value as in
/// two's complement, when `write` and `read` are another binary form of the integers.
fn same_effect(
    quantizer: &dyn Quantizer,
    write: impl Fn(i8) -> u8,
    read: impl Fn(u8) -> i8,
) -> bool {
    let width = quantizer.width();
    let masks = 0..=Exposure::LiveBits.mask(width);
    masks.into_iter().all(|flips| {
        width.integers().all(|stored| {
            let other = read((write(stored) ^ flips) & Exposure::LiveBits.mask(width));
            quantizer.decode(other) == quantizer.disturbed(stored, flips, Exposure::LiveBits)
        })
    })
}

fn quantizers(width: BitWidth) -> Vec<Box<dyn Quantizer>> {
    let weights = normal_weights(3, 0.1, 100);
    vec![
        Box::new(FixedPoint::rquant(width, 1.0).fit(&weights).unwrap()),
        Box::new(FixedPoint::normal(width, 1.0).fit(&weights).unwrap()),
        Box::new(Uniform::symmetric(width, &weights).unwrap()),
        Box::new(Lsq::fit(width, &weights).unwrap()),
    ]
}

#[test]
fn any_flips_have_the_same_effect_in_twos_complement_and_offset_binary() {
    for width in BitWidth::ALL {
        for quantizer in quantizers(width) {
            assert!(same_effect(
                quantizer.as_ref(),
                |i| width.to_offset_binary(i),
                |u| width.from_offset_binary(u),
            ));
        }
    }
}

#[test]
fn another_offset_and_sign_and_magnitude_do_not_have_that_property() {
    for width in BitWidth::ALL {
        let half = width.half();
        for quantizer in quantizers(width) {
            // The paper's offset, one less than half the codes.
            let offset_of_paper = same_effect(
                quantizer.as_ref(),
                |i| (i32::from(i) + half - 1) as u8,
                |u| width.sign_extend((i32::from(u) - half + 1) as u8),
            );
            assert!(!offset_of_paper, "{width} bits");
            let sign_and_magnitude = same_effect(
                quantizer.as_ref(),
                |i| i.unsigned_abs() | if i < 0 { half as u8 } else { 0 },
                |u| {
                    let magnitude = (i32::from(u) & (half - 1)) as i8;
                    if i32::from(u) >= half {
                        -magnitude
                    } else {
                        magnitude
                    }
                },
            );
            assert!(!sign_and_magnitude, "{width} bits");
        }
    }
}

#[test]
fn a_signed_and_an_unsigned_scheme_that_round_store_and_lose_the_same() {
    let weights = normal_weights(4, 0.1, 5000);
    for width in BitWidth::ALL {
        let unsigned = FixedPoint::rquant(width, 1.0);
        let signed = FixedPoint {
            sign: Sign::Signed,
            ..unsigned
        };
        let [a, b] = [unsigned, signed].map(|s| s.fit(&weights).unwrap());
        assert_eq!(a.quantize(&weights), b.quantize(&weights), "{width} bits");
        let truncated = |s: FixedPoint| {
            let s = FixedPoint {
                fraction: Fraction::Truncated,
                ..s
            };
            s.fit(&weights).unwrap().quantize(&weights)
        };
        assert_ne!(truncated(unsigned), truncated(signed), "{width} bits");
    }
}

#[test]
fn a_single_flip_moves_an_unclamped_weight_by_its_bits_worth() {
    for width in BitWidth::ALL {
        let grid = Uniform::new(width, 1.0).unwrap();
        for stored in width.integers() {
            for bit in 0..width.bits() {
                let moved = grid.disturbed(stored, 1 << bit, Exposure::LiveBits);
                assert_eq!((moved - f32::from(stored)).abs(), f32::from(1u8 << bit));
            }
        }
    }
    // A copy of the sign is worth more than any live bit.
    let three = Uniform::new(bits(3), 1.0).unwrap();
    assert_eq!(three.disturbed(1, 0b1000, Exposure::WholeLane), -7.0);
    assert_eq!(three.disturbed(1, 0b1000, Exposure::LiveBits), 1.0);
}
