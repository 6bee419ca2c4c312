//! Sessions of a careless host with the simulated hardware.
#![no_main]

use brownout_tests::readers::registers::Victim;
use libfuzzer_sys::fuzz_target;
use std::cell::RefCell;

thread_local! {
    static VICTIM: RefCell<Victim> = RefCell::new(Victim::new());
}

fuzz_target!(
    // Building the hardware may take longer than an input is allowed to.
    init: VICTIM.with(|_| ()),
    |bytes: &[u8]| {
        VICTIM.with_borrow_mut(|victim| {
            victim.garbage(bytes);
            let result = victim.reset().and_then(|()| victim.run_good());
            result.unwrap_or_else(|problem| panic!("{problem}"));
        });
    }
);
