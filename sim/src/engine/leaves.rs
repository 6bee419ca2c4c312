//! What the leaves do, for those who simulate without their text.

use brownout_engine::{Leaf, LeafRegister, Wire};

/// The leaf that is printed under this name.
pub(super) fn leaf(name: &str, _text: &str) -> Option<Leaf> {
    if let Some((_, form)) = name.rsplit_once("_memory_") {
        let mut numbers = form.split('x').map(|number| number.parse().ok());
        return Some(Leaf::Memory {
            depth: numbers.next()??,
            lanes: numbers.next()??,
            width: numbers.next()??,
        });
    }
    name.ends_with("_multiplier").then(multiplier)
}

/// [`brownout_hdl::column::Multiplier`]: two halves, then their sum.
fn multiplier() -> Leaf {
    let named = |name| Box::new(Wire::Named(name));
    let half = |low, signed| {
        let half = Box::new(Wire::Bits(named("multiplicand"), low, 16));
        Wire::Product([half, named("factor")], [signed, true], 32)
    };
    let raised = Wire::Raised(named("high"), 16);
    let low = Wire::SignExtend(named("low"), 48);
    Leaf::Registers(vec![
        LeafRegister {
            name: "low",
            width: 32,
            enable: Wire::Named("enable"),
            value: half(0, false),
        },
        LeafRegister {
            name: "high",
            width: 32,
            enable: Wire::Named("enable"),
            value: half(16, true),
        },
        LeafRegister {
            name: "product",
            width: 48,
            enable: Wire::Named("enable_sum"),
            value: Wire::Sum(Box::new(raised), Box::new(low)),
        },
    ])
}
