//! Windows with sides of their own, and graphs that are no chains.

use super::Builder;
use brownout_spec::arithmetic::ResidualScale;
use brownout_spec::config::Depths;
use brownout_spec::program::{Operation, Padding, Residual, Shape, Steps, Window};
use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

impl<R: Rng> Builder<'_, R> {
    /// Sides, strides, paddings and dilations all of their own.
    fn window(&mut self, most: usize) -> Window {
        let steps = |random: &mut R, most| Steps {
            rows: random.random_range(1..=most),
            columns: random.random_range(1..=most),
        };
        let taps = steps(self.random, most);
        let mut window = Window {
            height: taps.rows,
            width: taps.columns,
            stride: steps(self.random, 3),
            padding: Padding::NONE,
            dilation: match self.random.random_bool(0.5) {
                true => steps(self.random, 3),
                false => Steps::ONE,
            },
        };
        let (rows, columns) = window.reach();
        let mut side = |reach: usize| self.random.random_range(0..reach.min(3));
        window.padding = Padding {
            top: side(rows),
            left: side(columns),
            bottom: side(rows),
            right: side(columns),
        };
        window
    }

    pub(super) fn rectangle(&mut self) {
        let window = self.window(4);
        let channels = self.channels();
        self.push(Operation::convolution(window, channels));
    }

    pub(super) fn rectangular_pool(&mut self) {
        let window = self.window(3);
        self.push(Operation::MaxPool { window });
    }

    /// Padding that counts, does not count, or counts in part; few windows are dilated.
    pub(super) fn average_pool(&mut self) {
        let mut window = self.window(3);
        if self.random.random_bool(0.8) {
            window.dilation = Steps::ONE;
        }
        let mut counts = |side| match self.random.random() {
            true => side,
            false => 0,
        };
        let Padding {
            top,
            left,
            bottom,
            right,
        } = window.padding;
        let counted = Padding {
            top: counts(top),
            left: counts(left),
            bottom: counts(bottom),
            right: counts(right),
        };
        let operation = Operation::AveragePool { window, counted };
        if operation.parameter_sets(self.shape()).is_some() {
            self.push(operation);
        }
    }

    pub(super) fn resize(&mut self) {
        let mut factor = || self.random.random_range(1..=3);
        let factors = Steps {
            rows: factor(),
            columns: factor(),
        };
        self.push(Operation::Resize { factors });
    }

    pub(super) fn pad(&mut self) {
        let mut side = || self.random.random_range(0..=2);
        let padding = Padding {
            top: side(),
            left: side(),
            bottom: side(),
            right: side(),
        };
        self.push(Operation::Pad { padding });
    }

    /// Two functions of each value, with a sum or a convolution between them.
    pub(super) fn functions(&mut self) {
        self.pointwise();
        match self.random.random() {
            true => self.addition(),
            false => self.convolution(),
        }
        self.pointwise();
    }

    /// A function of each value, where there are tables.
    pub(super) fn pointwise(&mut self) {
        let tables = self.configuration.tables;
        let drawn = self.nodes.iter();
        let drawn = drawn.filter(|node| node.operation == Operation::Pointwise);
        if drawn.count() < tables {
            self.push(Operation::Pointwise);
        }
    }

    /// A convolution of any tensor to so many channels, its map's size kept.
    fn branch(&mut self, from: usize, channels: usize) -> Option<usize> {
        let kernel = *[1, 3].choose(self.random).expect("not empty");
        let convolution = Operation::convolution(Window::square(kernel, 1, kernel / 2), channels);
        let pushed = self.push_reading(&[from], convolution);
        pushed.then(|| self.tensors.len() - 1)
    }

    /// Two tensors of one shape, added: branches, a branch and what it read, or one twice.
    pub(super) fn addition(&mut self) {
        let from = self.tensors.len() - 1;
        let channels = match self.random.random_bool(0.7) {
            true => self.shape().channels,
            false => self.channels(),
        };
        let Some(first) = self.branch(from, channels) else {
            return;
        };
        let second = match self.random.random_range(0..8) {
            0 => Some(first),
            1..=3 if channels == self.tensors[from].channels => Some(from),
            _ => self.branch(from, channels),
        };
        let Some(second) = second else { return };
        let scale = ResidualScale::default();
        let mut reads = [first, second];
        if self.random.random() {
            reads.reverse();
        }
        self.push_reading(&reads, Operation::Add { scale });
    }

    /// Two or three parts side by side, which may be the source itself, or lie in two concats. In
    /// two of three, parts begin anywhere, else at multiples of the columns.
    pub(super) fn concatenation(&mut self) {
        let from = self.tensors.len() - 1;
        let columns = self.configuration.columns;
        let anywhere = self.random.random_bool(0.67);
        let mut parts = Vec::new();
        for _ in 0..self.random.random_range(1..=2) {
            let channels = match anywhere {
                true => self.random.random_range(1..=2 * columns + 1),
                false => columns * self.random.random_range(1..=2),
            };
            let source = self.tensors[from].channels;
            let part = match self.random.random_range(0..6) {
                0 if anywhere || source.is_multiple_of(columns) => Some(from),
                _ => self.branch(from, channels),
            };
            parts.extend(part);
        }
        let last = self.random.random_range(1..=columns + 2);
        parts.extend(self.branch(from, last));
        if parts.len() < 2 || !self.push_reading(&parts, Operation::Concat) {
            return;
        }
        // What is concatenated is read by others as well, or concatenated again.
        let whole = self.tensors.len() - 1;
        let channels = self.shape().channels;
        match self.random.random_range(0..4) {
            0 => {
                let residual = Residual {
                    stride: 1,
                    scale: ResidualScale::default(),
                };
                let window = Window::square(1, 1, 0);
                let operation = Operation::convolution(window, channels).with_residual(residual);
                self.push_reading(&[parts[0], whole], operation);
            }
            1 if anywhere || channels.is_multiple_of(columns) => {
                if let Some(other) = self.branch(whole, columns) {
                    self.push_reading(&[whole, other], Operation::Concat);
                }
            }
            2 => {
                if let Some(other) = self.branch(parts[0], channels) {
                    let scale = ResidualScale::default();
                    self.push_reading(&[other, whole], Operation::Add { scale });
                }
            }
            _ => {}
        }
    }

    /// Two sets of results side by side.
    pub(super) fn concatenated_results(&mut self) {
        let from = self.tensors.len() - 1;
        let map = self.shape();
        let columns = self.configuration.columns;
        let first = match self.random.random() {
            true => columns,
            false => self.random.random_range(1..=2 * columns),
        };
        let outputs = [first, self.random.random_range(1..=columns)];
        if outputs
            .iter()
            .all(|&channels| self.push_reading(&[from], Operation::dense(map, channels)))
        {
            self.push_reading(&[from + 1, from + 2], Operation::Concat);
        }
    }

    /// Results of a whole map: of any operation, many over several tiles of columns, and many more
    /// than are kept where a configuration does not say how many.
    pub(super) fn results_of_a_map(&mut self) {
        let from = self.tensors.len() - 1;
        let columns = self.configuration.columns;
        let most = match self.random.random() {
            true => columns,
            false => 3 * columns,
        };
        let pixels = self.shape().pixels();
        let (least, kept) = (
            Depths::RESULTS / pixels + 1,
            self.configuration.depths.results / pixels,
        );
        let channels = match least <= kept && self.random.random() {
            true => self.random.random_range(least..=kept.min(least + columns)),
            false => self.random.random_range(1..=most),
        };
        match self.random.random_range(0..12) {
            0 => self.max_pool(),
            1 => self.average_pool(),
            2 => self.addition(),
            3 => self.concatenation(),
            4 => self.resize(),
            5 => self.groups(true),
            6 => self.rectangle(),
            _ => {
                self.branch(from, channels);
            }
        }
    }

    /// Tensors that wait for one another, longer than three buffers hold them apart.
    pub(super) fn waiting(&mut self) {
        let Shape { channels, .. } = self.shape();
        let first = self.tensors.len() - 1;
        for _ in 0..3 {
            let from = self.tensors.len() - 1;
            self.branch(from, channels);
        }
        let mut waiting: Vec<usize> = (first..self.tensors.len() - 1).collect();
        while let Some(&tensor) = waiting.choose(self.random) {
            waiting.retain(|&other| other != tensor);
            let last = self.tensors.len() - 1;
            let scale = ResidualScale::default();
            if !self.push_reading(&[last, tensor], Operation::Add { scale }) {
                return;
            }
        }
    }
}
