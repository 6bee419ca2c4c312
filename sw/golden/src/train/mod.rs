//! Training: stochastic gradient descent with quantization in the loop.
//!
//! Three phases, by share of the steps. *Float*: nothing is quantized; ranges of
//! activations are observed. *Quantized*: weights and activations are rounded in
//! the forward pass (the gradient passes straight through), weights outside what
//! the code can store are throttled. *Frozen*: running statistics and activation
//! ranges no longer move, so that the network trained at the end is the one
//! exported.

mod loss;
mod optimizer;
mod options;
mod quantization;
mod run;

pub(crate) use loss::arg_max;
pub use loss::cross_entropy;
pub use options::{Granularity, OptionsError, TrainingOptions};
pub use quantization::{QuantizedWeights, WeightScales, allowed_ranges};
pub(crate) use run::activation_steps;
pub use run::{TrainError, Trained, train, train_from};
