use brownout_hdl::{engine, generate::generate_netlist, leaf};
use brownout_spec::config::Configuration;
fn main() {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap();
    let lanes: usize = args.next().unwrap().parse().unwrap();
    let configuration = Configuration::from_toml(&std::fs::read_to_string(path).unwrap()).unwrap();
    let t = std::time::Instant::now();
    let netlist = generate_netlist(&configuration).unwrap();
    eprintln!("netlist {:?}", t.elapsed());
    let s = |x: &[&str]| x.iter().map(|x| x.to_string()).collect::<Vec<_>>();
    let options = engine::Options {
        lanes,
        differing: s(&["input_data"]),
        equal: s(&args.next().map(|_| vec![]).unwrap_or(vec!["program_memory", "weight_path.memory", "columns.column$#.parameters"])),
        excepted: vec![],
    };
    let source = engine::write(&netlist, &leaf, &options).unwrap_or_else(|e| panic!("{e}"));
    eprintln!("written {:?}", t.elapsed());
    print!("{}", source.text);
}
