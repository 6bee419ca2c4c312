//! Whole data sets, on all threads.

use super::{IntegerNetwork, Workspace};
use crate::data::Dataset;
use rayon::prelude::*;
use std::sync::{Mutex, PoisonError};

/// Images that one thread classifies before it takes the next: few, so that threads end
/// at nearly the same time.
const BATCH: usize = 16;

impl IntegerNetwork<'_> {
    /// The class of every image, in order: the largest logit's, of equal ones the first.
    ///
    /// # Panics
    /// If the images do not have the model's size.
    pub fn classes(&self, data: &Dataset) -> Vec<u16> {
        let table = self.model.input.table();
        self.classify(data.len(), |image, workspace| {
            table.write(data.image(image), &mut workspace.tensors[0]);
            self.run_from(0, workspace);
        })
    }

    /// Runs `image(i, workspace)` for every image and collects the classes.
    pub(super) fn classify(
        &self,
        images: usize,
        image: impl Fn(usize, &mut Workspace) + Sync,
    ) -> Vec<u16> {
        let mut classes = vec![0; images];
        // Every batch is a task of its own, and there are as many workspaces as threads.
        let spare = Mutex::new(Vec::new());
        let lock = || spare.lock().unwrap_or_else(PoisonError::into_inner);
        let batches = classes.par_chunks_mut(BATCH).enumerate();
        batches.with_max_len(1).for_each(|(batch, classes)| {
            let known = lock().pop();
            let mut workspace = known.unwrap_or_else(|| self.workspace());
            for (i, class) in classes.iter_mut().enumerate() {
                image(batch * BATCH + i, &mut workspace);
                // A layer has at most 16,384 channels.
                *class = workspace.class() as u16;
            }
            lock().push(workspace);
        });
        classes
    }

    /// Number of images that are classified right.
    ///
    /// # Panics
    /// If the images do not have the model's size.
    pub fn count_correct(&self, data: &Dataset) -> usize {
        let classes = self.classes(data);
        let pairs = classes.iter().zip(&data.labels);
        pairs.filter(|(class, label)| class == label).count()
    }

    /// Share of images that are classified right.
    ///
    /// # Panics
    /// If the images do not have the model's size.
    pub fn accuracy(&self, data: &Dataset) -> f64 {
        self.count_correct(data) as f64 / data.len().max(1) as f64
    }
}
