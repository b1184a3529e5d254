//! Whether bytes are exactly one well-formed CBOR item (RFC 8949, appendix C).
//!
//! ciborium alone does not look behind the item, takes an indefinite string for a chunk of another
//! one, and believes announced lengths.

use crate::{
    format_error::FormatError,
    walk::{Malformed, Walk, check_whole, malformed},
};

const BREAK: u8 = 0xff;

pub(super) fn check(input: &[u8]) -> Result<(), FormatError> {
    check_whole("cbor", input, |walk| item(walk, 0))
}

/// Passes one item that lies inside `depth` others.
fn item(walk: &mut Walk<'_>, depth: usize) -> Result<(), Malformed> {
    let start = walk.offset();
    let initial = walk.enter(depth)?;
    let (major, info) = (initial >> 5, initial & 0x1f);
    let argument = match info {
        0..24 => Some(u64::from(info)),
        24..28 => Some(walk.uint(1 << (info - 24))?),
        // Only strings and containers may be of indefinite length.
        31 if (2..=5).contains(&major) => None,
        31 if initial == BREAK => return Err(malformed("unexpected break", start)),
        _ => return Err(malformed("reserved initial byte", start)),
    };
    match (major, argument) {
        (2, Some(len)) => walk.skip(len),
        (3, Some(len)) => walk.text(len),
        (2 | 3, None) => {
            while !pass_break(walk)? {
                let is_chunk = |byte: u8| byte >> 5 == major && byte & 0x1f != 31;
                if !walk.peek().is_some_and(is_chunk) {
                    let reason = "a string needs chunks of its own type and of known length";
                    return Err(malformed(reason, walk.offset()));
                }
                item(walk, depth)?;
            }
            Ok(())
        }
        (4, Some(len)) => walk.values(len, |walk| item(walk, depth + 1)),
        (5, Some(len)) => walk.values(len.saturating_mul(2), |walk| item(walk, depth + 1)),
        (4 | 5, None) => {
            while !pass_break(walk)? {
                for _ in 0..major - 3 {
                    item(walk, depth + 1)?;
                }
            }
            Ok(())
        }
        (6, _) => item(walk, depth + 1),
        (7, Some(0..32)) if info == 24 => Err(malformed("two-byte simple value below 32", start)),
        _ => Ok(()),
    }
}

/// Passes a break, if that comes next. Something has to.
fn pass_break(walk: &mut Walk<'_>) -> Result<bool, Malformed> {
    match walk.peek() {
        Some(BREAK) => walk.skip(1).map(|()| true),
        Some(_) => Ok(false),
        None => Err(walk.truncated()),
    }
}
