//! No host, however careless, brings an accelerator into a state that a reset
//! does not end.

use brownout_tests::readers::mutate::{Format, Mutator};
use brownout_tests::readers::registers::{Effects, Victim};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::thread;

/// Garbage sessions in all.
const SESSIONS: u64 = 10_000;
/// Threads that share them.
const THREADS: u64 = 2;

/// Random bytes, and damage to them.
fn sessions() -> Mutator {
    let mut random = ChaCha8Rng::seed_from_u64(7);
    let seeds = (0..64)
        .map(|_| {
            let mut bytes = vec![0; random.random_range(20..200)];
            random.fill_bytes(&mut bytes);
            bytes
        })
        .collect();
    Mutator::new(Format::Binary { header: 200 }, seeds)
}

#[test]
fn after_any_garbage_and_a_reset_a_good_program_gives_the_right_logits_and_counters() {
    let run = |thread: u64| {
        let (mut victim, sessions) = (Victim::new(), sessions());
        let mut effects = Effects::default();
        for session in (thread..SESSIONS).step_by(THREADS as usize) {
            effects += victim.garbage(&sessions.file(session));
            let result = victim.reset().and_then(|()| victim.run_good());
            result.unwrap_or_else(|problem| panic!("session {session}: {problem}"));
        }
        effects
    };
    let mut effects = Effects::default();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|t| scope.spawn(move || run(t))).collect();
        for thread in threads {
            effects += thread
                .join()
                .unwrap_or_else(|e| std::panic::resume_unwind(e));
        }
    });
    println!("{SESSIONS} sessions: {effects:?}");
    // Garbage that does nothing would be survived by anything.
    assert!(effects.starts >= SESSIONS / 2, "{effects:?}");
    assert!(effects.running >= SESSIONS / 20, "{effects:?}");
    assert!(effects.beats >= 10 * SESSIONS, "{effects:?}");
    assert!(effects.results > 0 && effects.blocked > 0, "{effects:?}");
}

#[test]
fn without_the_reset_garbage_is_found_in_the_results() {
    const SESSIONS: u64 = 300;
    let sessions = sessions();
    let mut victim = Victim::new();
    let mut wrong = 0;
    for session in 0..SESSIONS {
        victim.garbage(&sessions.file(session));
        wrong += u64::from(victim.run_good().is_err());
        victim.reset().unwrap_or_else(|problem| panic!("{problem}"));
    }
    println!("{wrong} of {SESSIONS} sessions leave wrong results behind");
    assert!(wrong >= SESSIONS / 2, "only {wrong} of {SESSIONS}");
}
