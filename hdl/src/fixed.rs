//! Numbers of a block that are known when its Verilog is printed.

use rust_hdl::prelude::*;

/// A [`Constant`] that is zero by default.
///
/// rust-hdl's own has no default, so that a block with one constant among fifty ports must spell
/// out all fifty; with this one it is `Self { depth: Fixed::new(32), ..Self::default() }`.
#[derive(Clone, Debug)]
pub struct Fixed<T: Synth>(Constant<T>);

impl<T: Synth> Default for Fixed<T> {
    fn default() -> Self {
        Self(Constant::new(T::default()))
    }
}

impl<const N: usize> Fixed<Bits<N>> {
    /// A number, which must fit `N` bits.
    pub fn new(value: impl TryInto<u64>) -> Self {
        let value = value.try_into().ok().expect("a number of at most 64 bits");
        Self(Constant::new(value.into()))
    }
}

impl Fixed<Bit> {
    /// Whether something is built in.
    pub fn flag(value: bool) -> Self {
        Self(Constant::new(value))
    }
}

impl<T: Synth> Fixed<T> {
    /// The value, as `#[hdl_gen]` reads it.
    pub fn val(&self) -> T {
        self.0.val()
    }
}

impl<T: Synth> From<T> for Fixed<T> {
    fn from(value: T) -> Self {
        Self(Constant::new(value))
    }
}

impl<T: Synth> Block for Fixed<T> {
    fn connect_all(&mut self) {}

    fn update_all(&mut self) {}

    fn has_changed(&self) -> bool {
        false
    }

    fn accept(&self, name: &str, probe: &mut dyn Probe) {
        self.0.accept(name, probe);
    }
}

impl<T: Synth> Logic for Fixed<T> {
    fn update(&mut self) {}
}
