//! What a program without the co-simulation says about a study's runs on hardware.

use super::recipe::{Network, Silicon};
use super::steps::Work;
use crate::error::Error;

impl Work<'_> {
    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub(super) fn check_simulator(&self) -> Result<(), Error> {
        Err(Error::NoSimulator)
    }

    /// Refuses.
    ///
    /// # Errors
    /// Always.
    pub(super) fn silicon(
        &mut self,
        _: &Silicon,
        _: &Network,
        _: (String, String),
    ) -> Result<(), Error> {
        Err(Error::NoSimulator)
    }
}
