//! Going through bytes that announce what follows them, and that may lie.

use core::str;

use crate::{format_error::FormatError, limits::MAX_DEPTH};

/// Checks that `pass` gets to the end of `input`, and no further than there.
pub(crate) fn check_whole(
    format: &'static str,
    input: &[u8],
    pass: impl FnOnce(&mut Walk<'_>) -> Result<(), Malformed>,
) -> Result<(), FormatError> {
    let mut walk = Walk { input, offset: 0 };
    pass(&mut walk)
        .and_then(|()| match walk.peek() {
            Some(_) => Err(malformed("trailing bytes", walk.offset)),
            None => Ok(()),
        })
        .map_err(|Malformed { reason, offset }| FormatError::new(format, reason).at(offset))
}

/// What is wrong, and where. Smaller than a [`FormatError`], since every step may return one.
pub(crate) struct Malformed {
    reason: &'static str,
    offset: usize,
}

pub(crate) const fn malformed(reason: &'static str, offset: usize) -> Malformed {
    Malformed { reason, offset }
}

/// The way so far.
pub(crate) struct Walk<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Walk<'a> {
    pub(crate) const fn offset(&self) -> usize {
        self.offset
    }

    /// Returns the next byte, if there is one, and stays in front of it.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.input.get(self.offset).copied()
    }

    /// Passes the first byte of a value that lies inside `depth` others.
    pub(crate) fn enter(&mut self, depth: usize) -> Result<u8, Malformed> {
        if depth > MAX_DEPTH {
            return Err(malformed("nested too deeply", self.offset));
        }
        Ok(self.take(1)?[0])
    }

    pub(crate) fn skip(&mut self, len: u64) -> Result<(), Malformed> {
        self.take(len).map(drop)
    }

    /// Passes an integer of `len` bytes, the most significant first.
    pub(crate) fn uint(&mut self, len: u64) -> Result<u64, Malformed> {
        let bytes = self.take(len)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    /// Passes `len` bytes of UTF-8.
    pub(crate) fn text(&mut self, len: u64) -> Result<(), Malformed> {
        let start = self.offset;
        str::from_utf8(self.take(len)?)
            .map(drop)
            .map_err(|error| malformed("text is not UTF-8", start + error.valid_up_to()))
    }

    /// Passes `count` values of a byte each at least.
    pub(crate) fn values(
        &mut self,
        count: u64,
        mut value: impl FnMut(&mut Self) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        for _ in 0..self.at_most_rest(count)? {
            value(self)?;
        }
        Ok(())
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let start = self.offset;
        self.offset += self.at_most_rest(len)?;
        Ok(&self.input[start..self.offset])
    }

    fn at_most_rest(&self, count: u64) -> Result<usize, Malformed> {
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.input.len() - self.offset)
            .ok_or_else(|| self.truncated())
    }

    pub(crate) fn truncated(&self) -> Malformed {
        malformed("the datagram ends within the value", self.input.len())
    }
}
