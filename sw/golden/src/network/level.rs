//! Which instructions the machine has, and how a function is compiled for each of them.
//!
//! All inner loops but the two in bfloat16 are plain Rust over arrays of [`LANES`] values,
//! which LLVM keeps in vector registers. The same source is compiled for three instruction
//! sets, and chosen at run time.

use std::sync::LazyLock;

/// Values that are computed together: one register of AVX-512, two of AVX2.
pub(crate) const LANES: usize = 16;

/// What the machine can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// 32 registers of 16 values, multiplication and addition in one.
    #[cfg(target_arch = "x86_64")]
    Avx512,
    /// 16 registers of 8 values, multiplication and addition in one.
    #[cfg(target_arch = "x86_64")]
    Avx2,
    /// Whatever the target always has.
    Portable,
}

pub(super) static LEVEL: LazyLock<Level> = LazyLock::new(|| {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::is_x86_feature_detected as has;
        if has!("avx2") && has!("fma") {
            let wide = has!("avx512f") && has!("avx512vl") && has!("avx512bw") && has!("avx512dq");
            return if wide { Level::Avx512 } else { Level::Avx2 };
        }
    }
    Level::Portable
});

/// `sum + a·b`; with `FMA` in one rounding, where that is one instruction.
#[inline(always)]
pub(super) fn multiply_add<const FMA: bool>(a: f32, b: f32, sum: f32) -> f32 {
    // Without the instruction `mul_add` would call a library function.
    if FMA { a.mul_add(b, sum) } else { sum + a * b }
}

/// Defines a function that runs one of three bodies, by the machine's level: the first
/// with AVX-512, the second with AVX2, the last anywhere. Bodies are always inlined and
/// take `const FMA: bool` as their only parameter.
macro_rules! dispatched {
    ($(#[$doc:meta])* $name:ident = [$wide:ident, $narrow:ident, $portable:ident],
     ($($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)?) => {
        $(#[$doc])*
        pub(super) fn $name($($argument: $type),*) $(-> $result)? {
            #[cfg(target_arch = "x86_64")]
            {
                use $crate::network::level::{LEVEL, Level};
                #[target_feature(enable = "avx512f,avx512vl,avx512bw,avx512dq,avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    $wide::<true>($($argument),*)
                }
                #[target_feature(enable = "avx2,fma")]
                #[allow(clippy::too_many_arguments)]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    $narrow::<true>($($argument),*)
                }
                match *LEVEL {
                    // SAFETY: the level was chosen by detecting these features.
                    Level::Avx512 => return unsafe { avx512($($argument),*) },
                    // SAFETY: as above.
                    Level::Avx2 => return unsafe { avx2($($argument),*) },
                    Level::Portable => {}
                }
            }
            $portable::<false>($($argument),*)
        }
    };
}
pub(super) use dispatched;
