//! Exports the Verilator runtime, in which models loaded at run time find theirs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-arg=-Wl,--export-dynamic");
}
