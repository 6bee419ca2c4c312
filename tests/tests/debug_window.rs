//! The debug window shows a word at the clock that its register's description names, and the
//! word before it until then.

use brownout_sim::build::BuildOptions;
use brownout_sim::link::{Link, LinkError, ModelLink, Stalls};
use brownout_spec::registers::{self as map, LANES_PER_BEAT, LoadTarget};
use brownout_tests::configurations::benches;
use brownout_tests::session::simulator;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Reads of words that the host wrote before.
const READS: usize = 500;

/// Reads a beat of activation buffer 0 with a strobe that many clocks after the address's.
fn read<L: Link>(link: &mut L, word: usize, group: usize, clocks: u64) -> Result<u32, LinkError> {
    let address = word | group << map::DEBUG_GROUP_LSB;
    link.write_register(map::DEBUG_ADDRESS, address as u32)?;
    // One of these clocks is the address's own.
    link.wait(clocks - 1)?;
    link.read_register(map::DEBUG_DATA)
}

#[test]
fn a_word_is_in_the_debug_window_at_the_stated_clock_and_not_one_clock_earlier() {
    let configuration = &benches()[1].configuration;
    let groups = configuration.activation_lanes() / LANES_PER_BEAT;
    assert!(groups > 1, "the test is about groups, too");
    let mut random = ChaCha8Rng::seed_from_u64(4);
    let beats: Vec<u32> = (0..configuration.depths.activations * groups)
        .map(|_| random.random())
        .collect();
    let mut driver = simulator(configuration, BuildOptions::default())
        .driver(Stalls::default())
        .unwrap_or_else(|error| panic!("{error}"));
    let link: &mut ModelLink = driver.link_mut();
    link.write_register(map::LOAD_TARGET, LoadTarget::Activations as u32)
        .and_then(|()| link.send(&beats))
        .unwrap_or_else(|error| panic!("{error}"));

    let mut right_at = |clocks: u64| {
        let mut last = configuration.depths.activations;
        let mut right = 0;
        for _ in 0..READS {
            // Another word than before: another group of the same one would come earlier.
            let word = random.random_range(0..configuration.depths.activations - 1);
            let word = word + usize::from(word >= last);
            let group = random.random_range(0..groups);
            let found = read(link, word, group, clocks).unwrap_or_else(|error| panic!("{error}"));
            right += usize::from(found == beats[word * groups + group]);
            last = word;
        }
        right
    };
    assert_eq!(right_at(map::DEBUG_LATENCY), READS);
    assert_eq!(right_at(map::DEBUG_LATENCY + 1), READS);
    assert_eq!(right_at(map::DEBUG_LATENCY - 1), 0, "not to be relied on");
}

#[test]
fn the_description_of_the_debug_window_states_the_clocks_that_the_driver_waits() {
    let numbers = ["zero", "one", "two", "three", "four", "five", "six"];
    let clocks = numbers[map::DEBUG_LATENCY as usize];
    let stated = format!("{clocks} clocks after the address was written");
    assert!(map::DEBUG_DATA.doc.contains(&stated), "{stated}");
}
