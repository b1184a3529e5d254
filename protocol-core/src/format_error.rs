//! The cause inside the errors of the serializers and wrappers.
#![allow(dead_code, reason = "each feature uses a part of it")]

use alloc::{
    borrow::Cow,
    string::{String, ToString},
};
use core::fmt;

use thiserror::Error;

use crate::{DeserializeError, PacketError, SerializeError};

/// Which format, why, and where.
#[derive(Debug, Error)]
#[error("{format}: {reason}{}", OffsetSuffix(*offset))]
pub(crate) struct FormatError {
    format: &'static str,
    reason: Cow<'static, str>,
    /// In bytes from the start of the datagram.
    offset: Option<usize>,
}

impl FormatError {
    pub(crate) fn new(format: &'static str, reason: impl Into<Cow<'static, str>>) -> Self {
        Self {
            format,
            reason: reason.into(),
            offset: None,
        }
    }

    /// Takes over the wording of a crate's own error, which starts like a sentence in some.
    pub(crate) fn quote(format: &'static str, error: impl fmt::Display) -> Self {
        Self::new(format, lower_first(error.to_string()))
    }

    pub(crate) fn at(mut self, offset: impl Into<Option<usize>>) -> Self {
        self.offset = offset.into();
        self
    }
}

impl From<FormatError> for DeserializeError {
    fn from(error: FormatError) -> Self {
        Self::new(error)
    }
}

impl From<FormatError> for PacketError {
    fn from(error: FormatError) -> Self {
        DeserializeError::new(error).into()
    }
}

impl From<FormatError> for SerializeError {
    fn from(error: FormatError) -> Self {
        Self::new(error)
    }
}

/// Leaves abbreviations ("EOF") alone.
fn lower_first(mut text: String) -> String {
    if let [b'A'..=b'Z', b'a'..=b'z' | b' ', ..] = text.as_bytes() {
        text[..1].make_ascii_lowercase();
    }
    text
}

struct OffsetSuffix(Option<usize>);

impl fmt::Display for OffsetSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |offset| write!(f, " at offset {offset}"))
    }
}
