//! An integer model as a text, layer by layer.

use super::Integers;
use crate::network::Network;
use brownout_golden::model::InputMap;
use brownout_spec::program::Operation;
use std::fmt::Write;

impl Integers {
    /// Tensors that a zero point other than 0 is taken off.
    pub fn zero_points(&self) -> usize {
        let network = &self.model.network;
        (0..=network.layers.len())
            .filter(|&tensor| network.zero(tensor) != 0)
            .count()
    }

    /// Layers that look their values up in a table.
    pub fn tables(&self) -> usize {
        let tables = self.model.layers.iter();
        tables.filter(|layer| layer.table.is_some()).count()
    }

    /// One line for the input and one for each layer; `network` is what it was made of, if it was.
    pub fn explain(&self, network: Option<&Network>) -> String {
        let model = &self.model;
        let mut text = String::new();
        // Writing to a text cannot fail.
        let _ = writeln!(
            text,
            "integer model with weights of {} bits, {} tensors with a zero point, {} tables",
            model.weight_bits.bits(),
            self.zero_points(),
            self.tables()
        );
        if let InputMap::Quantize(quantizer) = model.input {
            let _ = writeln!(
                text,
                "integers of the image: steps of {}, zero point {}",
                quantizer.step(),
                quantizer.zero()
            );
        }
        for (index, layer) in model.network.layers.iter().enumerate() {
            let reads = layer.reads.iter().map(|&read| match read {
                0 => "the image".to_owned(),
                k => (k - 1).to_string(),
            });
            let reads: Vec<String> = reads.collect();
            let _ = write!(
                text,
                "integer layer {index} {:?} of {}: {}",
                layer.name,
                reads.join(" and "),
                layer.operation.kind()
            );
            let last = index + 1 == model.network.layers.len();
            match layer.operation {
                _ if last => text.push_str(", results of 32 bits"),
                Operation::Concat => {}
                Operation::Pointwise => text.push_str(", a table"),
                _ => {
                    let (low, high) = (layer.output.low, layer.output.high);
                    let _ = write!(text, ", {low} .. {high}");
                }
            }
            if layer.zero != 0 {
                let _ = write!(text, ", zero point {}", layer.zero);
            }
            if let (Some(said), Some(network)) = (&self.tensors[index], network) {
                let name = &network.tensors[said.tensor].name;
                let _ = write!(text, ", tensor {name:?}");
                if said.recentred != 0 {
                    let _ = write!(text, " less {}", said.recentred);
                }
            }
            text.push('\n');
        }
        text
    }
}
