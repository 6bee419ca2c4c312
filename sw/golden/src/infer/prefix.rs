//! What enters a layer, kept for a data set, so that changes behind it cost only what is behind.
//!
//! Two thirds of a ResNet-20's weights lie in its last third of layers: at low rates of bit
//! errors many chips' first wrong weight is there, and the layers before it compute for all of
//! these chips what they compute for the undisturbed network.

use super::IntegerNetwork;
use crate::data::Dataset;
use crate::model::IntegerModel;
use rayon::prelude::*;

/// Images that one thread runs before it takes the next.
const BATCH: usize = 64;

/// The activations that the layers from one on read, for every image of a data set.
///
/// It takes [`Prefix::bytes_per_image`] for each image: 16 KiB in the first stage of a
/// ResNet-20, 8 KiB in the second, 4 KiB in the third, and twice that inside of a block.
#[derive(Clone, Debug)]
pub struct Prefix {
    layer: usize,
    /// The tensors that are kept: 0 is the input, k the output of layer k − 1.
    tensors: Vec<usize>,
    /// `[image]`, then the kept tensors one after the other.
    values: Vec<i8>,
    images: usize,
    /// Weights of the layers before, for which alone this is right.
    weights: Vec<Vec<i8>>,
}

impl Prefix {
    /// Runs the layers before `layer` on all images; with layer 0 only their pixels are mapped.
    ///
    /// # Panics
    /// If the network has no such layer, or the images do not have its size.
    pub fn new(network: &IntegerNetwork<'_>, layer: usize, data: &Dataset) -> Self {
        let tensors = kept(network, layer);
        let bytes = Self::bytes_per_image(network, layer);
        let table = network.model.input.table();
        let mut values = vec![0; bytes * data.len()];
        let images = values.par_chunks_exact_mut(bytes).enumerate();
        images.with_min_len(BATCH).for_each_init(
            || network.workspace(),
            |workspace, (image, mut kept)| {
                table.write(data.image(image), &mut workspace.tensors[0]);
                network.run_before(layer, workspace);
                for &tensor in &tensors {
                    let tensor = &workspace.tensors[tensor];
                    let (target, rest) = kept.split_at_mut(tensor.len());
                    target.copy_from_slice(tensor);
                    kept = rest;
                }
            },
        );
        Self {
            layer,
            tensors,
            values,
            images: data.len(),
            weights: network.weights_before(layer).to_vec(),
        }
    }

    /// Bytes that a prefix up to `layer` keeps of one image.
    ///
    /// # Panics
    /// If the network has no such layer.
    pub fn bytes_per_image(network: &IntegerNetwork<'_>, layer: usize) -> usize {
        let tensors = kept(network, layer).into_iter();
        tensors.map(|t| network.tensor_shape(t).volume()).sum()
    }

    /// The first layer that is left to run.
    pub fn layer(&self) -> usize {
        self.layer
    }
}

impl IntegerNetwork<'_> {
    /// As [`IntegerNetwork::classes`] of the prefix's images, starting at its layer.
    ///
    /// # Panics
    /// If a layer before it has other weights than the network that made the prefix.
    pub fn classes_from(&self, prefix: &Prefix) -> Vec<u16> {
        assert!(
            self.weights_before(prefix.layer) == prefix.weights,
            "the layers before layer {} have other weights than the prefix",
            prefix.layer
        );
        let bytes = Prefix::bytes_per_image(self, prefix.layer);
        self.classify(prefix.images, |image, workspace| {
            let mut kept = &prefix.values[image * bytes..][..bytes];
            for &tensor in &prefix.tensors {
                let tensor = &mut workspace.tensors[tensor];
                let (values, rest) = kept.split_at(tensor.len());
                tensor.copy_from_slice(values);
                kept = rest;
            }
            self.run_from(prefix.layer, workspace);
        })
    }
}

/// The tensors that the layers from `layer` on read and do not write.
fn kept(network: &IntegerNetwork<'_>, layer: usize) -> Vec<usize> {
    let layers = &network.model.network.layers[layer..];
    assert!(!layers.is_empty(), "the network has no layer {layer}");
    let read = layers.iter().flat_map(|l| l.reads.iter().copied());
    let mut tensors: Vec<usize> = read.filter(|&tensor| tensor <= layer).collect();
    tensors.sort_unstable();
    tensors.dedup();
    tensors
}

/// The first layer whose weights differ between two sets of the model's tensors; `None` if
/// all are equal. A prefix up to that layer, or one before it, serves both.
pub fn first_difference<A: AsRef<[i8]>, B: AsRef<[i8]>>(
    model: &IntegerModel,
    a: &[A],
    b: &[B],
) -> Option<usize> {
    let layers = model.network.layers.iter().enumerate();
    let layers = layers.filter(|(_, layer)| layer.operation.has_weights());
    let mut pairs = layers.zip(a.iter().zip(b));
    pairs
        .find(|(_, (a, b))| a.as_ref() != b.as_ref())
        .map(|((index, _), _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::infer::reference::{convolution, mean, random_model, shape, with_residual};
    use ndarray::Array4;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// Two residual blocks, the second with a stride, a pool and a dense layer.
    fn model(seed: u64) -> IntegerModel {
        let operations = [
            convolution(6, 3, 1, 1),
            convolution(6, 3, 1, 1),
            with_residual(convolution(6, 3, 1, 1), 1, 1),
            convolution(9, 3, 2, 1),
            with_residual(convolution(9, 3, 1, 1), 3, 2),
            mean(),
            convolution(10, 1, 1, 0),
        ];
        random_model(shape(9, 9, 3), &operations, seed)
    }

    fn images(count: usize) -> Dataset {
        let mut random = ChaCha8Rng::seed_from_u64(6);
        let images = Array4::<u8>::from_shape_simple_fn((count, 9, 9, 3), || random.random());
        Dataset::new("random", images, vec![0; count], 10)
    }

    fn tensors(model: &IntegerModel) -> Vec<Vec<i8>> {
        let tensors = model.weight_tensors().into_iter();
        tensors.map(<[i8]>::to_vec).collect()
    }

    #[test]
    fn from_every_layer_the_classes_are_those_of_the_whole_network() {
        let data = images(150);
        let mut seen = [false; 7];
        for seed in 0..6 {
            let model = model(seed);
            let clean = IntegerNetwork::undisturbed(&model);
            let own = tensors(&model);
            assert_eq!(first_difference(&model, &own, &own), None);
            for (layer, seen) in seen.iter_mut().enumerate() {
                let prefix = Prefix::new(&clean, layer, &data);
                assert_eq!(clean.classes_from(&prefix), clean.classes(&data));
                // The pool has no weights: what is changed is the first tensor from the layer on.
                let tensor = layer.min(5);
                let mut weights = own.clone();
                weights[tensor].iter_mut().for_each(|w| *w = !*w);
                let first = first_difference(&model, &own, &weights);
                assert_eq!(first, Some([0, 1, 2, 3, 4, 6][tensor]));
                let disturbed = IntegerNetwork::new(&model, &weights).unwrap();
                let classes = disturbed.classes_from(&prefix);
                assert_eq!(classes, disturbed.classes(&data), "layer {layer}");
                *seen |= classes != clean.classes(&data);
            }
        }
        assert_eq!(seen, [true; 7], "changes that some class shows");
    }

    #[test]
    fn a_prefix_keeps_the_input_of_its_layer_and_residual_operands_that_wait() {
        let model = model(4);
        let network = IntegerNetwork::undisturbed(&model);
        let bytes: Vec<usize> = (0..7)
            .map(|l| Prefix::bytes_per_image(&network, l))
            .collect();
        let (pixels, fewer) = (81, 25);
        assert_eq!(
            bytes,
            [
                pixels * 3,
                pixels * 6,
                2 * pixels * 6,
                pixels * 6,
                pixels * 6 + fewer * 9,
                fewer * 9,
                9
            ]
        );
    }

    #[test]
    #[should_panic(expected = "other weights than the prefix")]
    fn a_prefix_of_other_weights_is_refused() {
        let model = model(4);
        let prefix = Prefix::new(&IntegerNetwork::undisturbed(&model), 3, &images(2));
        let mut weights = tensors(&model);
        weights[2][0] ^= 1;
        let disturbed = IntegerNetwork::new(&model, &weights).unwrap();
        disturbed.classes_from(&prefix);
    }

    #[test]
    fn classes_do_not_depend_on_the_number_of_threads() {
        let (model, data) = (model(4), images(500));
        let network = IntegerNetwork::undisturbed(&model);
        let with = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap().install(|| network.classes(&data))
        };
        let mut workspace = network.workspace();
        let one_by_one: Vec<u16> = (0..data.len())
            .map(|i| {
                network.run(&model.quantize(data.image(i)), &mut workspace);
                workspace.class() as u16
            })
            .collect();
        for threads in [1, 2, 5] {
            assert_eq!(with(threads), one_by_one, "{threads} threads");
        }
    }
}
