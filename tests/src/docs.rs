//! The Rust blocks of the README and the guides, compiled and run as doctests.

#[doc = include_str!("../../README.md")]
mod readme {}

#[doc = include_str!("../../docs/internals.md")]
mod internals {}

#[doc = include_str!("../../docs/safety.md")]
mod safety {}
