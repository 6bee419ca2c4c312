//! Folders of images in the manner of MNIST that a network learns in a few steps.

use super::Sandbox;
use std::fs;

/// What a folder holds.
#[derive(Clone, Copy, Debug)]
pub struct IdxFolder {
    /// Different labels.
    pub classes: usize,
    /// The first one; the others follow.
    pub first: usize,
    /// Rows and columns.
    pub size: (u32, u32),
    /// Training images; the two files of none are left out.
    pub train: usize,
    /// Test images, likewise.
    pub test: usize,
}

impl Default for IdxFolder {
    fn default() -> Self {
        Self {
            classes: 10,
            first: 0,
            size: (8, 8),
            train: 64,
            test: 32,
        }
    }
}

impl IdxFolder {
    /// Writes the files; labels come in turn, and each one lights pixels of its own.
    pub fn write(self, sandbox: &Sandbox, folder: &str) {
        fs::create_dir_all(sandbox.path(folder)).unwrap();
        let (height, width) = self.size;
        let pixels = (height * width) as usize;
        let all = self.first + self.classes;
        for (part, count) in [("train", self.train), ("t10k", self.test)] {
            if count == 0 {
                continue;
            }
            let labels = (0..count).map(|i| (self.first + i % self.classes) as u8);
            let labels: Vec<u8> = labels.collect();
            let image = |&label: &u8| {
                let light = move |pixel| 255 * u8::from(pixel % all == usize::from(label));
                (0..pixels).map(light)
            };
            let images: Vec<u8> = labels.iter().flat_map(image).collect();
            let count = count as u32;
            sandbox.write(
                &format!("{folder}/{part}-images-idx3-ubyte"),
                file(&[2051, count, height, width], &images),
            );
            sandbox.write(
                &format!("{folder}/{part}-labels-idx1-ubyte"),
                file(&[2049, count], &labels),
            );
        }
    }
}

fn file(header: &[u32], body: &[u8]) -> Vec<u8> {
    let header = header.iter().flat_map(|field| field.to_be_bytes());
    header.chain(body.iter().copied()).collect()
}
