//! The cause inside the errors of the serializers and wrappers.
#![allow(dead_code, reason = "each feature uses a part of it")]

use alloc::{borrow::Cow, string::ToString};
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

    /// Takes over the wording of a crate's own error.
    pub(crate) fn quote(format: &'static str, error: impl fmt::Display) -> Self {
        Self::new(format, error.to_string())
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

struct OffsetSuffix(Option<usize>);

impl fmt::Display for OffsetSuffix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .map_or(Ok(()), |offset| write!(f, " at offset {offset}"))
    }
}
