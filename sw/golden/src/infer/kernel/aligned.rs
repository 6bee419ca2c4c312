//! Buffers of bytes that begin with a cache line: of wide reads and writes, fewer cross two.

use std::ops::{Deref, DerefMut};

/// A cache line of bytes.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line<T>([T; 64]);

/// Bytes, signed or not, aligned to 64.
#[derive(Clone, Debug)]
pub struct Aligned<T> {
    lines: Vec<Line<T>>,
    length: usize,
}

impl<T: Copy> Aligned<T> {
    /// So many values, all the same.
    pub fn new(value: T, length: usize) -> Self {
        const { assert!(size_of::<T>() == 1) };
        Self {
            lines: vec![Line([value; 64]); length.div_ceil(64)],
            length,
        }
    }
}

impl<T> Deref for Aligned<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        // SAFETY: lines follow each other without a gap, 64 values each, and are at least so many.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.length) }
    }
}

impl<T> DerefMut for Aligned<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and borrowed as they are.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.length) }
    }
}
