//! Training: stochastic gradient descent with quantization in the loop.
//!
//! Three phases, by share of the steps. *Float*: nothing is quantized; ranges of
//! activations are observed. *Quantized*: weights and activations are rounded in
//! the forward pass (the gradient passes straight through), weights outside what
//! the code can store are throttled. *Frozen*: running statistics and activation
//! ranges no longer move, so that the network trained at the end is the one
//! exported.
//!
//! `options` says what can be chosen, `methods` and `adversarial` what makes weights robust,
//! `memory` where they are read from meanwhile, `quantizer` what becomes of a layer's weights; `start` is what a run begins with, `run` the loop, `step` what
//! happens in it, `state` how a run survives its process.

mod activations;
mod adversarial;
mod answers;
mod error;
mod gradients;
mod loss;
mod memory;
mod methods;
mod optimizer;
mod options;
mod quantizer;
mod run;
mod start;
mod state;
mod step;

pub use activations::ActivationOptions;
pub use adversarial::{Adversarial, AdversarialMethod};
pub use error::TrainError;
pub use loss::cross_entropy;
pub(crate) use loss::{arg_max, rank};
pub use memory::TrainingMemory;
pub use methods::{Clipping, Combine, Perturbation, Scheme};
pub use options::{Decay, OptionsError, Schedule, TrainingOptions};
pub use quantizer::{FirstRange, LayerQuantizer, QuantizerName, WcatOptions};
pub use run::{Run, Trained, train};
pub use start::Start;
pub use state::STATE_VERSION;
