//! Every form in which a file stores elements, and files beside the model.

mod support;

use brownout_onnx::network::{Operator, Origin};
use brownout_onnx::schema::{StringStringEntryProto, TensorProto};
use brownout_onnx::{network_of, read_network, reference};
use std::fs;
use std::path::Path;
use support::model::{Model, int, value};

/// A tensor of the type with these fields.
fn stored(data_type: i32, dims: &[i64], fill: impl Fn(&mut TensorProto)) -> TensorProto {
    let mut tensor = TensorProto {
        name: "w".to_owned(),
        dims: dims.to_vec(),
        data_type,
        ..TensorProto::default()
    };
    fill(&mut tensor);
    tensor
}

/// What a vector of ones becomes behind the tensor as weights, cast or scaled by one.
fn products(tensor: TensorProto) -> Vec<f32> {
    let inputs = tensor.dims[1];
    let integer = matches!(tensor.data_type, 2 | 3 | 4 | 5 | 6 | 21 | 22 | 25 | 26);
    let model = Model::new(&[1, inputs])
        .opset("", 25)
        .tensor(tensor)
        .floats("s", &[], &[1.0]);
    let model = match integer {
        true => model.node("DequantizeLinear", &["w", "s"], "f", &[]),
        false => model.node("Cast", &["w"], "f", &[int("to", 1)]),
    };
    let model = model.node("Gemm", &["x", "f"], "y", &[int("transB", 1)]);
    let network = network_of(model.bytes(), Path::new("net.onnx")).unwrap();
    // One input after the other, so that the weights come out.
    let column = |at: usize| {
        let mut image = vec![0.0; inputs as usize];
        image[at] = 1.0;
        reference::run(&network, &image).unwrap()[0]
    };
    (0..inputs as usize).map(column).collect()
}

#[test]
fn all_forms_of_storage_give_the_numbers_that_onnx_reads() {
    // Bytes and lists that onnx 1.23.2's helper.make_tensor writes.
    let cases: Vec<(TensorProto, Vec<f32>)> = vec![
        (
            stored(1, &[1, 2], |t| t.float_data = vec![1.5, -2.0]),
            vec![1.5, -2.0],
        ),
        (
            stored(1, &[1, 1], |t| {
                t.raw_data = 1.5f32.to_le_bytes().to_vec().into()
            }),
            vec![1.5],
        ),
        (
            stored(11, &[1, 2], |t| t.double_data = vec![0.1, -2.0]),
            vec![0.1, -2.0],
        ),
        (
            stored(10, &[1, 2], |t| t.int32_data = vec![0x3c00, 0xc100]),
            vec![1.0, -2.5],
        ),
        (
            stored(10, &[1, 1], |t| t.raw_data = vec![0x00, 0x3c].into()),
            vec![1.0],
        ),
        (
            stored(16, &[1, 2], |t| t.int32_data = vec![0x3f80, 0xc020]),
            vec![1.0, -2.5],
        ),
        (
            stored(2, &[1, 2], |t| t.int32_data = vec![0, 255]),
            vec![0.0, 255.0],
        ),
        (
            stored(3, &[1, 2], |t| t.int32_data = vec![-128, 127]),
            vec![-128.0, 127.0],
        ),
        (
            stored(3, &[1, 2], |t| t.raw_data = vec![0x80, 0x7f].into()),
            vec![-128.0, 127.0],
        ),
        (
            stored(5, &[1, 2], |t| t.int32_data = vec![-3, 300]),
            vec![-3.0, 300.0],
        ),
        (
            stored(6, &[1, 2], |t| t.int32_data = vec![-70_000, 9]),
            vec![-70_000.0, 9.0],
        ),
        (
            stored(7, &[1, 2], |t| t.int64_data = vec![-3, 1 << 33]),
            vec![-3.0, 8_589_934_592.0],
        ),
        (
            stored(12, &[1, 1], |t| t.uint64_data = vec![4_000_000_000]),
            vec![4e9],
        ),
        (
            stored(9, &[1, 2], |t| t.int32_data = vec![0, 1]),
            vec![0.0, 1.0],
        ),
        // 5 elements of 4 bits: 3 entries, the first element in the low bits.
        (
            stored(22, &[1, 5], |t| t.int32_data = vec![225, 131, 7]),
            vec![1.0, -2.0, 3.0, -8.0, 7.0],
        ),
        (
            stored(22, &[1, 5], |t| t.raw_data = vec![0xe1, 0x83, 0x07].into()),
            vec![1.0, -2.0, 3.0, -8.0, 7.0],
        ),
        (
            stored(21, &[1, 3], |t| t.raw_data = vec![0xe1, 0x0f].into()),
            vec![1.0, 14.0, 15.0],
        ),
        (
            stored(26, &[1, 5], |t| t.int32_data = vec![201, 1]),
            vec![1.0, -2.0, 0.0, -1.0, 1.0],
        ),
        (
            stored(25, &[1, 4], |t| t.raw_data = vec![0b1110_0100].into()),
            vec![0.0, 1.0, 2.0, 3.0],
        ),
    ];
    for (tensor, wanted) in cases {
        let name = format!("type {} {:?}", tensor.data_type, tensor.dims);
        assert_eq!(products(tensor), wanted, "{name}");
    }
}

#[test]
fn types_and_forms_that_are_not_read_are_named() {
    let refusal = |tensor: TensorProto| {
        let model = Model::new(&[1, 1])
            .tensor(tensor)
            .node("MatMul", &["x", "w"], "y", &[]);
        network_of(model.bytes(), Path::new("net.onnx"))
            .unwrap_err()
            .to_string()
    };
    for (code, shown) in [
        (8, "STRING"),
        (17, "8-bit float"),
        (23, "FLOAT4E2M1"),
        (99, "code 99"),
    ] {
        let found = refusal(stored(code, &[1, 1], |_| ()));
        assert!(
            found.contains("initializer \"w\"") && found.contains(shown),
            "{found}"
        );
    }
    let short = refusal(stored(22, &[1, 5], |t| t.int32_data = vec![1, 2, 3, 4, 5]));
    assert!(short.contains("INT4") && short.contains("3 entries") && short.contains("has 5"));
}

/// A model whose weights lie beside it.
fn external(entries: &[(&str, &str)]) -> Model {
    let entry = |&(key, value): &(&str, &str)| StringStringEntryProto {
        key: key.to_owned(),
        value: value.to_owned(),
    };
    let tensor = stored(1, &[2, 2], |t| {
        t.data_location = 1;
        t.external_data = entries.iter().map(entry).collect();
    });
    Model::new(&[1, 2])
        .tensor(tensor)
        .node("MatMul", &["x", "w"], "y", &[])
}

#[test]
fn external_data_are_read_inside_the_folder_of_the_model_only() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("model");
    fs::create_dir_all(home.join("data")).unwrap();
    let numbers: Vec<u8> = [9.0f32, 1.0, 2.0, 3.0, 4.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    fs::write(home.join("data/w.bin"), &numbers).unwrap();
    fs::write(folder.path().join("outside.bin"), &numbers).unwrap();
    std::os::unix::fs::symlink("data/w.bin", home.join("inside-link")).unwrap();
    std::os::unix::fs::symlink("../outside.bin", home.join("outside-link")).unwrap();
    std::os::unix::fs::symlink("..", home.join("outside-dir")).unwrap();
    let path = home.join("net.onnx");
    let read = |entries: &[(&str, &str)]| {
        fs::write(&path, external(entries).bytes()).unwrap();
        read_network(&path).map(|network| reference::run(&network, &[1.0, 1.0]).unwrap())
    };
    let part = |location| [("location", location), ("offset", "4"), ("length", "16")];
    for location in ["data/w.bin", "inside-link", "./data/w.bin"] {
        assert_eq!(read(&part(location)).unwrap(), [4.0, 6.0], "{location}");
    }
    assert_eq!(read(&[("location", "data/w.bin")]).unwrap(), [11.0, 4.0]);
    let absolute = folder.path().join("outside.bin").display().to_string();
    for location in [
        "../outside.bin",
        "data/../../outside.bin",
        &absolute,
        "outside-link",
        "outside-dir/outside.bin",
        "",
    ] {
        let refusal = read(&part(location)).unwrap_err().to_string();
        assert!(
            refusal.contains("outside the model's folder") && refusal.contains("initializer \"w\""),
            "{location}: {refusal}"
        );
    }
    let cases: [(&[(&str, &str)], &str); 6] = [
        (
            &[("location", "data/w.bin"), ("offset", "8")],
            "16 bytes from 8 on",
        ),
        (
            &[
                ("location", "data/w.bin"),
                ("offset", "99999999999999999999"),
            ],
            "whole number",
        ),
        (
            &[
                ("location", "data/w.bin"),
                ("offset", "18446744073709551615"),
            ],
            "bytes from",
        ),
        (
            &[("location", "data/w.bin"), ("length", "8")],
            "length of 8 bytes",
        ),
        (&[("location", "data/nothing.bin")], "cannot be found"),
        (&[("location", "data")], "no file"),
    ];
    for (entries, part) in cases {
        let refusal = read(entries).unwrap_err().to_string();
        assert!(
            refusal.contains(part) && refusal.contains("\"w\""),
            "{refusal}"
        );
    }
    let nowhere = network_of(external(&part("w.bin")).bytes(), Path::new("net.onnx"));
    assert!(nowhere.unwrap_err().to_string().contains("\"w.bin\""));
}

#[test]
fn weights_listed_among_the_inputs_are_no_inputs() {
    let mut model = Model::new(&[1, 2])
        .floats("w", &[2, 2], &[1.0, 2.0, 3.0, 4.0])
        .node("MatMul", &["x", "w"], "y", &[]);
    model.graph().input.insert(0, value("w", 1, &[2, 2]));
    let network = network_of(model.bytes(), Path::new("net.onnx")).unwrap();
    assert_eq!(network.tensors[network.input].name, "x");
    assert_eq!(
        reference::run(&network, &[1.0, 10.0]).unwrap(),
        [31.0, 42.0]
    );
}

#[test]
fn weights_keep_their_integers_scales_and_the_bounds_of_a_clip() {
    let model = Model::new(&[1, 2])
        .integers("w", &[3, 2], 3, &[-7, 7, 1, 2, 3, -4])
        .floats("s", &[3], &[0.5, 0.25, 2.0])
        .integers("lo", &[], 3, &[-7])
        .integers("hi", &[], 3, &[7])
        .node("Clip", &["w", "lo", "hi"], "c", &[])
        .node("DequantizeLinear", &["c", "s"], "f", &[int("axis", 0)])
        .node("Transpose", &["f"], "t", &[])
        .node("MatMul", &["x", "t"], "y", &[]);
    let network = network_of(model.bytes(), Path::new("net.onnx")).unwrap();
    let Operator::Dense(dense) = &network.layers[0].operator else {
        panic!("{network:?}");
    };
    let grid = dense.weights.grid().expect("integers");
    assert_eq!(grid.integers.shape(), [3, 2]);
    assert_eq!(grid.integers.integers().as_ref(), [-7, 7, 1, 2, 3, -4]);
    assert_eq!(
        (grid.scale.as_slice(), grid.axis),
        (&[0.5, 0.25, 2.0][..], 0)
    );
    assert_eq!(grid.bounds, (-7.0, 7.0));
    assert!(matches!(grid.origin, Origin::Linear(_)));
    assert_eq!(
        dense.weights.values().floats().as_ref(),
        [-3.5, 3.5, 0.25, 0.5, 6.0, -8.0]
    );
}

#[test]
fn a_bias_beyond_24_bits_keeps_its_integer() {
    let model = Model::new(&[1, 1])
        .floats("w", &[1, 1], &[1.0])
        .integers("b", &[1], 6, &[16_777_217])
        .floats("s", &[1], &[1.0])
        .integers("z", &[], 6, &[0])
        .node("DequantizeLinear", &["b", "s", "z"], "f", &[])
        .node("Gemm", &["x", "w", "f"], "y", &[]);
    let network = network_of(model.bytes(), Path::new("net.onnx")).unwrap();
    let Operator::Dense(dense) = &network.layers[0].operator else {
        panic!("{network:?}");
    };
    let grid = dense
        .bias
        .as_ref()
        .and_then(|b| b.grid())
        .expect("integers");
    assert_eq!(grid.integers.integers().as_ref(), [16_777_217]);
}
