//! A result as a table for a person.

use super::Results;

/// Prints it.
pub(crate) fn print(_results: &Results) {}
