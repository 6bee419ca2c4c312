//! From margins to probabilities, so that an array has given rates.
//!
//! Reads are noisy: a cell whose margin is m below the level that reading asks for
//! fails with probability 1 / (1 + exp(−m / noise)). Level and noise are chosen so
//! that the array has exactly the rates that were measured.

/// ln 509: a cell fails always, or never, if that is what 1 of 510 reads would not
/// show. The paper's figures have 255 steps.
const CERTAINTY: f64 = 6.232_448;
/// Least and most noise that is tried, in units of the margins.
const NOISE: (f64, f64) = (1e-3, 4.0);
/// Halvings of the range of levels, and of that of noises.
const LEVEL_STEPS: usize = 40;
const NOISE_STEPS: usize = 20;
/// Failing cells that a mean is taken of, about; more are thinned out evenly.
const SAMPLE: f64 = 1024.0;

/// The margins of the cells of one polarity, ascending: the weakest first.
pub struct Margins {
    sorted: Vec<f64>,
}

/// How margins become probabilities.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Margin of a cell that fails at every second read.
    pub level: f64,
    /// What the reads' noise adds or takes.
    pub noise: f64,
}

impl Reading {
    /// Probability that a read of a cell with this margin fails; exactly 0 or 1 where it
    /// cannot be told from that.
    pub fn probability(self, margin: f64) -> f64 {
        let distance = (margin - self.level) / self.noise;
        if distance <= -CERTAINTY {
            1.0
        } else if distance >= CERTAINTY {
            0.0
        } else {
            1.0 / (1.0 + distance.exp())
        }
    }
}

impl Margins {
    pub fn new(mut margins: Vec<f64>) -> Self {
        margins.sort_unstable_by(f64::total_cmp);
        Self { sorted: margins }
    }

    /// The level at which failing reads are this many cells' worth.
    fn level(&self, failures: f64, noise: f64) -> f64 {
        let stride = ((failures / SAMPLE) as usize).max(1);
        let (Some(first), Some(last)) = (self.sorted.first(), self.sorted.last()) else {
            return f64::NEG_INFINITY;
        };
        let (mut low, mut high) = (first - CERTAINTY * noise, last + CERTAINTY * noise);
        for _ in 0..LEVEL_STEPS {
            let level = low.midpoint(high);
            let reading = Reading { level, noise };
            // The middle of each run of `stride` cells stands for all of it.
            let thinned = self.sorted.iter().skip(stride / 2).step_by(stride);
            let sum: f64 = thinned
                .map(|&margin| reading.probability(margin))
                .take_while(|&p| p > 0.0)
                .sum();
            if sum * (stride as f64) < failures {
                low = level;
            } else {
                high = level;
            }
        }
        low.midpoint(high)
    }

    fn always_failing(&self, reading: Reading) -> usize {
        self.sorted
            .partition_point(|&margin| reading.probability(margin) == 1.0)
    }
}

/// Levels of both polarities and their common noise, so that the mean of the
/// probabilities over `cells` cells is each polarity's rate, and the share that always
/// fails is `persistent` or, where no noise gives that, as near as it gets.
pub fn fit(margins: [&Margins; 2], rates: [f64; 2], persistent: f64, cells: usize) -> [Reading; 2] {
    let cells = cells as f64;
    let with = |noise: f64| {
        [0, 1].map(|polarity| Reading {
            level: margins[polarity].level(rates[polarity] * cells, noise),
            noise,
        })
    };
    let (mut low, mut high) = NOISE;
    for _ in 0..NOISE_STEPS {
        // Noise is a scale, so the middle is the geometric one.
        let noise = (low * high).sqrt();
        let readings = with(noise);
        let always: usize = (0..2).map(|p| margins[p].always_failing(readings[p])).sum();
        if always as f64 > persistent * cells {
            low = noise;
        } else {
            high = noise;
        }
    }
    with((low * high).sqrt())
}
