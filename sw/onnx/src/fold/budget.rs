//! How much may be computed before there is a network.
//!
//! A few bytes can ask for any number of elements (`Expand`, `ConstantOfShape`), so what
//! folding makes is bounded by what the file holds.

/// Elements that every file may make.
const FREE: usize = 1 << 20;
/// Elements for each that the file holds: transposed, quantized and scaled once more.
const EACH: usize = 4;

/// Most axes of a constant.
const MOST_AXES: usize = 8;

/// Elements that may still be made.
#[derive(Debug)]
pub struct Budget {
    left: usize,
    all: usize,
}

impl Budget {
    /// For a file with so many elements in its constants.
    pub fn new(elements: usize) -> Self {
        let all = elements.saturating_mul(EACH).saturating_add(FREE);
        Self { left: all, all }
    }

    /// Takes what a constant of this shape needs.
    ///
    /// # Errors
    /// Nothing is left for it.
    pub fn take(&mut self, shape: &[usize], whose: &str) -> Result<(), String> {
        if shape.len() > MOST_AXES {
            return Err(format!(
                "{whose} makes a constant of {} axes; allowed are at most {MOST_AXES}",
                shape.len()
            ));
        }
        let wanted = crate::tensor::count(shape);
        match wanted.and_then(|n| self.left.checked_sub(n.max(1))) {
            Some(left) => {
                self.left = left;
                Ok(())
            }
            None => Err(format!(
                "{whose} makes a constant of shape {shape:?}; allowed are {} elements in all \
                 constants that are computed, for the weights that this file has",
                self.all
            )),
        }
    }
}
