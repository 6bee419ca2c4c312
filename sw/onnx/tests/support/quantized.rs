//! A quantized network put together message by message.

use super::model::{Model, int, ints};

/// ONNX's codes of types.
pub const U8: i32 = 2;
pub const I8: i32 = 3;
const I32: i32 = 6;

impl Model {
    /// A scale and a zero point by the name `NAME_s` and `NAME_z`.
    pub fn step(self, name: &str, scale: f32, zero: i32, element: i32) -> Self {
        self.floats(&format!("{name}_s"), &[], &[scale]).integers(
            &format!("{name}_z"),
            &[],
            element,
            &[zero],
        )
    }

    /// Numbers to integers and back: `NAME_q` and `NAME_d`, with the step of that name.
    pub fn rounded(self, of: &str, name: &str) -> Self {
        let [scale, zero, q, d] = ["s", "z", "q", "d"].map(|end| format!("{name}_{end}"));
        self.node("QuantizeLinear", &[of, &scale, &zero], &q, &[])
            .node("DequantizeLinear", &[&q, &scale, &zero], &d, &[])
    }

    /// Stored weights of one scale and their numbers, `NAME_d`.
    pub fn weights(self, name: &str, dims: &[i64], scale: f32, values: &[i32]) -> Self {
        let [scales, q, d] = ["s", "q", "d"].map(|end| format!("{name}_{end}"));
        self.floats(&scales, &[], &[scale])
            .integers(&q, dims, I8, values)
            .node("DequantizeLinear", &[&q, &scales], &d, &[])
    }
}

/// The values −3 to 3 in some order, so many.
pub fn some(count: usize) -> Vec<i32> {
    (0..count).map(|at| (at * 11 % 7) as i32 - 3).collect()
}

/// A convolution with padding, a sum with what it read, a pool, a function and a dense layer, on
/// unsigned bytes with zero points.
pub fn residual() -> Model {
    let around = [ints("pads", &[1, 1, 1, 1]), ints("kernel_shape", &[3, 3])];
    Model::new(&[1, 2, 4, 4])
        .step("x", 0.05, 117, U8)
        .rounded("x", "x")
        .weights("w", &[2, 2, 3, 3], 0.02, &some(36))
        .integers("b", &[2], I32, &[40, -90])
        .floats("b_s", &[], &[0.05 * 0.02])
        .node("DequantizeLinear", &["b", "b_s"], "b_d", &[])
        .node("Conv", &["x_d", "w_d", "b_d"], "c", &around)
        .step("c", 0.0397, 131, U8)
        .rounded("c", "c")
        .node("Add", &["c_d", "x_d"], "a", &[])
        .node("Relu", &["a"], "r", &[])
        .step("r", 0.03, 0, U8)
        .rounded("r", "r")
        .node(
            "MaxPool",
            &["r_d"],
            "p",
            &[ints("kernel_shape", &[2, 2]), ints("strides", &[2, 2])],
        )
        .rounded_as("p", "p", "r")
        .node("Sigmoid", &["p_d"], "g", &[])
        .step("g", 1.0 / 256.0, 0, U8)
        .rounded("g", "g")
        .node("Flatten", &["g_d"], "f", &[])
        .weights("v", &[3, 8], 0.01, &some(24))
        .node("Gemm", &["f", "v_d"], "l", &[int("transB", 1)])
        .step("l", 0.002, 128, U8)
        .node("QuantizeLinear", &["l", "l_s", "l_z"], "l_q", &[])
        .node("DequantizeLinear", &["l_q", "l_s", "l_z"], "y", &[])
}

impl Model {
    /// As [`Model::rounded`], with another's step.
    pub fn rounded_as(self, of: &str, name: &str, like: &str) -> Self {
        let [scale, zero] = ["s", "z"].map(|end| format!("{like}_{end}"));
        let [q, d] = ["q", "d"].map(|end| format!("{name}_{end}"));
        self.node("QuantizeLinear", &[of, &scale, &zero], &q, &[])
            .node("DequantizeLinear", &[&q, &scale, &zero], &d, &[])
    }
}
