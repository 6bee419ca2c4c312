//! Networks as files of version 1 have them: chains, whose windows are the same in both directions.

use brownout_spec::arithmetic::{OutputScale, ResidualScale};
use brownout_spec::program::{Layer, Network, Operation, Residual, Shape, Window};
use serde::Deserialize;

/// A network of version 1: each layer reads the output of the one before.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Chain {
    input: Shape,
    layers: Vec<Link>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Link {
    name: String,
    operation: Kind,
    output: OutputScale,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
enum Kind {
    Convolution {
        kernel_height: usize,
        kernel_width: usize,
        stride: usize,
        padding: usize,
        output_channels: usize,
        residual: Option<Operand>,
    },
    MaxPool {
        kernel: usize,
        stride: usize,
        padding: usize,
    },
    GlobalAveragePool,
}

/// An operand names the tensor that it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Operand {
    from: usize,
    stride: usize,
    scale: ResidualScale,
}

impl From<Chain> for Network {
    fn from(chain: Chain) -> Self {
        let layers = chain.layers.into_iter().enumerate();
        Self {
            input: chain.input,
            input_zero: 0,
            layers: layers.map(|(index, link)| link.layer(index)).collect(),
        }
    }
}

impl Link {
    fn layer(self, index: usize) -> Layer {
        let mut reads = vec![index];
        let operation = match self.operation {
            Kind::Convolution {
                kernel_height,
                kernel_width,
                stride,
                padding,
                output_channels,
                residual,
            } => {
                let window = Window {
                    height: kernel_height,
                    width: kernel_width,
                    ..Window::square(1, stride, padding)
                };
                let convolution = Operation::convolution(window, output_channels);
                match residual {
                    None => convolution,
                    Some(Operand {
                        from,
                        stride,
                        scale,
                    }) => {
                        reads.push(from);
                        convolution.with_residual(Residual { stride, scale })
                    }
                }
            }
            Kind::MaxPool {
                kernel,
                stride,
                padding,
            } => Operation::MaxPool {
                window: Window::square(kernel, stride, padding),
            },
            Kind::GlobalAveragePool => Operation::GlobalAveragePool,
        };
        Layer {
            name: self.name,
            reads,
            operation,
            output: self.output,
            zero: 0,
        }
    }
}
