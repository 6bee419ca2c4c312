//! Networks that were trained, on hardware that was generated.

use brownout_golden::data::glyph;
use brownout_golden::export::export;
use brownout_golden::float::FloatModel;
use brownout_golden::model::InputMap;
use brownout_golden::network::Builtin;
use brownout_golden::quantize::BitWidth;
use brownout_golden::train::{TrainingOptions, train};
use brownout_sim::build::BuildOptions;
use brownout_sim::campaign::{Campaign, Hardware, Point, Supply};
use brownout_sim::link::Stalls;
use brownout_spec::code::{CodeName, Policy};
use brownout_spec::fault::FaultMode;
use brownout_spec::image::{Layout, WeightImage};
use brownout_spec::program::Program;
use brownout_spec::quantity::{BitErrorRate, ChipSeed};
use brownout_tests::configurations::benches;
use brownout_tests::session::simulator;

const IMAGES: usize = 40;

#[test]
fn a_four_bit_mlp_with_the_32_bit_in_place_code_runs_end_to_end() {
    let bench = benches()
        .into_iter()
        .find(|b| b.configuration.code == CodeName::Inplace32_26)
        .expect("the list has every code");
    let configuration = &bench.configuration;
    let data = glyph::split(7, 4000, 400);
    let options = TrainingOptions {
        epochs: 2,
        weight_bits: BitWidth::FOUR,
        code: configuration.code,
        quiet: true,
        ..TrainingOptions::default()
    };
    let images = (data.train.shape(), data.train.classes);
    let start = FloatModel::random(Builtin::Mlp, images, InputMap::Halve, options.seed).unwrap();
    let trained = train(start, &data.train, &options).unwrap();
    let model = export(&trained.network, Some(&options)).unwrap();

    let program = Program::new(configuration, &model.network).unwrap();
    let layout = Layout::new(configuration, model.weight_shapes()).unwrap();
    let image = WeightImage::encode(layout, &model.weight_tensors()).unwrap();
    assert_eq!(image.words().len(), program.weight_words);
    let simulator = simulator(configuration, BuildOptions::default());
    let images = data.test.first(IMAGES);
    let campaign = Campaign {
        hardware: Hardware::One(&simulator),
        model: &model,
        program: &program,
        image: &image,
        data: &images,
        first_image: 0,
        seed: ChipSeed(11),
        threads: None,
        stalls: Stalls::default(),
        reproduce: &|_, image| format!("image {image} of this test"),
    };
    let run = |rate: f64, mode| {
        let point = Point {
            supply: Supply::Rate(BitErrorRate::new(rate).unwrap()),
            mode,
            map: None,
            policy: Policy::Zero,
        };
        let (summary, mismatch) = campaign.run(&point, &|| ()).unwrap();
        assert!(mismatch.is_none(), "{}", mismatch.unwrap());
        assert_eq!(summary.logits_compared, (IMAGES * 10) as u64);
        summary
    };
    let clean = run(0.0, FaultMode::Persistent);
    let accuracy = clean.accuracy_rtl.expect("it has classes");
    assert!(accuracy >= 0.9, "{accuracy}");
    assert_eq!((clean.corrected, clean.detected), (0, 0));
    let low = run(1e-2, FaultMode::Transient);
    assert!(low.corrected > 0 && low.detected > 0);
    assert_eq!(low.words_read, (IMAGES * program.weight_words) as u64);
}
