//! Writes the good files that the fuzz targets start from: `tests/fuzz/corpus/TARGET/N`.

use brownout_tests::readers::mutate::xz;
use brownout_tests::readers::{images, seeds};
use std::fs;
use std::io;
use std::path::Path;

type Seeds = fn() -> Vec<Vec<u8>>;

fn main() -> io::Result<()> {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let configurations: Seeds = || [seeds::configurations(), seeds::voltage_tables()].concat();
    let targets: [(&str, Seeds); 17] = [
        ("idx_images", seeds::idx_images),
        ("idx_labels", seeds::idx_labels),
        ("idx_images_gzip", || seeds::compressed(seeds::idx_images())),
        ("idx_labels_gzip", || seeds::compressed(seeds::idx_labels())),
        ("cifar_batch", seeds::cifar_batches),
        ("cifar_batch_xz", || {
            seeds::cifar_batches().iter().map(|file| xz(file)).collect()
        }),
        ("npz", images::archives),
        ("picture", || [images::pngs(), images::jpegs()].concat()),
        ("model", seeds::models),
        ("checkpoint", seeds::checkpoints),
        ("quantized_checkpoint", seeds::quantized_checkpoints),
        ("training_state", seeds::training_states),
        ("state_dict", seeds::state_dicts),
        ("onnx", seeds::onnx_models),
        ("weight_image", seeds::weight_images),
        ("configuration", configurations),
        ("fault_map", seeds::fault_maps),
    ];
    for (target, seeds) in targets {
        let folder = corpus.join(target);
        fs::create_dir_all(&folder)?;
        for (number, seed) in seeds().into_iter().enumerate() {
            fs::write(folder.join(number.to_string()), seed)?;
        }
    }
    println!("the seeds are in {}", corpus.display());
    Ok(())
}
