//! How much of the array's multipliers a 3 x 3 convolution keeps busy: exact,
//! from the specification's cycle formula, and counted by the simulated hardware.

use super::report::{Aim, BenchError, Figure};
use super::workload::{self, Workload, convolution};
use super::{Options, quick_accelerator};
use crate::session::simulator;
use brownout_sim::build::BuildOptions;
use brownout_sim::link::Stalls;
use brownout_spec::config::Configuration;
use brownout_spec::cycles::program_cycles;
use brownout_spec::program::{Program, Shape};

/// The least utilization, in percent.
const UTILIZATION: Aim = Aim::AtLeast(98.0);

/// A 3 x 3 convolution at stride 1 of a square map, zero-padded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape3x3 {
    /// Side of the map.
    pub side: usize,
    /// Channels read.
    pub inputs: usize,
    /// Channels written.
    pub outputs: usize,
}

impl Shape3x3 {
    /// The first stage of a residual network.
    pub const FIRST_STAGE: Self = Self {
        side: 32,
        inputs: 16,
        outputs: 16,
    };
    /// The third one.
    pub const THIRD_STAGE: Self = Self {
        side: 8,
        inputs: 64,
        outputs: 64,
    };
    /// One that small memories hold.
    pub const SMALL: Self = Self {
        side: 8,
        inputs: 16,
        outputs: 16,
    };

    /// Multiplications, those with padding zeros included: H · W · k² · Cin · Cout.
    pub fn multiplications(self) -> u64 {
        (self.side * self.side * 9 * self.inputs * self.outputs) as u64
    }

    /// The layer, followed by the pool that ends every program with few results.
    fn workload(self, configuration: &Configuration) -> Workload {
        let input = Shape {
            height: self.side,
            width: self.side,
            channels: self.inputs,
        };
        let end = brownout_spec::program::Operation::GlobalAveragePool;
        Workload::new(
            configuration,
            input,
            &[convolution(3, 1, self.outputs), end],
            1,
        )
    }
}

/// Clocks of a pass that stops after this layer, the wait for its first weights
/// included, and the share of them in which every multiplier works.
pub fn utilization(configuration: &Configuration, shape: Shape3x3) -> (u64, f64) {
    let program = shape.workload(configuration).graph().program.clone();
    let cycles = program_cycles(configuration, &first_layer(&program));
    let multipliers = (configuration.rows * configuration.columns) as f64;
    (
        cycles,
        shape.multiplications() as f64 / (cycles as f64 * multipliers),
    )
}

fn first_layer(program: &Program) -> Program {
    let mut first = program.clone();
    first.steps.truncate(1);
    first
}

/// Both stages on 16 x 16, clocks confirmed by a run.
pub fn measure(options: &Options) -> Result<Vec<Figure>, BenchError> {
    let large = workload::accelerator(16, true);
    let mut figures = Vec::new();
    for shape in [Shape3x3::FIRST_STAGE, Shape3x3::THIRD_STAGE] {
        let (cycles, share) = utilization(&large, shape);
        if !options.quick {
            confirm(&large, shape, cycles)?;
        }
        let side = shape.side;
        let conditions = format!(
            "3 x 3, {} to {} channels, {side} x {side}, on 16 x 16",
            shape.inputs, shape.outputs
        );
        let counted = if options.quick {
            "clocks, by formula"
        } else {
            "clocks, by formula and counter"
        };
        figures.push(Figure::new(counted, &conditions, "1", vec![cycles as f64]));
        let share = Figure::new("utilization", &conditions, "%", vec![100.0 * share]);
        figures.push(share.against(UTILIZATION));
    }
    if options.quick {
        let small = quick_accelerator();
        confirm(
            &small,
            Shape3x3::SMALL,
            utilization(&small, Shape3x3::SMALL).0,
        )?;
    }
    Ok(figures)
}

/// Runs the layer on the simulated accelerator and compares the cycle counter.
///
/// # Errors
/// When the counter does not show so many cycles, or nothing can be simulated.
pub fn confirm(
    configuration: &Configuration,
    shape: Shape3x3,
    cycles: u64,
) -> Result<(), BenchError> {
    let workload = shape.workload(configuration);
    let simulator = simulator(configuration, BuildOptions::default());
    let mut driver = simulator.driver(Stalls::default())?;
    workload.prepare(&mut driver)?;
    driver.run_to_layer(&workload.images()[0], 0)?;
    let counted = driver.counters()?.cycles;
    BenchError::unless_equal("clocks of a layer, counted and predicted", counted, cycles)
}
