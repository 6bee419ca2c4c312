use super::*;
use brownout_spec::program::Window;

type Convolve = fn(&[f32], &Pairs<'_>, &[f32], usize, &mut [f32]);

/// Every body, whatever this machine would choose.
const CONVOLVE: [Convolve; 4] = [
    convolve,
    convolve_8::<false>,
    convolve_6::<false>,
    convolve_2::<false>,
];

/// Small whole numbers: all sums of theirs and of their halves are exact.
fn numbers(count: usize, factor: usize) -> Vec<f32> {
    (0..count)
        .map(|i| (i * factor % 23) as f32 - 11.0)
        .collect()
}

fn shape(height: usize, width: usize, channels: usize) -> Shape {
    Shape {
        height,
        width,
        channels,
    }
}

/// Σ of the products as they are defined, over images inside their border.
fn plain(x: &[f32], padded: Shape, output: Shape, rows: usize, w: &[f32]) -> Vec<f32> {
    let mut y = Vec::new();
    for x in x.chunks_exact(padded.volume()) {
        for (row, column) in (0..output.height).flat_map(|r| (0..output.width).map(move |c| (r, c)))
        {
            for w in w.chunks_exact(rows * 3 * padded.channels) {
                let sum = (0..rows).map(|r| {
                    let at = ((row + r) * padded.width + column) * padded.channels;
                    let length = 3 * padded.channels;
                    let pairs = x[at..][..length].iter().zip(&w[r * length..]);
                    pairs.map(|(x, w)| x * w).sum::<f32>()
                });
                y.push(sum.sum());
            }
        }
    }
    y
}

#[test]
fn every_tile_gives_the_plain_sums() {
    // More pairs than a strip, fewer than a tile, more blocks than one, other kernel rows.
    for (height, width, inputs, outputs, rows, images) in [
        (9, 8, 16, 16, 3, 2),
        (1, 2, 32, 16, 3, 1),
        (2, 6, 16, 48, 1, 3),
    ] {
        let output = shape(height, width, outputs);
        let padded = shape(height + rows - 1, width + 2, inputs);
        let x = numbers(images * padded.volume(), 37);
        let w = numbers(outputs * rows * 3 * inputs, 41);
        let winograd = Winograd::new(padded, output, rows, images);
        let packed = winograd.pack(|output, row, column, input| {
            w[((output * rows + row) * 3 + column) * inputs + input]
        });
        let mut buffer = vec![f32::NAN; winograd.buffer_length(images)];
        combine_operands(
            &x,
            padded.width * inputs,
            inputs,
            winograd.pairs,
            &mut buffer,
        );
        let expected = plain(&x, padded, output, rows, &w);
        for convolve in CONVOLVE {
            let mut y = vec![f32::NAN; images * output.volume()];
            convolve(&buffer, &winograd.pairs(images), &packed, outputs, &mut y);
            assert_eq!(y, expected, "{height} x {width}, {inputs} to {outputs}");
        }
    }
}

#[test]
fn only_layers_with_three_columns_stride_one_and_whole_vectors_fit() {
    let fitting = LayerShapes {
        input: shape(8, 8, 16),
        output: shape(8, 8, 32),
        window: Window::square(3, 1, 1),
        groups: 1,
    };
    assert!(Winograd::fits(&fitting));
    for other in [
        LayerShapes {
            window: Window::square(5, 1, 1),
            ..fitting
        },
        LayerShapes {
            window: Window::square(3, 2, 1),
            ..fitting
        },
        LayerShapes {
            input: shape(8, 8, 3),
            ..fitting
        },
        LayerShapes {
            output: shape(8, 7, 32),
            ..fitting
        },
    ] {
        assert!(!Winograd::fits(&other), "{other:?}");
    }
}
