//! A safetensors file from lines of a case, most often a state dict with one thing wrong.
//!
//! | line | what it does |
//! | --- | --- |
//! | `from FILE` | takes all tensors and metadata of a file in the folder |
//! | `set NAME TYPE 8x1x3x3 VALUE` | a tensor of equal values; TYPE is F32, F16, F64, I64 or U8, `-` for the shape is a scalar |
//! | `fill NAME VALUE` | the same value everywhere in a tensor of F32 |
//! | `rename FROM TO` | another name |
//! | `prefix TEXT` | put in front of all names |
//! | `drop NAME` | one tensor less; `drop TEXT*` all whose names begin so, `drop *TEXT` end so |
//! | `meta KEY VALUE` | an entry of the metadata; `drop meta` takes all of them away |

use super::common::Sandbox;
use safetensors::{Dtype, SafeTensors, tensor::TensorView};
use std::collections::{BTreeMap, HashMap};

#[derive(Clone)]
struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

/// The bytes of the file that lines describe.
pub fn file(sandbox: &Sandbox, lines: &[String]) -> Result<Vec<u8>, String> {
    let mut tensors = BTreeMap::new();
    let mut metadata = HashMap::new();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        match &words[..] {
            ["from", name] => {
                let bytes = std::fs::read(sandbox.path(name)).map_err(|e| e.to_string())?;
                read(&bytes, &mut tensors, &mut metadata).map_err(|e| format!("{name}: {e}"))?;
            }
            ["set", name, dtype, shape, value] => {
                tensors.insert((*name).to_owned(), tensor(dtype, shape, value)?);
            }
            ["fill", name, value] => {
                let tensor = tensors.get_mut(*name).ok_or(format!("no tensor {name}"))?;
                if tensor.dtype != Dtype::F32 {
                    return Err(format!("{name} is no tensor of F32"));
                }
                let one = encode(Dtype::F32, number(value)?)?;
                tensor.bytes = one.repeat(tensor.bytes.len() / one.len());
            }
            ["rename", from, to] => {
                let tensor = tensors.remove(*from).ok_or(format!("no tensor {from}"))?;
                tensors.insert((*to).to_owned(), tensor);
            }
            ["prefix", text] => {
                let all = std::mem::take(&mut tensors).into_iter();
                tensors = all.map(|(name, t)| (format!("{text}{name}"), t)).collect();
            }
            ["drop", "meta"] => metadata.clear(),
            ["drop", name] => {
                let before = tensors.len();
                tensors.retain(|other, _| !is_meant(name, other));
                if tensors.len() == before {
                    return Err(format!("no tensor {name}"));
                }
            }
            ["meta", key, value @ ..] => {
                metadata.insert((*key).to_owned(), value.join(" "));
            }
            _ => return Err(format!("`{line}` says nothing about tensors")),
        }
    }
    let views = tensors.iter().map(|(name, t)| {
        let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes);
        view.map(|view| (name, view)).map_err(|e| e.to_string())
    });
    let views: Vec<_> = views.collect::<Result<_, _>>()?;
    let metadata = (!metadata.is_empty()).then_some(metadata);
    safetensors::serialize(views, metadata).map_err(|e| e.to_string())
}

fn is_meant(pattern: &str, name: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => name.ends_with(end),
        (_, Some(start)) => name.starts_with(start),
        (None, None) => name == pattern,
    }
}

fn read(
    bytes: &[u8],
    tensors: &mut BTreeMap<String, Tensor>,
    metadata: &mut HashMap<String, String>,
) -> Result<(), String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| e.to_string())?;
    metadata.extend(header.metadata().clone().unwrap_or_default());
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    for (name, view) in file.tensors() {
        let tensor = Tensor {
            dtype: view.dtype(),
            shape: view.shape().to_vec(),
            bytes: view.data().to_vec(),
        };
        tensors.insert(name, tensor);
    }
    Ok(())
}

fn tensor(dtype: &str, shape: &str, value: &str) -> Result<Tensor, String> {
    let dtypes = [Dtype::F32, Dtype::F16, Dtype::F64, Dtype::I64, Dtype::U8];
    let dtype = dtypes.into_iter().find(|d| format!("{d:?}") == dtype);
    let dtype = dtype.ok_or("allowed types are F32, F16, F64, I64 and U8")?;
    let sizes = shape.split('x').filter(|_| shape != "-");
    let sizes = sizes.map(|n| n.parse().map_err(|e| format!("{shape}: {e}")));
    let shape: Vec<usize> = sizes.collect::<Result<_, _>>()?;
    let bytes = encode(dtype, number(value)?)?.repeat(shape.iter().product());
    Ok(Tensor {
        dtype,
        shape,
        bytes,
    })
}

fn number(value: &str) -> Result<f64, String> {
    value.parse().map_err(|e| format!("{value}: {e}"))
}

fn encode(dtype: Dtype, value: f64) -> Result<Vec<u8>, String> {
    Ok(match dtype {
        Dtype::F32 => (value as f32).to_le_bytes().to_vec(),
        Dtype::F64 => value.to_le_bytes().to_vec(),
        Dtype::I64 => (value as i64).to_le_bytes().to_vec(),
        Dtype::U8 => vec![value as u8],
        Dtype::F16 => half(value as f32)?.to_le_bytes().to_vec(),
        other => return Err(format!("{other:?} is not written here")),
    })
}

/// A value that half precision holds exactly; others belong in no case.
fn half(value: f32) -> Result<u16, String> {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    if value == 0.0 {
        return Ok(sign);
    }
    let exponent = (bits >> 23 & 0xff) as i32 - 127 + 15;
    let exact = (1..31).contains(&exponent) && bits & 0x1fff == 0;
    match exact {
        true => Ok(sign | (exponent as u16) << 10 | (bits >> 13 & 0x3ff) as u16),
        false => Err(format!("{value} is not exact in half precision")),
    }
}
