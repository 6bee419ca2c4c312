//! Which axis of an array of images is which.
//!
//! | axes | what they are |
//! | --- | --- |
//! | 2 | images and values; of a network's size where it has as many values and one channel, and otherwise one row and one column of so many channels |
//! | 3 | images, rows and columns of one channel |
//! | 4 | as an option says; else as a network's input does, where one order alone fits it; else the channels are the second or the last axis, where just one of both has a length of 1 to 4 |

use super::header::shown;
use super::values::Array;
use brownout_golden::data::Images;
use brownout_spec::program::Shape;
use ndarray::{Array4, ArrayD, Ix4, IxDyn};
use std::fmt;

/// Most channels that are told from rows and columns by their number.
const MOST_CHANNELS: usize = 4;

/// The order of the axes of an array with four.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Images, rows, columns, channels: as TensorFlow and pictures have them.
    ChannelsLast,
    /// Images, channels, rows, columns: as PyTorch and ONNX have them.
    ChannelsFirst,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ChannelsLast => "nhwc",
            Self::ChannelsFirst => "nchw",
        })
    }
}

/// The images that an array is, for a network's input where that is known.
///
/// # Errors
/// What was found and what is allowed.
pub fn images(array: Array, order: Option<Order>, input: Option<Shape>) -> Result<Images, String> {
    match array {
        Array::U8(values) => arranged(values, order, input).map(Images::Bytes),
        Array::I8(values) => arranged(values, order, input).map(Images::Activations),
        Array::F32(values) => arranged(values, order, input).map(Images::Reals),
        Array::Integers(_, name) => Err(format!(
            "its images are {name}; allowed are uint8 (pixels, which the map turns into activations), int8 (activations themselves) and floats (what the network reads)"
        )),
    }
}

fn arranged<T: Clone>(
    values: ArrayD<T>,
    order: Option<Order>,
    input: Option<Shape>,
) -> Result<Array4<T>, String> {
    let axes = values.shape().to_owned();
    let (shape, order) = match axes[..] {
        [count, volume] => {
            let flat = [count, 1, 1, volume];
            let fits = |input: &Shape| input.volume() == volume && input.pixels() > 1;
            let last = |s: Shape| ([count, s.height, s.width, s.channels], Order::ChannelsLast);
            match (input.filter(fits), order) {
                (None, _) => (flat, Order::ChannelsLast),
                (Some(s), Some(Order::ChannelsFirst)) => {
                    ([count, s.channels, s.height, s.width], Order::ChannelsFirst)
                }
                (Some(s), Some(Order::ChannelsLast)) => last(s),
                (Some(s), None) if s.channels == 1 => last(s),
                (Some(s), None) => {
                    return Err(format!(
                        "its images of {volume} values could be {s} with the channels first or last; {SAY}"
                    ));
                }
            }
        }
        [count, rows, columns] => ([count, rows, columns, 1], Order::ChannelsLast),
        [count, a, b, c] => {
            let order = order.or_else(|| guided([a, b, c], input));
            let order = order.ok_or_else(|| {
                format!(
                    "its images are {}, where the second or the last axis may be the channels; {SAY}",
                    shown(&axes)
                )
            })?;
            ([count, a, b, c], order)
        }
        _ => {
            return Err(format!(
                "its images are {}; allowed are 2 axes (images, values), 3 (images, rows, columns) and 4 (with channels)",
                shown(&axes)
            ));
        }
    };
    let values = values
        .into_shape_with_order(IxDyn(&shape))
        .and_then(|values| values.into_dimensionality::<Ix4>());
    let values = values.map_err(|e| e.to_string())?;
    Ok(match order {
        Order::ChannelsLast => values,
        Order::ChannelsFirst => {
            let exchanged = values.permuted_axes([0, 2, 3, 1]);
            exchanged.as_standard_layout().into_owned()
        }
    })
}

const SAY: &str =
    "allowed is to say it: nhwc (channels last) or nchw (channels first) before the file";

/// The order that a network's input, or else the number of channels, leaves no doubt of.
fn guided([a, b, c]: [usize; 3], input: Option<Shape>) -> Option<Order> {
    let fits = |height, width, channels| {
        input.is_some_and(|s| (s.height, s.width, s.channels) == (height, width, channels))
    };
    let few = |axis| axis <= MOST_CHANNELS;
    match (fits(a, b, c), fits(b, c, a)) {
        (true, false) => return Some(Order::ChannelsLast),
        (false, true) => return Some(Order::ChannelsFirst),
        // All three are equal, so either order fits, and only for one value it is the same.
        (true, true) => return (a == 1).then_some(Order::ChannelsLast),
        (false, false) => {}
    }
    match (few(a), few(c)) {
        (false, true) => Some(Order::ChannelsLast),
        (true, false) => Some(Order::ChannelsFirst),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shape(height: usize, width: usize, channels: usize) -> Shape {
        Shape {
            height,
            width,
            channels,
        }
    }

    fn numbered(axes: &[usize]) -> Array {
        let count: usize = axes.iter().product();
        let values = (0..count).map(|i| i as f32).collect();
        Array::F32(ArrayD::from_shape_vec(IxDyn(axes), values).unwrap())
    }

    fn of(axes: &[usize], order: Option<Order>, input: Option<Shape>) -> Result<Images, String> {
        images(numbered(axes), order, input)
    }

    #[test]
    fn four_axes_are_ordered_by_an_option_the_network_or_the_number_of_channels() {
        use Order::{ChannelsFirst as First, ChannelsLast as Last};
        for (axes, order, input, expected) in [
            ([2, 32, 32, 3], None, None, (2, 32, 32, 3)),
            ([2, 3, 32, 32], None, None, (2, 32, 32, 3)),
            ([2, 1, 32, 32], None, None, (2, 32, 32, 1)),
            ([2, 49, 10, 1], None, None, (2, 49, 10, 1)),
            ([2, 8, 5, 8], Some(First), None, (2, 5, 8, 8)),
            ([2, 3, 32, 32], Some(Last), None, (2, 3, 32, 32)),
            // An option is stronger than a network, whose user is told of the difference.
            ([2, 8, 5, 9], Some(Last), Some(shape(5, 9, 8)), (2, 8, 5, 9)),
            ([2, 8, 5, 9], None, Some(shape(5, 9, 8)), (2, 5, 9, 8)),
            ([2, 8, 5, 9], None, Some(shape(8, 5, 9)), (2, 8, 5, 9)),
            ([2, 3, 9, 3], None, Some(shape(9, 3, 3)), (2, 9, 3, 3)),
            ([2, 1, 1, 1], None, Some(shape(1, 1, 1)), (2, 1, 1, 1)),
        ] {
            let found = of(&axes, order, input).unwrap();
            assert_eq!(found.dim(), expected, "{axes:?} {order:?} {input:?}");
        }
        for (axes, input) in [
            ([2, 8, 5, 9], None),
            ([2, 3, 32, 3], None),
            ([2, 8, 5, 9], Some(shape(1, 2, 3))),
            ([2, 4, 4, 4], Some(shape(4, 4, 4))),
        ] {
            let message = of(&axes, None, input).unwrap_err();
            assert!(
                message.contains("nhwc (channels last) or nchw"),
                "{message}"
            );
        }
    }

    #[test]
    fn channels_first_become_channels_last_value_by_value() {
        let Images::Reals(found) = of(&[2, 2, 3, 4], Some(Order::ChannelsFirst), None).unwrap()
        else {
            panic!("reals")
        };
        for ((n, y, x, c), &value) in found.indexed_iter() {
            assert_eq!(value, (((n * 2 + c) * 3 + y) * 4 + x) as f32);
        }
        assert!(found.is_standard_layout());
    }

    #[test]
    fn flat_images_take_the_form_of_a_network_where_it_has_one_channel() {
        for (axes, order, input, expected) in [
            (&[2, 12][..], None, None, (2, 1, 1, 12)),
            (&[2, 12], None, Some(shape(3, 4, 1)), (2, 3, 4, 1)),
            (&[2, 12], None, Some(shape(1, 1, 12)), (2, 1, 1, 12)),
            (&[2, 12], None, Some(shape(3, 5, 1)), (2, 1, 1, 12)),
            (&[2, 12], Some(Order::ChannelsFirst), None, (2, 1, 1, 12)),
            (
                &[2, 12],
                Some(Order::ChannelsFirst),
                Some(shape(3, 2, 2)),
                (2, 3, 2, 2),
            ),
            (&[2, 3, 4], None, None, (2, 3, 4, 1)),
            (&[2, 3, 4], Some(Order::ChannelsFirst), None, (2, 3, 4, 1)),
        ] {
            assert_eq!(of(axes, order, input).unwrap().dim(), expected);
        }
        let message = of(&[2, 12], None, Some(shape(3, 2, 2))).unwrap_err();
        assert!(message.contains("could be 3"), "{message}");
        for axes in [&[3][..], &[1, 2, 3, 4, 5]] {
            let message = of(axes, None, None).unwrap_err();
            assert!(message.contains("allowed are 2 axes"), "{message}");
        }
        let wide = ArrayD::from_shape_vec(IxDyn(&[1, 2]), vec![3, 4]).unwrap();
        let message = images(Array::Integers(wide, "int64".into()), None, None).unwrap_err();
        assert!(message.contains("its images are int64; allowed are uint8"));
    }
}
