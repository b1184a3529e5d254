//! Whether bytes are exactly one well-formed MessagePack value.
//!
//! rmp-serde alone does not look behind the value, lets text through that is not UTF-8 where the
//! packet ignores it, and believes announced lengths.

use core::str;

use crate::{format_error::FormatError, limits::MAX_DEPTH};

pub(super) fn check(input: &[u8]) -> Result<(), FormatError> {
    let mut walk = Walk { input, offset: 0 };
    walk.value(0)
        .and_then(|()| walk.end())
        .map_err(|Malformed { reason, offset }| FormatError::new("msgpack", reason).at(offset))
}

/// Smaller than a [`FormatError`], since every step of the walk may return one.
struct Malformed {
    reason: &'static str,
    offset: usize,
}

struct Walk<'a> {
    input: &'a [u8],
    offset: usize,
}

impl<'a> Walk<'a> {
    fn end(&self) -> Result<(), Malformed> {
        if self.offset < self.input.len() {
            return Err(malformed("trailing bytes", self.offset));
        }
        Ok(())
    }

    /// Passes one value that lies inside `depth` others.
    fn value(&mut self, depth: usize) -> Result<(), Malformed> {
        let start = self.offset;
        if depth > MAX_DEPTH {
            return Err(malformed("nested too deeply", start));
        }
        match self.take(1)?[0] {
            0xc1 => Err(malformed("reserved byte 0xc1", start)),
            // Small integers, nil, booleans.
            0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Ok(()),
            marker @ 0x80..=0x8f => self.values(2 * usize::from(marker & 0x0f), depth),
            marker @ 0x90..=0x9f => self.values((marker & 0x0f).into(), depth),
            marker @ 0xa0..=0xbf => self.text((marker & 0x1f).into()),
            // Binary data, and extensions, whose type is one byte more.
            marker @ 0xc4..=0xc6 => {
                let len = self.len(marker - 0xc4)?;
                self.skip(len)
            }
            marker @ 0xc7..=0xc9 => {
                let len = self.len(marker - 0xc7)?;
                self.skip(len.saturating_add(1))
            }
            // Floats, integers, extensions of fixed size.
            marker @ (0xca | 0xcb) => self.skip(4 << (marker - 0xca)),
            marker @ 0xcc..=0xcf => self.skip(1 << (marker - 0xcc)),
            marker @ 0xd0..=0xd3 => self.skip(1 << (marker - 0xd0)),
            marker @ 0xd4..=0xd8 => self.skip(1 + (1 << (marker - 0xd4))),
            marker @ 0xd9..=0xdb => {
                let len = self.len(marker - 0xd9)?;
                self.text(len)
            }
            marker @ (0xdc | 0xdd) => {
                let len = self.len(1 + marker - 0xdc)?;
                self.values(len, depth)
            }
            marker @ (0xde | 0xdf) => {
                let len = self.len(1 + marker - 0xde)?;
                self.values(len.saturating_mul(2), depth)
            }
        }
    }

    /// Passes `count` values inside one that is itself at `depth`.
    fn values(&mut self, count: usize, depth: usize) -> Result<(), Malformed> {
        // Each takes a byte at least.
        self.check_rest(count)?;
        (0..count).try_for_each(|_| self.value(depth + 1))
    }

    fn text(&mut self, len: usize) -> Result<(), Malformed> {
        let start = self.offset;
        str::from_utf8(self.take(len)?)
            .map(drop)
            .map_err(|error| malformed("text is not UTF-8", start + error.valid_up_to()))
    }

    /// Reads a length of 1, 2 or 4 bytes, for a `width` of 0, 1 or 2.
    fn len(&mut self, width: u8) -> Result<usize, Malformed> {
        let bytes = self.take(1 << width)?;
        Ok(bytes
            .iter()
            .fold(0, |len, byte| len << 8 | usize::from(*byte)))
    }

    fn skip(&mut self, len: usize) -> Result<(), Malformed> {
        self.take(len).map(drop)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        self.check_rest(len)?;
        let start = self.offset;
        self.offset += len;
        Ok(&self.input[start..self.offset])
    }

    fn check_rest(&self, len: usize) -> Result<(), Malformed> {
        if len > self.input.len() - self.offset {
            let reason = "the datagram ends within the value";
            return Err(malformed(reason, self.input.len()));
        }
        Ok(())
    }
}

const fn malformed(reason: &'static str, offset: usize) -> Malformed {
    Malformed { reason, offset }
}
