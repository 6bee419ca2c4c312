//! Which channels of which tensors anything reads.

use super::Architecture;
use brownout_spec::program::Operation;

impl Architecture {
    /// For each tensor which of its channels have a part in the results: those that a layer which
    /// has one reads, where `reads` says whether an output channel of a convolution has a
    /// weight other than zero on an input channel, counted within the output's group.
    ///
    /// What nobody reads may have any value, and must decide nothing that others share.
    pub fn read_channels(&self, reads: impl Fn(usize, usize, usize) -> bool) -> Vec<Vec<bool>> {
        let tensors = self.tensors().into_iter();
        let mut read: Vec<Vec<bool>> = tensors.map(|t| vec![false; t.channels]).collect();
        if let Some(results) = read.last_mut() {
            results.fill(true);
        }
        for layer in (0..self.shapes().len()).rev() {
            let outputs = read[layer + 1].clone();
            let outputs = outputs.iter().enumerate().filter(|(_, read)| **read);
            let outputs: Vec<usize> = outputs.map(|(channel, _)| channel).collect();
            let shapes = &self.shapes()[layer];
            let mut first = 0;
            for &tensor in &self.network.layers[layer].reads {
                let source = &mut read[tensor];
                match self.network.layers[layer].operation {
                    Operation::Convolution { .. } => {
                        let inputs = shapes.group_channels();
                        let width = shapes.output.channels / shapes.groups;
                        for (input, read) in source.iter_mut().enumerate() {
                            let (group, input) = (input / inputs, input % inputs);
                            let mut outputs = outputs.iter().filter(|&o| o / width == group);
                            *read |= outputs.any(|&output| reads(layer, output, input));
                        }
                        // Its residual operand follows.
                        break;
                    }
                    Operation::Concat => {
                        let channels = source.len();
                        let outputs = outputs.iter().filter_map(|o| o.checked_sub(first));
                        outputs
                            .filter(|&o| o < channels)
                            .for_each(|o| source[o] = true);
                        first += channels;
                    }
                    _ => outputs.iter().for_each(|&channel| source[channel] = true),
                }
            }
            if let Some((operand, _)) = self.residual(layer) {
                // Channels that the operand lacks read as zero.
                for &channel in &outputs {
                    if let Some(read) = read[operand].get_mut(channel) {
                        *read = true;
                    }
                }
            }
        }
        read
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_graph::{ADD, grouped};
    use super::super::{Builder, Style};
    use brownout_spec::program::{Operation, Shape, Window};

    #[test]
    fn a_channel_is_read_through_pools_shortcuts_and_weights_that_are_not_zero() {
        let input = Shape {
            height: 8,
            width: 8,
            channels: 3,
        };
        let network = Builder::new("blocks", input)
            .convolution("stem", 4, 3, 1, 1, true)
            .basic_block("a", 4, 1)
            .max_pool("pool", 2, 2)
            .dense("logits", 2, false)
            .build()
            .unwrap();
        let all = network.read_channels(|_, _, _| true);
        assert!(all.iter().flatten().all(|&read| read));
        // The dense layer reads channel 2 alone, and nothing reads the block's inner channel 1.
        let some = network.read_channels(|layer, output, input| match layer {
            4 => input == 2,
            2 => input != 1 && output == 2,
            _ => true,
        });
        let channel_2 = vec![false, false, true, false];
        assert_eq!(some[5], [true; 2]);
        assert_eq!((&some[4], &some[3]), (&channel_2, &channel_2));
        assert_eq!(some[2], [true, false, true, true]);
        // Through the block's own convolutions every channel of the stem, by the shortcut one.
        assert_eq!(some[1], [true; 4]);
        let shortcut = network.read_channels(|layer, _, input| layer == 4 && input == 2);
        assert_eq!(shortcut[1], channel_2);
        assert_eq!(shortcut[0], [false; 3]);
    }

    #[test]
    fn a_channel_is_read_through_concats_sums_and_the_groups_that_it_is_in() {
        let input = Shape {
            height: 4,
            width: 4,
            channels: 6,
        };
        let one = Window::square(1, 1, 0);
        let plain = Style::default;
        let network = Builder::new("graph", input)
            .layer("grouped", grouped(one, 3, 6), plain())
            .layer_from(&[0], "b", Operation::convolution(one, 2), plain())
            .layer_from(&[1, 2], "concat", Operation::Concat, plain())
            .layer_from(&[3], "c", Operation::convolution(one, 8), plain())
            .layer_from(&[4, 3], "add", ADD, plain())
            .dense("logits", 2, false)
            .build()
            .unwrap();
        // Channels 3 and 7 of the sum are read: channel 3 of the groups, and channel 1 of `b`.
        let read = network.read_channels(|layer, output, input| match layer {
            // Of its group's two inputs each output has the second.
            0 => input == 1,
            1 => output == input,
            3 => false,
            _ => input % 16 == 3 || input % 16 == 7,
        });
        let channels = |tensor: usize| -> Vec<usize> {
            let read = read[tensor].iter().enumerate();
            read.filter_map(|(c, read)| read.then_some(c)).collect()
        };
        assert_eq!(channels(5), [3, 7]);
        assert_eq!((channels(4), channels(3)), (vec![3, 7], vec![3, 7]));
        assert_eq!((channels(2), channels(1)), (vec![1], vec![3]));
        // `b` reads channel 1; output 3 is of group 1, whose second input is channel 3.
        assert_eq!(channels(0), [1, 3]);
    }
}
