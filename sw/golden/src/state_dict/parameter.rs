//! One parameter of a layer, as it is or as what training has made of it: pruned, or split
//! into direction and length.

use super::names::{StateDict, Stored};
use super::values::{is_shape, looks_like, mask, values};
use crate::float::check_finite;
use brownout_spec::text::printable;

/// What was done to a network's tensors while they were read, for remarks.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// Parameters that were multiplied with their masks.
    pub masked: Vec<String>,
    /// Parameters whose lengths were put back on their directions.
    pub lengthened: Vec<String>,
    /// Layers whose bias in front of a norm was taken off its mean.
    pub folded: Vec<String>,
    /// Layers without the bias that they could have.
    pub unbiased: Vec<String>,
    /// Norms without gain and shift.
    pub plain: Vec<String>,
}

impl StateDict<'_> {
    /// The values of a parameter which has one of these shapes, its form being any; `None` if
    /// there is no tensor of it.
    ///
    /// # Errors
    /// When a part of it is missing, or is not what it must be.
    pub fn parameter(
        &mut self,
        (layer, part): (&str, &str),
        shapes: &[&[usize]],
        done: &mut Done,
    ) -> Result<Option<Vec<f32>>, String> {
        let name = format!("{layer}.{part}");
        if let Some(tensor) = self.remove(&name) {
            self.check_shape(&tensor, shapes)?;
            return values(&tensor).map(Some);
        }
        let new = format!("{layer}.parametrizations.{part}");
        self.refuse_spectral(layer, part)?;
        if let Some(original) = self.remove(&format!("{name}_orig")) {
            let other = format!("{name}_mask");
            let Some(other) = self.remove(&other) else {
                return Err(self.missing(&other, original.view.shape()));
            };
            self.check_shape(&original, shapes)?;
            self.check_shape(&other, &[original.view.shape()])?;
            let (mut original, mask) = (values(&original)?, mask(&other)?);
            original.iter_mut().zip(mask).for_each(|(v, m)| *v *= m);
            done.masked.push(name);
            return Ok(Some(original));
        }
        for (length, direction) in [
            (format!("{name}_g"), format!("{name}_v")),
            (format!("{new}.original0"), format!("{new}.original1")),
        ] {
            match (self.remove(&length), self.remove(&direction)) {
                (None, None) => {}
                (Some(length), Some(direction)) => {
                    self.check_shape(&direction, shapes)?;
                    done.lengthened.push(name);
                    return lengthened(&length, &direction).map(Some);
                }
                (Some(_), None) => return Err(self.missing(&direction, shapes[0])),
                (None, Some(_)) => return Err(self.missing(&length, &[shapes[0][0]])),
            }
        }
        Ok(None)
    }

    /// Refuses a weight whose norm was bounded: what it was divided by depends on iterations.
    fn refuse_spectral(&self, layer: &str, part: &str) -> Result<(), String> {
        let (old, new) = (
            format!("{layer}.{part}_u"),
            format!("{layer}.parametrizations.{part}.original"),
        );
        if !self.has(&old) && !self.has(&new) {
            return Ok(());
        }
        let which =
            match self.has(&old) || self.has(&format!("{layer}.parametrizations.{part}.0._u")) {
                true => "divided by its spectral norm",
                false => "parametrized in a way that no tensor says",
            };
        Err(format!(
            "{:?} is {which}; allowed is the weight that the network computes with: \
             torch.nn.utils.parametrize.remove_parametrizations (or remove_spectral_norm) makes it, \
             before the state dict is written",
            format!("{}{layer}.{part}", printable(&self.prefix)),
        ))
    }

    /// Refuses a tensor of another shape.
    fn check_shape(&self, tensor: &Stored<'_>, shapes: &[&[usize]]) -> Result<(), String> {
        let found = tensor.view.shape();
        if shapes.iter().any(|shape| is_shape(found, shape)) {
            return Ok(());
        }
        let like = looks_like(found, shapes).map_or_else(String::new, |like| format!("; {like}"));
        Err(format!(
            "tensor {:?} has shape {found:?}; {} needs {:?}{like}",
            printable(&tensor.name),
            self.user(),
            shapes[0]
        ))
    }
}

/// w = g·v/‖v‖ (Salimans and Kingma, "Weight normalization", 2016): norms over all dimensions
/// in which the lengths g have one place.
fn lengthened(length: &Stored<'_>, direction: &Stored<'_>) -> Result<Vec<f32>, String> {
    let shape = direction.view.shape();
    let lengths = match length.view.shape() {
        // One length for all, which PyTorch keeps as a scalar.
        [] => vec![1; shape.len()],
        lengths => lengths.to_vec(),
    };
    let fits = |(of, all): (&usize, &usize)| of == all || *of == 1;
    if lengths.len() != shape.len() || !lengths.iter().zip(shape).all(fits) {
        return Err(format!(
            "tensor {:?} has shape {lengths:?}, whose lengths are of no part of {:?} of shape {shape:?}",
            printable(&length.name),
            printable(&direction.name)
        ));
    }
    let (g, v) = (values(length)?, values(direction)?);
    let place = |mut at: usize| {
        let (mut place, mut stride) = (0, 1);
        for (of, all) in lengths.iter().zip(shape).rev() {
            place += at % all % of * stride;
            (at, stride) = (at / all, stride * of);
        }
        place
    };
    let mut squares = vec![0.0; g.len()];
    for (at, &v) in v.iter().enumerate() {
        squares[place(at)] += f64::from(v) * f64::from(v);
    }
    if let Some(at) = squares.iter().position(|&s| s == 0.0) {
        return Err(format!(
            "direction {at} of tensor {:?} has length zero; allowed is one that has a direction",
            printable(&direction.name)
        ));
    }
    let weight = |(at, &v): (usize, &f32)| {
        let place = place(at);
        (f64::from(g[place]) * f64::from(v) / squares[place].sqrt()) as f32
    };
    let weights: Vec<f32> = v.iter().enumerate().map(weight).collect();
    check_finite(&printable(&length.name), &weights)?;
    Ok(weights)
}

impl Done {
    /// What was done, as sentences.
    pub fn sentences(&self) -> Vec<String> {
        let sentences = [
            (&self.masked, "was pruned, and multiplied with its mask"),
            (
                &self.lengthened,
                "was split into direction and length, and put together",
            ),
            (
                &self.folded,
                "has a bias in front of its norm, which was taken off the norm's running mean",
            ),
            (&self.unbiased, "has no bias, and got one of zeros"),
            (
                &self.plain,
                "has neither gain nor shift, and got ones and zeros",
            ),
        ];
        let sentences = sentences.iter().filter(|(names, _)| !names.is_empty());
        sentences
            .map(|(names, what)| match &names[..] {
                [one] => format!("{one} {what}"),
                [one, rest @ ..] => format!("{one} {what} ({} more such)", rest.len()),
                [] => String::new(),
            })
            .collect()
    }
}
