//! PNG and JPEG pictures.
#![no_main]

use brownout_tests::readers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(law) = readers::picture(bytes) {
        law();
    }
});
