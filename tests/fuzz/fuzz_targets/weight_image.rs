//! Weight image files. The mutator gives every file the right checksum, or
//! nothing would ever come past it.
#![no_main]

use brownout_tests::readers::{self, mutate};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(law) = readers::weight_image(bytes) {
        law();
    }
});

fuzz_mutator!(|bytes: &mut [u8], size: usize, most: usize, _seed: u32| {
    let size = fuzzer_mutate(bytes, size, most);
    mutate::seal(&mut bytes[..size]);
    size
});
