//! Who owns a memory, and whether it is ever read and written in one clock.

/// An owner of memories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct User {
    /// Its module without the top's name; empty for the top.
    module: &'static str,
    /// The memory's instance in it, without a number.
    instance: &'static str,
    /// Whether the memory is never read for a word that counts in a clock in which it is written.
    pub one_port: bool,
    /// What it holds.
    pub holds: &'static str,
    /// When it is read and written.
    pub accesses: &'static str,
}

const fn user(
    (module, instance): (&'static str, &'static str),
    one_port: bool,
    holds: &'static str,
    accesses: &'static str,
) -> User {
    User {
        module,
        instance,
        one_port,
        holds,
        accesses,
    }
}

/// All of them.
const USERS: [User; 8] = [
    user(
        ("", "program_memory"),
        true,
        "layer descriptors",
        "written by the host while no pass runs, read by the sequencer during one",
    ),
    user(
        ("weight_path", "memory"),
        true,
        "code words of weights",
        "written by the host while no pass runs, read during one",
    ),
    user(
        ("weight_fifo", "memory"),
        false,
        "decoded words of the next tile",
        "a word is written while an older one is read",
    ),
    user(
        ("activation_buffers", "buffer"),
        true,
        "activations",
        "a step writes into another buffer than those that it reads; the host writes and looks while no pass runs",
    ),
    user(
        ("accumulator", "memory"),
        false,
        "partial sums",
        "a pixel's sum is written back while that of a later pixel is read",
    ),
    user(
        ("column", "parameters"),
        true,
        "multipliers and biases",
        "written by the host while no pass runs, read during one",
    ),
    user(
        ("column", "tables"),
        true,
        "tables of pointwise layers",
        "written by the host while no pass runs, read during one",
    ),
    user(
        ("result_fifo", "memory"),
        false,
        "results",
        "the host takes results while later ones are written",
    ),
];

/// The owner of instance `path` in `module`, which is named without the top's name.
pub fn user_of(module: &str, path: &str) -> Option<&'static User> {
    let name = path.rsplit('.').next().unwrap_or(path);
    let numbered = name.rsplit_once('_');
    let instance = match numbered {
        Some((base, number)) if number.parse::<usize>().is_ok() => base,
        _ => name,
    };
    let is = |user: &&User| user.module == module && user.instance == instance;
    USERS.iter().find(is)
}
