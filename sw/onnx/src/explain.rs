//! The network as it was understood, as a text.

use crate::network::{
    Fate, Layer, Network, Operator, Padding, Pool, QuantizedForm, Shape, Weights, Window,
};
use std::fmt::Write;

/// One line for the input, one for every node with its layers, and the warnings.
pub fn explain(network: &Network) -> String {
    let mut text = String::new();
    let input = &network.tensors[network.input];
    let last = if network.channels_last {
        ", in the file channels last"
    } else {
        ""
    };
    let bytes = if network.casts_bytes {
        ", bytes from 0 to 255 that are cast to numbers"
    } else {
        ""
    };
    // Writing to a text cannot fail.
    let _ = writeln!(
        text,
        "input {:?}: {}{last}{bytes}",
        input.name,
        extents(input.shape)
    );
    let mut makers = vec![None; network.tensors.len()];
    for (at, layer) in network.layers.iter().enumerate() {
        makers[layer.writes] = Some(at);
    }
    for entry in &network.account {
        let _ = match &entry.fate {
            Fate::Folded(why) => writeln!(text, "{}: computed, {why}", entry.node),
            Fate::Dropped(why) => writeln!(text, "{}: dropped, {why}", entry.node),
            Fate::Merged(why) => writeln!(text, "{}: merged, {why}", entry.node),
            Fate::Layers(layers) => {
                let each = layers
                    .iter()
                    .filter_map(|&at| network.layers.get(at).zip(Some(at)));
                let lines: Vec<_> = each
                    .map(|(layer, at)| line(network, &makers, layer, at))
                    .collect();
                writeln!(text, "{}: {}", entry.node, lines.join("; "))
            }
        };
    }
    let output = &network.tensors[network.output];
    let _ = writeln!(text, "output {:?}: {}", output.name, extents(output.shape));
    for warning in &network.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    text
}

fn line(network: &Network, makers: &[Option<usize>], layer: &Layer, at: usize) -> String {
    let reads: Vec<_> = (layer.reads.iter())
        .map(|&t| match makers[t] {
            Some(maker) => format!("{maker}"),
            None => "the input".to_owned(),
        })
        .collect();
    let made = network.tensors[layer.writes].shape;
    format!(
        "layer {at} of {}, {} -> {}",
        reads.join(" and "),
        described(&layer.operator),
        extents(made)
    )
}

fn extents(shape: Shape) -> String {
    match shape {
        Shape {
            channels,
            height: 1,
            width: 1,
        } => format!("{channels}"),
        Shape {
            channels,
            height,
            width,
        } => format!("{channels} x {height} x {width}"),
    }
}

fn described(operator: &Operator) -> String {
    match operator {
        Operator::Convolution(c) => {
            let groups = if c.groups > 1 {
                format!(" in {} groups", c.groups)
            } else {
                String::new()
            };
            format!(
                "convolution {}{groups}{}",
                windowed(&c.window),
                grid(&c.weights)
            )
        }
        Operator::Dense(d) => format!("dense{}", grid(&d.weights)),
        Operator::BatchNorm(n) => format!("batch norm, epsilon {}", n.epsilon),
        Operator::Affine(a) => match (a.scale.as_slice(), a.offset.as_slice()) {
            ([scale], [offset]) if *offset == 0.0 => format!("{scale} x"),
            ([scale], [offset]) if *scale == 1.0 => format!("x + {offset}"),
            ([scale], [offset]) => format!("{scale} x + {offset}"),
            _ => "a factor and a summand for each channel".to_owned(),
        },
        Operator::Add => "sum".to_owned(),
        Operator::Concat => "channels after each other".to_owned(),
        Operator::Pool(Pool::Max(window)) => format!("max pool {}", windowed(window)),
        Operator::Pool(Pool::Average(window, padded)) => {
            let counted = if *padded { ", padding counts" } else { "" };
            format!("average pool {}{counted}", windowed(window))
        }
        Operator::Pool(Pool::GlobalMax) => "global max pool".to_owned(),
        Operator::Pool(Pool::GlobalAverage) => "global average pool".to_owned(),
        Operator::Clip(low, f32::INFINITY) if *low == 0.0 => "ReLU".to_owned(),
        Operator::Clip(low, high) => format!("clip to {low} .. {high}"),
        Operator::Pointwise(expression) => format!("{expression}"),
        Operator::Resize([rows, columns]) => format!("each pixel {rows} x {columns} times"),
        Operator::Pad(padding, [front, behind]) => {
            format!(
                "zeros{}, channels of zeros {front} and {behind}",
                padded(*padding)
            )
        }
        Operator::Subsample([rows, columns]) => {
            format!("every pixel of {rows} x {columns}")
        }
        Operator::Reshape([from_last, to_last]) => {
            let order = |last: bool| {
                if last {
                    "channels last"
                } else {
                    "channels first"
                }
            };
            format!(
                "another shape, from {} to {}",
                order(*from_last),
                order(*to_last)
            )
        }
        Operator::Quantizer(form) => quantizer(form),
    }
}

fn windowed(window: &Window) -> String {
    let [rows, columns] = window.kernel;
    let mut text = format!("{rows} x {columns}");
    if window.strides != [1, 1] {
        let _ = write!(
            text,
            ", stride {} x {}",
            window.strides[0], window.strides[1]
        );
    }
    if window.dilations != [1, 1] {
        let _ = write!(
            text,
            ", dilation {} x {}",
            window.dilations[0], window.dilations[1]
        );
    }
    if window.padding != Padding::default() {
        let _ = write!(text, ", zeros{}", padded(window.padding));
    }
    if window.ceil_mode {
        text.push_str(", last window may reach over");
    }
    text
}

fn padded(padding: Padding) -> String {
    let Padding {
        top,
        left,
        bottom,
        right,
    } = padding;
    format!(" {top} above, {left} left, {bottom} below, {right} right")
}

fn grid(weights: &Weights) -> String {
    match weights.grid() {
        None => String::new(),
        Some(grid) => {
            let (low, high) = grid.bounds;
            let scales = grid.scale.len();
            format!(", integers {low} .. {high} with {scales} scale(s)")
        }
    }
}

fn quantizer(form: &QuantizedForm) -> String {
    let scales = |scale: &[f32]| match scale {
        [scale] => format!("scale {scale}"),
        more => format!("{} scales", more.len()),
    };
    let zeros = |zeros: &[f32]| match zeros {
        [zero] => format!("zero point {zero}"),
        more => format!("{} zero points", more.len()),
    };
    match form {
        QuantizedForm::Quantize(q) | QuantizedForm::Dequantize(q) => {
            let zero: Vec<f32> = q.zero_point.iter().map(|&z| z as f32).collect();
            let way = match form {
                QuantizedForm::Quantize(_) => "numbers to",
                _ => "numbers from",
            };
            format!(
                "{way} {}, {}, {}",
                q.element,
                scales(&q.scale),
                zeros(&zero)
            )
        }
        QuantizedForm::IntQuant(q) => format!(
            "quantized to {} bits {} ({}{}), {}, {}",
            q.bits,
            if q.signed {
                "with a sign"
            } else {
                "without a sign"
            },
            q.rounding,
            if q.narrow { ", narrow" } else { "" },
            scales(&q.scale),
            zeros(&q.zero_point)
        ),
        QuantizedForm::Bipolar(q) => format!("quantized to -1 and 1, {}", scales(&q.scale)),
        QuantizedForm::Trunc(t) => format!(
            "from {} to {} bits ({}), version {}, {}",
            t.bits_in,
            t.bits_out,
            t.rounding,
            if t.second.is_some() { 2 } else { 1 },
            scales(&t.scale)
        ),
    }
}
