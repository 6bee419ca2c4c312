//! Processor time of this program, which others on the machine do not use up.

use std::ffi::c_long;
use std::time::Duration;

unsafe extern "C" {
    /// ISO C, of `<time.h>`; POSIX sets its unit to a microsecond and Linux and macOS
    /// have `clock_t` a `long`.
    safe fn clock() -> c_long;
}

/// A moment, as the processor time that this program has used up to it. While
/// something is measured, it has one thread that works.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProcessorTime(c_long);

impl ProcessorTime {
    /// This moment.
    pub fn now() -> Self {
        Self(clock())
    }

    /// What the program has used since, to a microsecond.
    pub fn elapsed(self) -> Duration {
        let passed = clock().wrapping_sub(self.0);
        Duration::from_micros(passed.try_into().unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn work_takes_processor_time() {
        let (start, begin) = (ProcessorTime::now(), Instant::now());
        while start.elapsed() < Duration::from_millis(20) {
            assert!(begin.elapsed() < Duration::from_secs(60), "no time passes");
        }
    }
}
