//! Quantizers of all dialects as one: to which stored integers, and what these stand for.

use super::value::Grid;
use crate::network::QuantizedForm;
use crate::quantization::{IntQuant, Linear, Rounding, Trunc, of_channel};
use crate::tensor::Element;

/// What unsigned integers are less by where they are stored.
pub(super) const RECENTRED: i64 = 128;

/// How the integers of a quantizer come about.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Target {
    /// The quantizer as its node says it.
    pub form: QuantizedForm,
    /// Value of a step; one for all channels or one for each.
    pub steps: Vec<f64>,
    /// Stored integer of the number 0.
    pub zero: i8,
    /// Smallest and largest stored integer.
    pub bounds: (i8, i8),
    /// What is added in front of taking the whole part: a half, or less for other modes.
    pub rounding: f64,
    /// What stored integers stand for behind the node.
    pub meaning: Grid,
    /// What is taken off the file's integers.
    pub recentred: i64,
    /// Whether it keeps a sign alone.
    pub is_sign: bool,
}

/// A stored integer, and what the file's are more by.
fn recentred((low, high): (i64, i64)) -> Result<i64, String> {
    let byte = |offset: i64| {
        let fits = |end: i64| i8::try_from(end - offset).is_ok();
        fits(low) && fits(high)
    };
    match (byte(0), byte(RECENTRED)) {
        (true, _) => Ok(0),
        (_, true) => Ok(RECENTRED),
        _ => Err(format!(
            "it has integers from {low} to {high}; allowed in an integer model are those of 8 bits"
        )),
    }
}

/// The one whole number that all channels have.
fn whole(what: &str, values: impl Iterator<Item = f64>) -> Result<i64, String> {
    let mut found = None;
    for value in values {
        if value.fract() != 0.0 || value.abs() > 1e9 {
            return Err(format!(
                "its {what} is {value}; allowed in an integer model are whole numbers"
            ));
        }
        if found.is_some_and(|other| other != value) {
            return Err(format!(
                "its {what} differs from channel to channel; allowed in an integer model is one for all"
            ));
        }
        found = Some(value);
    }
    Ok(found.unwrap_or(0.0) as i64)
}

fn wide(scales: &[f32]) -> Vec<f64> {
    scales.iter().copied().map(f64::from).collect()
}

impl Target {
    /// That of a quantizer, or why it has no stored integers.
    pub fn new(form: &QuantizedForm) -> Result<Self, String> {
        match form {
            QuantizedForm::Quantize(linear) => Self::linear(form, linear),
            QuantizedForm::IntQuant(quant) if quant.is_bipolar() => {
                let zeros = quant.zero_point.iter().copied().map(f64::from);
                if whole("zero point", zeros)? != 0 {
                    return Err(
                        "it keeps a sign and has a zero point; allowed is a zero point of 0"
                            .to_owned(),
                    );
                }
                Ok(Self::sign(form, &quant.scale))
            }
            QuantizedForm::IntQuant(quant) => Self::int_quant(form, quant),
            QuantizedForm::Bipolar(bipolar) => Ok(Self::sign(form, &bipolar.scale)),
            QuantizedForm::Trunc(trunc) => Self::trunc(form, trunc),
            QuantizedForm::Dequantize(_) => {
                Err("it makes numbers of numbers; allowed are integers in front of it".to_owned())
            }
        }
    }

    fn linear(form: &QuantizedForm, linear: &Linear) -> Result<Self, String> {
        if matches!(linear.element, Element::I32 | Element::U32) {
            return Err(format!(
                "it quantizes activations to {}; allowed in an integer model are those of 8 bits",
                linear.element
            ));
        }
        let (low, high) = linear.element.range();
        let recentred = recentred((low, high))?;
        let zeros = linear.zero_point.iter().map(|&z| z as f64);
        let zero = whole("zero point", zeros)? - recentred;
        // What stands behind it are the integers themselves.
        let meaning = Grid {
            scale: vec![1.0],
            zero: -recentred,
        };
        Self::made(
            form,
            wide(&linear.scale),
            zero,
            (low, high),
            recentred,
            meaning,
        )
    }

    fn int_quant(form: &QuantizedForm, quant: &IntQuant) -> Result<Self, String> {
        let (low, high) = quant.range();
        let ends = (
            quant.rounding.apply(low) as i64,
            quant.rounding.apply(high) as i64,
        );
        let recentred = recentred(ends)?;
        let zeros = quant.zero_point.iter().copied().map(f64::from);
        let zero = whole("zero point", zeros)? - recentred;
        let meaning = Grid {
            scale: wide(&quant.scale),
            zero,
        };
        let mut made = Self::made(form, wide(&quant.scale), zero, ends, recentred, meaning)?;
        made.rounding = rounding(quant.rounding, low >= 0.0, "rounding_mode")?;
        Ok(made)
    }

    fn sign(form: &QuantizedForm, scale: &[f32]) -> Self {
        Self {
            form: form.clone(),
            steps: wide(scale),
            zero: 0,
            bounds: (-1, 1),
            rounding: 0.0,
            meaning: Grid {
                scale: wide(scale),
                zero: 0,
            },
            recentred: 0,
            is_sign: true,
        }
    }

    fn trunc(form: &QuantizedForm, trunc: &Trunc) -> Result<Self, String> {
        let zeros = trunc.zero_point.iter().copied().map(f64::from);
        if whole("zero point", zeros)? != 0 {
            return Err("it drops bits of integers with a zero point; allowed is 0".to_owned());
        }
        let power = |scale: f64, out: f64| (out / scale).log2().round_ties_even().exp2();
        let (steps, scale, (low, high)) = match &trunc.second {
            None => {
                let step = f64::from(trunc.bits_in - trunc.bits_out).exp2();
                let steps = trunc.scale.iter().map(|&s| f64::from(s) * step);
                if trunc.bits_out > 7.0 {
                    return Err(format!(
                        "it is of version 1 and leaves {} bits, and does not say whether they have a sign; allowed are up to 7, or version 2",
                        trunc.bits_out
                    ));
                }
                (steps.collect(), wide(&trunc.scale), (-128.0, 127.0))
            }
            Some(second) => {
                let range = IntQuant {
                    scale: vec![1.0],
                    zero_point: vec![0.0],
                    bits: trunc.bits_out,
                    signed: second.signed,
                    narrow: second.narrow,
                    rounding: trunc.rounding,
                };
                let count = trunc.scale.len().max(second.scale_out.len());
                let steps = (0..count).map(|channel| {
                    let scale = f64::from(of_channel(&trunc.scale, channel));
                    scale * power(scale, f64::from(of_channel(&second.scale_out, channel)))
                });
                (steps.collect(), wide(&second.scale_out), range.range())
            }
        };
        let mode = trunc.rounding;
        let ends = (mode.apply(low) as i64, mode.apply(high) as i64);
        let recentred = recentred(ends)?;
        let meaning = Grid {
            scale,
            zero: -recentred,
        };
        let steps: Vec<f64> = steps;
        let ratio = |channel: usize| {
            steps.get(channel).or(steps.first()).copied().unwrap_or(1.0)
                / f64::from(of_channel(&trunc.scale, channel))
        };
        let channels = steps.len().max(trunc.scale.len());
        if (1..channels).any(|channel| ratio(channel) != ratio(0)) {
            return Err(
                "it drops another number of bits from channel to channel; allowed in an integer model is one for all"
                    .to_owned(),
            );
        }
        // Sums are rounded to whole steps of the finer kind first.
        let finer = f64::from(of_channel(&trunc.scale, 0)) / steps.first().copied().unwrap_or(1.0);
        let mut made = Self::made(form, steps, -recentred, ends, recentred, meaning)?;
        if finer < 1.0 {
            made.rounding = rounding(mode, low >= 0.0, "rounding_mode")? + 0.5 * finer;
        }
        Ok(made)
    }

    fn made(
        form: &QuantizedForm,
        steps: Vec<f64>,
        zero: i64,
        (low, high): (i64, i64),
        recentred: i64,
        meaning: Grid,
    ) -> Result<Self, String> {
        let byte = |value: i64| i8::try_from(value - recentred);
        let (Ok(low), Ok(high)) = (byte(low), byte(high)) else {
            return Err(format!(
                "it has integers from {low} to {high}; allowed are 8 bits"
            ));
        };
        let Ok(zero) = i8::try_from(zero) else {
            let zero = zero + recentred;
            return Err(format!(
                "its zero point is {zero}; allowed in an integer model is one of its integers"
            ));
        };
        Ok(Self {
            form: form.clone(),
            steps,
            zero,
            bounds: (low, high),
            rounding: 0.5,
            meaning,
            recentred,
            is_sign: false,
        })
    }

    /// Value of a step that all channels have.
    pub fn uniform_step(&self) -> Option<f64> {
        let first = *self.steps.first()?;
        self.steps
            .iter()
            .all(|step| *step == first)
            .then_some(first)
    }

    /// Value of a step of a channel.
    pub fn step(&self, channel: usize) -> f64 {
        match self.steps.as_slice() {
            [one] => *one,
            steps => steps.get(channel).copied().unwrap_or(1.0),
        }
    }

    /// With no other integers than those between the ends of a clip of what the node writes; none
    /// if there are no such, or if what it writes are not the integers themselves.
    pub fn narrowed(&self, (low, high): (f32, f32)) -> Option<Self> {
        let recentred = self.recentred as f64;
        let low = (f64::from(low).ceil() - recentred).max(f64::from(self.bounds.0));
        let high = (f64::from(high).floor() - recentred).min(f64::from(self.bounds.1));
        let are_integers = matches!(self.form, QuantizedForm::Quantize(_));
        (are_integers && low <= high).then(|| Self {
            // Between the bounds of bytes, so that both casts are exact.
            bounds: (low as i8, high as i8),
            ..self.clone()
        })
    }

    /// The stored integer of a number, as the file's own arithmetic has it.
    pub fn stored(&self, x: f64, channel: usize) -> i8 {
        let x = x as f32;
        let whole = match &self.form {
            QuantizedForm::Quantize(linear) => linear.quantize(x, channel),
            QuantizedForm::IntQuant(quant) => quant.quantize(x, channel),
            QuantizedForm::Bipolar(_) if x >= 0.0 => 1.0,
            QuantizedForm::Bipolar(_) => -1.0,
            QuantizedForm::Trunc(trunc) => {
                let scale = self
                    .meaning
                    .scale
                    .get(channel)
                    .or(self.meaning.scale.first());
                trunc.apply(x, channel) / scale.copied().unwrap_or(1.0) as f32
            }
            QuantizedForm::Dequantize(_) => 0.0,
        };
        // What is no number becomes the smallest; the casts saturate.
        let whole = f64::from(whole).round() - self.recentred as f64;
        let (low, high) = self.bounds;
        whole.max(f64::from(low)).min(f64::from(high)) as i8
    }

    /// The part that belongs to so many channels from one on.
    pub fn part(&self, from: usize, channels: usize) -> Self {
        let cut = |values: &[f64]| match values {
            [one] => vec![*one],
            all => all.iter().skip(from).take(channels).copied().collect(),
        };
        let single = |values: &[f32]| match values {
            [one] => vec![*one],
            all => all.iter().skip(from).take(channels).copied().collect(),
        };
        let mut form = self.form.clone();
        match &mut form {
            QuantizedForm::Quantize(linear) | QuantizedForm::Dequantize(linear) => {
                linear.scale = single(&linear.scale);
            }
            QuantizedForm::IntQuant(quant) => quant.scale = single(&quant.scale),
            QuantizedForm::Bipolar(bipolar) => bipolar.scale = single(&bipolar.scale),
            QuantizedForm::Trunc(trunc) => trunc.scale = single(&trunc.scale),
        }
        Self {
            form,
            steps: cut(&self.steps),
            meaning: Grid {
                scale: cut(&self.meaning.scale),
                zero: self.meaning.zero,
            },
            ..self.clone()
        }
    }
}

/// What is added in front of taking the whole part.
fn rounding(mode: Rounding, positive: bool, attribute: &str) -> Result<f64, String> {
    match mode {
        Rounding::HalfEven | Rounding::HalfUp | Rounding::HalfDown => Ok(0.5),
        Rounding::Floor => Ok(0.0),
        Rounding::Down if positive => Ok(0.0),
        _ => Err(format!(
            "its {attribute} is {mode}; allowed in an integer model are ROUND, HALF_EVEN, HALF_UP, HALF_DOWN (which differ in ties alone) and FLOOR, and DOWN without a sign"
        )),
    }
}
