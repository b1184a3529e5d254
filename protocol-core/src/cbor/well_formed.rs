//! Whether bytes are exactly one well-formed CBOR item (RFC 8949, appendix C).
//!
//! ciborium alone does not look behind the item, takes an indefinite string for a chunk of another
//! one, and believes announced lengths.

use core::str;

use crate::{format_error::FormatError, limits::MAX_DEPTH};

const BREAK: u8 = 0xff;

pub(super) fn check(input: &[u8]) -> Result<(), FormatError> {
    let mut walk = Walk { input, offset: 0 };
    walk.item(0)
        .and_then(|()| walk.end())
        .map_err(|Malformed { reason, offset }| FormatError::new("cbor", reason).at(offset))
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

    /// Passes one item that lies inside `depth` others.
    fn item(&mut self, depth: usize) -> Result<(), Malformed> {
        let start = self.offset;
        if depth > MAX_DEPTH {
            return Err(malformed("nested too deeply", start));
        }
        let initial = self.take(1)?[0];
        let (major, info) = (initial >> 5, initial & 0x1f);
        let argument = match info {
            0..24 => Some(u64::from(info)),
            24..28 => Some(self.uint(1 << (info - 24))?),
            // Only strings and containers may be of indefinite length.
            31 if (2..=5).contains(&major) => None,
            31 if initial == BREAK => return Err(malformed("unexpected break", start)),
            _ => return Err(malformed("reserved initial byte", start)),
        };
        match (major, argument) {
            (2, Some(len)) => drop(self.take(len)?),
            (3, Some(len)) => {
                let start = self.offset;
                if let Err(error) = str::from_utf8(self.take(len)?) {
                    return Err(malformed("text is not UTF-8", start + error.valid_up_to()));
                }
            }
            (2 | 3, None) => {
                while !self.pass_break() {
                    let chunk = self.input.get(self.offset).copied().unwrap_or(BREAK);
                    if chunk >> 5 != major || chunk & 0x1f == 31 {
                        let reason = "a string needs chunks of its own type and of known length";
                        return Err(match self.input.len() {
                            len if len == self.offset => malformed(TRUNCATED, len),
                            _ => malformed(reason, self.offset),
                        });
                    }
                    self.item(depth)?;
                }
            }
            (4 | 5, Some(len)) => {
                let items = len.saturating_mul(u64::from(major - 3));
                for _ in 0..self.at_most_rest(items)? {
                    self.item(depth + 1)?;
                }
            }
            (4 | 5, None) => {
                while !self.pass_break() {
                    for _ in 0..major - 3 {
                        self.item(depth + 1)?;
                    }
                }
            }
            (6, _) => self.item(depth + 1)?,
            (7, Some(0..32)) if info == 24 => {
                return Err(malformed("two-byte simple value below 32", start));
            }
            _ => {}
        }
        Ok(())
    }

    fn pass_break(&mut self) -> bool {
        let found = self.input.get(self.offset) == Some(&BREAK);
        self.offset += usize::from(found);
        found
    }

    fn uint(&mut self, len: u64) -> Result<u64, Malformed> {
        let bytes = self.take(len)?;
        Ok(bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u64::from(*byte)))
    }

    fn take(&mut self, len: u64) -> Result<&'a [u8], Malformed> {
        let start = self.offset;
        self.offset += self.at_most_rest(len)?;
        Ok(&self.input[start..self.offset])
    }

    /// Checks that `count` bytes, or items of at least a byte each, can follow.
    fn at_most_rest(&self, count: u64) -> Result<usize, Malformed> {
        usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.input.len() - self.offset)
            .ok_or_else(|| malformed(TRUNCATED, self.input.len()))
    }
}

const TRUNCATED: &str = "the datagram ends within the item";

const fn malformed(reason: &'static str, offset: usize) -> Malformed {
    Malformed { reason, offset }
}
