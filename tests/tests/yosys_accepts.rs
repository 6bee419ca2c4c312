//! Yosys reads whole accelerators as plain Verilog, without a warning, and finds
//! nothing to object to: no missing module or port, no width that does not fit, no
//! driver too many or too few, no loop, no latch.

use brownout_hdl::generate;
use brownout_spec::config::Configuration;
use brownout_tests::configurations::benches;
use brownout_tests::formal::yosys;

/// What Yosys says about a text.
fn complaints(top: &str, verilog: &str) -> Vec<String> {
    let script = format!(
        "read_verilog design.v\nhierarchy -check -top {top}\nproc\ncheck -assert\n\
         select -assert-none t:$dlatch t:$dlatchsr t:$adlatch\nlog ACCEPTED\n"
    );
    let (log, said) = yosys::run(&[("design.v", verilog)], &script);
    let mut complaints: Vec<String> = log
        .lines()
        .chain(said.lines())
        .filter(|line| line.contains("Warning") || line.contains("ERROR"))
        .map(str::to_owned)
        .collect();
    if !log.lines().any(|line| line == "ACCEPTED") {
        complaints.push("Yosys does not come to the end".to_owned());
    }
    complaints
}

fn emitted(configuration: &Configuration) -> (String, String) {
    let emitted = generate(configuration).unwrap_or_else(|error| panic!("{error}"));
    (emitted.top().name.clone(), emitted.text())
}

#[test]
fn yosys_accepts_every_configuration_of_the_tests_without_a_warning() {
    for bench in benches() {
        let (top, text) = emitted(&bench.configuration);
        let found = complaints(&top, &text);
        assert!(
            found.is_empty(),
            "{}\n{found:#?}",
            bench.configuration.to_toml()
        );
    }
}

#[test]
fn yosys_objects_to_a_second_driver_a_missing_port_and_a_latch() {
    let (top, text) = emitted(&benches()[0].configuration);
    let end = text.find("endmodule").expect("the top module ends");
    for defect in [
        "assign output_valid = clock;\n",
        "no_such_module missing (.clock(clock));\n",
        "reg held;\nalways @* if (clock) held = 1'b1;\n",
    ] {
        let mut defective = text.clone();
        defective.insert_str(end, defect);
        let found = complaints(&top, &defective);
        assert!(!found.is_empty(), "no word about {defect}");
    }
}
