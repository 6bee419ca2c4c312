//! The decoder of every code in Verilator against the specification's.

#[path = "../emitter/tests/bench/mod.rs"]
mod bench;
mod words;

use bench::{Bench, lanes};
use brownout_hdl::weight::Decoder;
use brownout_spec::code::{Code, CodeName, Codeword, Outcome, Policy, Storage};
use brownout_spec::config::WeightBits;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Words with three errors or more, and words of any bits at all.
const HEAVY: usize = 100_000;
/// Clocks from a word to its weights.
const LATENCY: usize = brownout_spec::cycles::DECODER_LATENCY;

/// A word without error, each single and each double error, zeros and ones, then heavier ones.
fn received(code: &Code, heavies: usize, rng: &mut ChaCha8Rng) -> Vec<u128> {
    let n = code.n();
    let mut words = Vec::new();
    let sent = code.complete(rng.random()).0;
    words.push(sent);
    for first in 0..n {
        words.push(sent ^ 1 << first);
        words.extend((0..first).map(|second| sent ^ 1 << first ^ 1 << second));
    }
    assert_eq!(words.len(), 1 + n + n * (n - 1) / 2);
    words.extend([0, u128::MAX >> (128 - n)]);
    for heavy in 0..heavies {
        if heavy % 8 == 0 {
            words.push(words::random(rng, n));
            continue;
        }
        let mut word = code.complete(rng.random()).0;
        let mut errors = 0u128;
        while errors.count_ones() < 3 + heavy as u32 % 6 {
            errors |= 1 << rng.random_range(0..n);
        }
        word ^= errors;
        words.push(word);
    }
    words
}

/// Weights packed as in the word, corrected, detected.
fn expected(code: &Code, word: u128, policy: Policy) -> (u64, u64, u64) {
    let (field, outcome) = code.decode_field(Codeword(word), policy);
    match outcome {
        Outcome::Clean => (field, 0, 0),
        Outcome::Corrected { .. } => (field, 1, 0),
        Outcome::Detected => (field, 0, 1),
    }
}

/// Words as memories of either form hold them, most of them as a coset.
fn compare<const N: usize, const WB: usize>(name: CodeName, bits: WeightBits) {
    let forms = [(Storage::Plain, HEAVY / 10), (Storage::Coset, HEAVY)];
    for (storage, heavy) in forms {
        let code = Code::new(name, bits, storage);
        let Some((corrected, detected)) = compare_form::<N, WB>(&code, heavy) else {
            return;
        };
        let each = heavy as u64 / 10;
        assert!(corrected > each && detected > each, "both were tested");
    }
}

/// Words corrected and detected; `None` without the tools.
fn compare_form<const N: usize, const WB: usize>(code: &Code, heavy: usize) -> Option<(u64, u64)> {
    let (name, bits, storage) = (code.name(), code.weight_bits(), code.storage());
    let weights = code.weights_per_word();
    let mut inputs = vec!["policy".to_string()];
    inputs.extend(words::names("word", N));
    let mut outputs = lanes("weight", weights);
    outputs.extend(["corrected", "detected"].map(String::from));
    let mut decoder = Decoder::<N, WB>::new(code);
    let bench = Bench::build(&mut decoder, "decoder", &inputs, &outputs)?;
    let mut rng = ChaCha8Rng::seed_from_u64(72);
    let (mut corrected, mut detected) = (0, 0);
    for policy in Policy::ALL.into_iter().filter(|p| p.supported_by(name)) {
        let words = received(code, heavy, &mut rng);
        let row = |&word: &u128| {
            let mut row = vec![u64::from(policy.number())];
            row.extend(words::split(word, N));
            row
        };
        let mut rows: Vec<Vec<u64>> = words.iter().map(row).collect();
        rows.extend((0..LATENCY).map(|_| row(&0)));
        let responses = bench.run(&rows);
        for (&word, response) in words.iter().zip(&responses[LATENCY..]) {
            let field = (0..weights).map(|lane| response[lane] << (WB * lane)).sum();
            let found = (field, response[weights], response[weights + 1]);
            assert_eq!(
                found,
                expected(code, word, policy),
                "{name}, {bits} bits, {storage}, {policy}, word {word:#x}"
            );
            corrected += found.1;
            detected += found.2;
        }
    }
    Some((corrected, detected))
}

#[test]
fn the_decoder_of_secded_72_64_equals_the_specification() {
    compare::<72, 8>(CodeName::Secded72_64, WeightBits::Eight);
    compare::<72, 4>(CodeName::Secded72_64, WeightBits::Four);
}

#[test]
fn the_decoder_of_inplace_64_57_with_8_bit_weights_equals_the_specification() {
    compare::<64, 8>(CodeName::Inplace64_57, WeightBits::Eight);
}

#[test]
fn the_decoder_of_inplace_64_57_with_4_bit_weights_equals_the_specification() {
    compare::<64, 4>(CodeName::Inplace64_57, WeightBits::Four);
}

#[test]
fn the_decoder_of_inplace_32_26_equals_the_specification() {
    compare::<32, 4>(CodeName::Inplace32_26, WeightBits::Four);
}
