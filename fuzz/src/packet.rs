//! A packet of every shape that serde knows.

use std::collections::BTreeMap;

use arbitrary::Arbitrary;
use serde::{Deserialize, Serialize};

/// A packet of every shape that serde knows. An enum, so that a few bytes make one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Arbitrary)]
#[expect(missing_docs, reason = "the variants are named after what they hold")]
#[expect(clippy::exhaustive_enums, reason = "nobody matches on it")]
pub enum Packet {
    Unit,
    Bool(bool),
    I8(i8),
    I64(i64),
    U16(u16),
    U64(u64),
    I128(i128),
    F32(f32),
    F64(f64),
    Char(char),
    Text(String),
    Bytes(#[serde(with = "serde_bytes")] Vec<u8>),
    Maybe(Option<Box<Self>>),
    List(Vec<Self>),
    Map(BTreeMap<String, Self>),
    Numbered(BTreeMap<u32, ()>),
    Pair(u8, Box<Self>),
    Array([u16; 3]),
    Fields {
        x: Option<i32>,
        y: Vec<Option<bool>>,
    },
}
