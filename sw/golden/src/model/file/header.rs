//! The JSON text of a model's metadata without the file around it: other formats have it too.

use super::{
    BytesError, FORMAT_VERSION, Header, IntegerModel, LayerTensors, METADATA_KEY, ModelError,
    check_names, check_origin, parse_header,
};
use brownout_spec::program::{LayerShapes, Network};
use safetensors::SafeTensors;

impl IntegerModel {
    /// Whether a file's bytes are an integer model's, sound or not, and not a checkpoint's.
    pub fn recognizes(bytes: &[u8]) -> bool {
        let header = SafeTensors::read_metadata(bytes);
        header.is_ok_and(|(_, header)| {
            let entries = header.metadata().as_ref();
            entries.is_some_and(|entries| entries.contains_key(METADATA_KEY))
        })
    }

    /// The text of the metadata entry that a model's file has: all but the tensors.
    pub fn header(&self) -> String {
        let header = Header {
            version: FORMAT_VERSION,
            origin: self.origin.clone(),
            weight_bits: self.weight_bits,
            code: self.code,
            input: self.input,
            network: self.network.clone(),
        };
        serde_json::to_string(&header).expect("a header is plain data")
    }

    /// The model of such a text, with the tensors that are found for the network's layers.
    ///
    /// # Errors
    /// A text that cannot be read, what the tensors' source says, or a model that is not valid.
    pub fn from_header(
        text: &str,
        tensors: impl FnOnce(&Network, &[LayerShapes]) -> Result<Vec<LayerTensors>, String>,
    ) -> Result<Self, String> {
        let sentence = |problem| match problem {
            BytesError::Format(problem) => problem,
            BytesError::Model(source) => source.to_string(),
        };
        let header = parse_header(text).map_err(sentence)?;
        let names = check_names(&header).and_then(|()| check_origin(&header.origin));
        names.map_err(sentence)?;
        let refuse = |problem: ModelError| problem.to_string();
        let shapes = header.network.shapes();
        let shapes = shapes.map_err(|problem| refuse(problem.into()))?;
        let model = Self {
            layers: tensors(&header.network, &shapes)?,
            origin: header.origin,
            weight_bits: header.weight_bits,
            code: header.code,
            input: header.input,
            network: header.network,
        };
        model.validate().map_err(refuse)?;
        Ok(model)
    }
}
