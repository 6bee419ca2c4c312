//! What cannot be evaluated.

use super::tests::plan;
use super::{Subject, evaluate};
use crate::data::Dataset;
use crate::infer::reference::{convolution, random_model, shape};
use brownout_spec::code::CodeName;
use ndarray::Array4;

#[test]
fn a_network_whose_results_are_a_map_is_refused_since_it_has_no_classes() {
    let model = random_model(shape(8, 8, 3), &[convolution(2, 3, 1, 0)], 1);
    let data = Dataset::new("zeros", Array4::<u8>::zeros((1, 8, 8, 3)), vec![0], 1);
    let plan = plan(CodeName::None, Vec::new());
    let refused = evaluate(&Subject::from(model), &data, &plan, || {});
    let message = refused.map(|_| ()).unwrap_err().to_string();
    let expected = "network random gives a map of 6x6x2, so no image is classified right or wrong";
    assert!(message.contains(expected), "{message}");
}
