//! What is put in the place of an expression, a statement or a line.

use crate::ir::*;

/// A change at one place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Change {
    /// Another expression of the same width and sign.
    Replace(Expr),
    /// The statement does not happen.
    Drop,
    /// Another form of a leaf's line.
    Line(LineChange),
}

/// A change of a line of a leaf, which is text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LineChange {
    /// The condition of its `if` inverted.
    Inverted,
    /// The condition replaced by a constant.
    Stuck(bool),
    /// Its assignment left out.
    Dropped,
    /// A sum instead of a product.
    SumForProduct,
    /// A difference instead of a sum.
    DifferenceForSum,
    /// The word of a memory at the inverted address.
    OtherWord,
}

/// `mutant_select == number`.
pub(crate) fn selected(select: SignalId, number: u16) -> Expr {
    compare(Cmp::Eq, select, number)
}

/// `mutant_select != number`.
pub(crate) fn not_selected(select: SignalId, number: u16) -> Expr {
    compare(Cmp::Ne, select, number)
}

fn compare(cmp: Cmp, select: SignalId, number: u16) -> Expr {
    let bits = super::SELECT_BITS;
    let select = Expr::signal(select, bits, false);
    let number = Expr::constant(number.into(), bits, false);
    let kind = Kind::Compare(cmp, Box::new(select), Box::new(number));
    Expr::new(1, false, kind)
}
