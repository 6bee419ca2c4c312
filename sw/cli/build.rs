//! Exports the Verilator runtime, in which models loaded at run time find theirs.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var_os("CARGO_FEATURE_SIMULATE").is_some() {
        println!("cargo::rustc-link-arg-bins=-Wl,--export-dynamic");
    }
}
