//! How long it takes to write the Verilog of a 16 x 16 accelerator.

use super::clock::ProcessorTime;
use super::report::{Aim, BenchError, Figure};
use super::{Options, workload};
use brownout_hdl::generate;
use std::hint::black_box;

/// Seconds that writing the Verilog may take.
const TIME: Aim = Aim::Below(1.0);

/// The whole text, from the configuration on.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let side = if options.quick { 4 } else { 16 };
    let mut configuration = workload::accelerator(16, true);
    configuration.rows = side;
    let mut times = Vec::new();
    for _ in 0..options.repetitions {
        let start = ProcessorTime::now();
        let emitted = generate(black_box(&configuration))?;
        black_box(emitted.text());
        times.push(start.elapsed().as_secs_f64());
    }
    let conditions = format!("{side} x 16, default code and depths");
    Ok(vec![
        Figure::new("emission", &conditions, "s", times).against(TIME),
    ])
}
