//! How long it takes to write the Verilog of an accelerator, 16 x 16 and 64 x 64.

use super::clock::ProcessorTime;
use super::report::{Aim, BenchError, Figure};
use super::{Options, workload};
use brownout_hdl::generate;
use std::hint::black_box;

/// Seconds that writing the Verilog may take.
const TIME: Aim = Aim::Below(1.0);

/// The whole text, from the configuration on.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let sizes: &[(usize, usize)] = match options.quick {
        true => &[(4, 16)],
        false => &[(16, 16), (64, 64)],
    };
    let mut figures = Vec::new();
    for &(rows, columns) in sizes {
        let mut configuration = workload::accelerator(16, true);
        (configuration.rows, configuration.columns) = (rows, columns);
        let mut times = Vec::new();
        for _ in 0..options.repetitions {
            let start = ProcessorTime::now();
            let emitted = generate(black_box(&configuration))?;
            black_box(emitted.text());
            times.push(start.elapsed().as_secs_f64());
        }
        let conditions = format!("{rows} x {columns}, default code and depths");
        figures.push(Figure::new("emission", &conditions, "s", times).against(TIME));
    }
    Ok(figures)
}
