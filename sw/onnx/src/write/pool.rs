//! Pools: `MaxPool`, `AveragePool` and `GlobalAveragePool`.

use super::dialect::Dialect;
use super::message::Attribute;
use super::writer::{Means, Writer, window_attributes};
use brownout_spec::program::{Divisors, Operation, Padding, Steps, Window};

impl Writer<'_> {
    /// A pool with its multipliers and constants.
    pub(super) fn pool(&mut self, index: usize) -> String {
        let (operation, shapes) = (self.layer(index).operation, self.shapes[index]);
        let source = self.map(index, 0);
        match operation {
            Operation::GlobalAveragePool => {
                let value = self.operator(index, "GlobalAveragePool", &source, vec![]);
                let means = Means {
                    divisors: &[shapes.input.pixels()],
                    sets: &[],
                    scaled: false,
                };
                self.passed_on(index, value, Some(means))
            }
            Operation::AveragePool { window, counted } => {
                self.means(index, source, (window, counted))
            }
            _ => self.maxima(index, source, shapes.window),
        }
    }

    /// Means over windows.
    fn means(
        &mut self,
        index: usize,
        source: String,
        (window, counted): (Window, Padding),
    ) -> String {
        let shapes = self.shapes[index];
        let divisors = Divisors::new(&window, shapes.input, counted);
        // A model without them is not valid.
        let divisors = divisors.unwrap_or(Divisors::One(window.taps()));
        let windows = (shapes.output.height, shapes.output.width);
        let places = (0..windows.0).flat_map(|row| (0..windows.1).map(move |c| (row, c)));
        let sets: Vec<usize> = places.map(|place| divisors.set(place, windows)).collect();
        let mut counts = divisors.in_order();
        // onnxruntime makes one node of a mean between two quantizers, and that node has no
        // dilations; a factor in between keeps it from that.
        let dilated = window.dilation != Steps::ONE;
        let value = match has_attributes(&window) && !dilated {
            true => self.average(index, source, window, counted),
            false => {
                // The sum over all taps, those of added zeros included, each a share of all.
                counts.fill(window.taps());
                let padded = self.zeros(&self.name(index, "padded"), &source, window.padding);
                let bare = Window {
                    padding: Padding::NONE,
                    ..window
                };
                let attributes = window_attributes(&bare);
                self.operator(index, "AveragePool", &padded, attributes)
            }
        };
        let means = Means {
            divisors: &counts,
            sets: &sets,
            scaled: dilated,
        };
        self.passed_on(index, value, Some(means))
    }

    /// The largest value of each window.
    fn maxima(&mut self, index: usize, mut source: String, mut window: Window) -> String {
        if !has_attributes(&window) {
            source = self.lowest(index, &source, window.padding);
            window.padding = Padding::NONE;
        }
        let value = self.operator(index, "MaxPool", &source, window_attributes(&window));
        if self.is_copy(index) {
            return value;
        }
        let name = self.name(index, "maxima");
        let names = &self.tensors[self.layer(index).source()].names;
        let value = Dialect::moved(&mut self.graph, &name, names, value);
        self.passed_on(index, value, None)
    }

    /// Whether a layer gives its accumulators as they are, so that its quantizer follows at once.
    fn is_copy(&self, index: usize) -> bool {
        let layer = self.layer(index);
        let unit = self.factor(index, layer.source());
        let rounding = self.rounding(index);
        let mut channels = self.model.layers[index].channels.iter();
        let passes = channels.all(|&channel| {
            f64::from(channel.multiplier) * unit == 1.0 && rounding.constant(channel) == 0.0
        });
        let whole = (layer.output.low, layer.output.high) == (i8::MIN, i8::MAX);
        passes && whole && !self.is_last(index)
    }

    /// A mean that divides as the layer does. Where only a part of the padding counts, the rest
    /// being there to round the number of windows up, that part becomes zeros in front.
    fn average(
        &mut self,
        index: usize,
        mut source: String,
        mut window: Window,
        counted: Padding,
    ) -> String {
        let padding = window.padding;
        let all = counted == padding && padding != Padding::NONE;
        if !all && counted != Padding::NONE {
            source = self.zeros(&self.name(index, "padded"), &source, counted);
            window.padding = Padding {
                top: padding.top - counted.top,
                left: padding.left - counted.left,
                bottom: padding.bottom - counted.bottom,
                right: padding.right - counted.right,
            };
        }
        let mut attributes = window_attributes(&window);
        attributes.push(("count_include_pad", Attribute::Int(all.into())));
        self.operator(index, "AveragePool", &source, attributes)
    }

    /// The node that has the layer's own name.
    pub(super) fn operator(
        &mut self,
        index: usize,
        operator: &str,
        source: &str,
        attributes: Vec<(&str, Attribute)>,
    ) -> String {
        let value = self.name(index, "values");
        let value = self.graph.take_name(&value);
        let node = self.output(index).to_owned();
        self.graph
            .node_of("", (operator, &node), &[source], &value, &attributes);
        value
    }

    /// A map with the smallest number of its grid around it, which never is the only maximum.
    fn lowest(&mut self, index: usize, source: &str, padding: Padding) -> String {
        let tensor = self.layer(index).source();
        let zero = f64::from(self.model.network.zero(tensor));
        let lowest = (f64::from(i8::MIN) - zero) * self.steps[tensor];
        self.padded(
            &self.name(index, "padded"),
            source,
            (padding, lowest as f32),
        )
    }
}

/// Whether a pool's padding can be an attribute: runtimes ask for less than the kernel has taps,
/// not pixels, in its direction.
fn has_attributes(window: &Window) -> bool {
    let Padding {
        top,
        left,
        bottom,
        right,
    } = window.padding;
    top.max(bottom) < window.height && left.max(right) < window.width
}
