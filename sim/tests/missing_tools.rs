//! What a user without the tools is told. Each test runs itself again in a
//! child process whose environment lacks something.

use std::env;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};

use brownout_sim::toolchain::Toolchain;

/// Set in the child, which only looks for the tools and prints what is missing.
const CHILD: &str = "BROWNOUT_TEST_CHILD";

/// Runs the test `name` of this program in a child with these variables.
fn run_child(name: &str, variables: &[(&str, &str)]) -> String {
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .env_remove("CXX")
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// In the child: prints the message. Returns whether this is the child.
fn is_child() -> bool {
    let child = env::var_os(CHILD).is_some();
    if child {
        match Toolchain::locate() {
            Ok(_) => println!("everything is there"),
            Err(error) => println!("{error}"),
        }
    }
    child
}

/// A folder with the few commands the wrapper and the set-up script need.
fn folder_with(commands: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = env::var_os("PATH").unwrap();
    for command in commands {
        let real = env::split_paths(&path)
            .map(|folder| folder.join(command))
            .find(|file| file.is_file())
            .unwrap_or_else(|| panic!("this test needs `{command}`"));
        symlink(real, folder.path().join(command)).unwrap();
    }
    folder
}

#[test]
fn a_missing_compiler_is_named_with_its_package() {
    if is_child() {
        return;
    }
    let name = "a_missing_compiler_is_named_with_its_package";
    let folder = folder_with(&["sh", "cat", "dirname", "readlink"]);
    let path = folder.path().to_str().unwrap();
    let said = run_child(name, &[("PATH", path)]);
    assert!(
        said.contains("the C++ compiler `g++` does not run: install the package `g++`"),
        "{said}"
    );
    let said = run_child(name, &[("CXX", "/nowhere/c++")]);
    assert!(
        said.contains("the C++ compiler `/nowhere/c++` does not run"),
        "{said}"
    );
    let said = run_child(name, &[]);
    assert!(said.contains("everything is there"), "{said}");
}

#[test]
fn a_tool_folder_without_verilator_is_named() {
    if is_child() {
        return;
    }
    let said = run_child(
        "a_tool_folder_without_verilator_is_named",
        &[("BROWNOUT_TOOLS", "/nowhere")],
    );
    assert!(
        said.contains("BROWNOUT_TOOLS is \"/nowhere\", but there is no bin/verilator_bin in it"),
        "{said}"
    );
}

#[test]
fn another_version_of_verilator_is_refused() {
    if is_child() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let bin = folder.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let wrapper = bin.join("verilator_bin");
    std::fs::write(&wrapper, "#!/bin/sh\necho Verilator 5.006\n").unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&wrapper, executable).unwrap();
    let tools = folder.path().to_str().unwrap();
    let said = run_child(
        "another_version_of_verilator_is_refused",
        &[("BROWNOUT_TOOLS", tools)],
    );
    assert!(
        said.contains("is \"Verilator 5.006\", but this program was linked with"),
        "{said}"
    );
}

#[test]
fn the_set_up_script_names_the_first_missing_package_and_exits_with_2() {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tools/setup.sh");
    let run = |commands: &[&str]| -> Output {
        let folder = folder_with(commands);
        Command::new("/bin/sh")
            .arg(&script)
            .env("PATH", folder.path())
            .env_remove("CXX")
            .output()
            .unwrap()
    };
    for (present, missing) in [
        (
            &["dirname"][..],
            "`g++` is missing; install the package `g++`",
        ),
        (
            &["dirname", "g++"],
            "`make` is missing; install the package `make`",
        ),
        (
            &["dirname", "g++", "make"],
            "`perl` is missing; install the package `perl`",
        ),
        (
            &["dirname", "g++", "make", "perl"],
            "`python3` is missing; install the package `python3`",
        ),
    ] {
        let output = run(present);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(missing), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
