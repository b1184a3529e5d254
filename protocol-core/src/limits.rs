//! Bounds that the formats with nesting share.
#![allow(dead_code, reason = "each feature uses a part of it")]

/// The most levels of nesting that are read: as many as `serde_json` allows. The deepest packet
/// needs less than a quarter of a 2 MiB stack, debug builds included.
pub(crate) const MAX_DEPTH: usize = 128;
