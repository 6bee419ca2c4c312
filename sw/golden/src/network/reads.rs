//! Which channels of which tensors anything reads.

use super::Architecture;

impl Architecture {
    /// For each tensor which of its channels have a part in the results: those that a layer which
    /// has one reads, where `reads` says whether an output channel of a convolution has a
    /// weight other than zero on an input channel.
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
            let source = &mut read[self.source(layer)];
            if self.network.layers[layer].operation.has_weights() {
                for (input, read) in source.iter_mut().enumerate() {
                    *read |= outputs.iter().any(|&output| reads(layer, output, input));
                }
            } else {
                outputs.iter().for_each(|&channel| source[channel] = true);
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
    use super::super::Builder;
    use brownout_spec::program::Shape;

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
}
