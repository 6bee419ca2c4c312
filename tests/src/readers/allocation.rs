//! How much memory a piece of code asks for.
//!
//! A test program makes [`Meter`] its global allocator; then [`measure`] knows
//! what the calling thread held at most, and its largest single request.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, counting what each thread holds.
pub struct Meter;

/// What a piece of code asked for, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Most memory held at once, beyond what was held before. A buffer that
    /// moves while it grows counts twice for that moment.
    pub peak: usize,
    /// Largest single request.
    pub largest: usize,
}

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// Counts a request, before it is granted.
fn take(bytes: usize) {
    // A thread that ends has no counters any more, and nobody asks for them.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes as isize);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
        let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
    });
}

fn give_back(bytes: usize) {
    let _ = HELD.try_with(|held| held.set(held.get() - bytes as isize));
}

// SAFETY: every request goes to the system's allocator as it came; counting
// touches thread-local cells without destructors, which allocate nothing.
unsafe impl GlobalAlloc for Meter {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: the caller's promises are the system's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        take(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        take(size);
        give_back(layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        give_back(layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What `action` asks for on this thread.
pub fn measure<T>(action: impl FnOnce() -> T) -> (T, Demand) {
    let before = HELD.get();
    PEAK.set(before);
    LARGEST.set(0);
    let result = action();
    let demand = Demand {
        peak: (PEAK.get() - before).max(0) as usize,
        largest: LARGEST.get(),
    };
    (result, demand)
}

/// Whether this program's allocator counts.
pub fn is_metered() -> bool {
    const BYTES: usize = 1 << 16;
    let ((), demand) = measure(|| drop(std::hint::black_box(vec![1u8; BYTES])));
    demand.largest >= BYTES
}
