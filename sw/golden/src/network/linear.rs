//! What makes the values that a layer normalises, scales or adds a bias to: products with its
//! weights, or averages, which have none.
//!
//! Both ways are of a group of images; buffers that only one of the two needs are its own.

use super::Architecture;
use super::bfloat::Precision;
use super::prepared::Packed;
use super::weightless::Weightless;
use super::windows::{self, Backward, Forward, Padded, Scratch};
use brownout_spec::program::LayerShapes;

/// The linear part of a layer.
#[derive(Debug)]
pub(super) enum Linear {
    /// A convolution.
    Products(Box<Products>),
    /// An average pool.
    Average(Box<Average>),
}

/// Buffers of a convolution.
#[derive(Debug)]
pub(super) struct Products {
    forward: Forward,
    backward: Backward,
    /// Inputs of a group.
    padded: Padded,
    /// The output's gradients of a group inside their zero border.
    padded_gradient: Vec<f32>,
    /// Where convolutions work, forward and backward.
    scratch: Scratch,
    packed_gradient: Vec<f32>,
    /// The input's gradient of a group, where it is not the first contribution.
    contribution: Vec<f32>,
}

/// Buffers of an average pool.
#[derive(Debug)]
pub(super) struct Average {
    pool: Weightless,
    /// The gradients of a group's averages.
    gradient: Vec<f32>,
}

/// Where a gradient in front of a layer's normalisation belongs in [`Linear::gradient`].
#[derive(Clone, Copy)]
pub(super) struct Places {
    /// Values from an image to the next.
    pub volume: usize,
    /// Values of a row.
    pub row: usize,
    /// The first row's place, and from a row to the next.
    pub rows: (usize, usize),
}

impl Linear {
    /// That of a layer over groups of so many images.
    pub fn new(architecture: &Architecture, index: usize, group: usize) -> Self {
        let shapes = &architecture.shapes()[index];
        if !architecture.network.layers[index].operation.has_weights() {
            return Self::Average(Box::new(Average {
                pool: Weightless::new(architecture, index),
                gradient: vec![0.0; group * shapes.output.volume()],
            }));
        }
        let (forward, backward) = (Forward::new(shapes, group), Backward::new(shapes, group));
        Self::Products(Box::new(Products {
            padded: Padded::default(),
            padded_gradient: vec![0.0; backward.padded_length(group)],
            scratch: Scratch::default(),
            packed_gradient: vec![0.0; forward.packed_length()],
            contribution: Vec::new(),
            forward,
            backward,
        }))
    }

    /// Computes `z` of so many images.
    pub fn forward(&mut self, (x, images): (&[f32], usize), packed: &Packed, z: &mut [f32]) {
        match self {
            Self::Average(average) => average.pool.average(x, z),
            Self::Products(products) => {
                let (padded, scratch) = (&mut products.padded, &mut products.scratch);
                let weights = &packed.weights().forward;
                (products.forward).convolve((x, images), weights, padded, scratch, z);
            }
        }
    }

    /// Begins the way back.
    pub fn begin_backward(&mut self) {
        if let Self::Products(products) = self {
            products.packed_gradient.fill(0.0);
        }
    }

    /// Where the gradients of a group's `z` are to be put before [`Linear::backward`].
    pub fn gradient(&mut self) -> (&mut [f32], Places) {
        match self {
            Self::Average(average) => {
                let volume = average.pool.output_volume();
                let places = Places {
                    volume,
                    row: volume,
                    rows: (0, volume),
                };
                (&mut average.gradient, places)
            }
            Self::Products(products) => {
                let backward = &products.backward;
                let places = Places {
                    volume: backward.padded_volume(),
                    row: backward.row_length(),
                    rows: backward.rows(),
                };
                (&mut products.padded_gradient, places)
            }
        }
    }

    /// Takes the gradients of a group's `z` back: adds those of the weights, and gives the input's
    /// to `dx`, if there is one, added if its flag says so.
    pub fn backward(
        &mut self,
        (x, images): (&[f32], usize),
        (packed, precision): (&Packed, Precision),
        dx: Option<(&mut [f32], bool)>,
    ) {
        match self {
            Self::Average(average) => {
                let Some((dx, add)) = dx else { return };
                if !add {
                    dx.fill(0.0);
                }
                let dy = &average.gradient[..images * average.pool.output_volume()];
                average.pool.take_back(x, dy, dx);
            }
            Self::Products(products) => products.backward((x, images), (packed, precision), dx),
        }
    }

    /// The weight gradient, when all groups have been through [`Linear::backward`].
    pub fn end_backward(&self, gradient: &mut [f32]) {
        if let Self::Products(products) = self {
            (products.forward).unpack(&products.packed_gradient, gradient);
        }
    }
}

impl Products {
    fn backward(
        &mut self,
        (x, count): (&[f32], usize),
        (packed, precision): (&Packed, Precision),
        dx: Option<(&mut [f32], bool)>,
    ) {
        let g = &self.padded_gradient[..];
        let (padded, scratch) = (&mut self.padded, &mut self.scratch);
        let group = (count, precision);
        let gradient = &mut self.packed_gradient;
        (self.backward).correlate(&self.forward, (x, g), group, padded, scratch, gradient);
        let weights = &packed.weights().backward;
        match dx {
            None => {}
            Some((dx, false)) => {
                self.backward.convolve(g, count, weights, scratch, dx);
            }
            Some((dx, true)) => {
                self.contribution.resize(dx.len(), 0.0);
                let part = &mut self.contribution;
                self.backward.convolve(g, count, weights, scratch, part);
                dx.iter_mut().zip(part).for_each(|(dx, part)| *dx += *part);
            }
        }
    }
}

/// Images that a layer takes together, of at most so many.
pub(super) fn group(shapes: &LayerShapes, has_weights: bool, images: usize) -> usize {
    match has_weights {
        true => windows::group(shapes, images),
        false => 1,
    }
}
