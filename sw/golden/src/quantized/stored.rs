//! The integers of all weights, in the order of training and in that of the image.

use crate::quantize::WeightGrid;
use ndarray::Array4;

/// The stored integers of every layer with weights, `[output][kernel row][kernel column][input]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredWeights(pub Vec<Option<Array4<i8>>>);

impl StoredWeights {
    /// Flattened tensors in image order, `[output][input][kernel row][kernel column]`:
    /// one for each layer with weights.
    pub fn to_image_order(&self) -> Vec<Vec<i8>> {
        let layers = self.0.iter().flatten();
        layers
            .map(|integers| {
                let view = integers.view().permuted_axes([0, 3, 1, 2]);
                view.iter().copied().collect()
            })
            .collect()
    }

    /// The same layers with the integers of these tensors, which are in image order.
    ///
    /// # Panics
    /// If they are another network's.
    #[must_use]
    pub fn with_image_order<T: AsRef<[i8]>>(&self, tensors: &[T]) -> Self {
        let mut tensors = tensors.iter();
        let layers = self.0.iter().map(|layer| {
            let (o, y, x, i) = layer.as_ref()?.dim();
            let tensor = tensors.next().expect("a tensor for each layer").as_ref();
            let view = ndarray::ArrayView4::from_shape((o, i, y, x), tensor)
                .expect("a tensor has its layer's weights");
            let integers = view.permuted_axes([0, 2, 3, 1]);
            Some(integers.as_standard_layout().into_owned())
        });
        let all = Self(layers.collect());
        assert!(tensors.next().is_none(), "a layer for each tensor");
        all
    }

    /// What the integers stand for on these grids.
    ///
    /// # Panics
    /// If a layer has no grid.
    pub fn values(&self, grids: &[Option<WeightGrid>]) -> Vec<Option<Array4<f32>>> {
        let layers = self.0.iter().zip(grids);
        layers
            .map(|(integers, grid)| {
                let integers = integers.as_ref()?;
                let grid = grid.as_ref().expect("a layer with weights has a grid");
                Some(grid.decode(integers))
            })
            .collect()
    }

    /// Number of weights.
    pub fn len(&self) -> usize {
        self.0.iter().flatten().map(Array4::len).sum()
    }

    /// Whether there are no weights at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of bits that differ from another set of the same network, of those that are
    /// ones in `mask`: [`Exposure::mask`](crate::quantize::Exposure::mask), since an integer
    /// repeats the sign of a narrow weight above it.
    pub fn hamming_distance(&self, other: &Self, mask: u8) -> u64 {
        let layers = self.0.iter().flatten().zip(other.0.iter().flatten());
        layers
            .flat_map(|(a, b)| a.iter().zip(b))
            .map(|(a, b)| u64::from(((a ^ b).cast_unsigned() & mask).count_ones()))
            .sum()
    }
}
