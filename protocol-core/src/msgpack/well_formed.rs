//! Whether bytes are exactly one well-formed MessagePack value.
//!
//! rmp-serde alone does not look behind the value, lets text through that is not UTF-8 where the
//! packet ignores it, and believes announced lengths.

use crate::{
    format_error::FormatError,
    walk::{Malformed, Walk, check_whole, malformed},
};

pub(super) fn check(input: &[u8]) -> Result<(), FormatError> {
    check_whole("msgpack", input, |walk| value(walk, 0))
}

/// Passes one value that lies inside `depth` others.
fn value(walk: &mut Walk<'_>, depth: usize) -> Result<(), Malformed> {
    let start = walk.offset();
    let values = |walk: &mut Walk<'_>, count| walk.values(count, |walk| value(walk, depth + 1));
    match walk.enter(depth)? {
        0xc1 => Err(malformed("reserved byte 0xc1", start)),
        // Small integers, nil, booleans.
        0x00..=0x7f | 0xc0 | 0xc2 | 0xc3 | 0xe0..=0xff => Ok(()),
        marker @ 0x80..=0x8f => values(walk, 2 * u64::from(marker & 0x0f)),
        marker @ 0x90..=0x9f => values(walk, (marker & 0x0f).into()),
        marker @ 0xa0..=0xbf => walk.text((marker & 0x1f).into()),
        // Binary data, and extensions, whose type is one byte more.
        marker @ 0xc4..=0xc6 => {
            let len = walk.uint(1 << (marker - 0xc4))?;
            walk.skip(len)
        }
        marker @ 0xc7..=0xc9 => {
            let len = walk.uint(1 << (marker - 0xc7))?;
            walk.skip(len + 1)
        }
        // Floats, integers, extensions of fixed size.
        marker @ (0xca | 0xcb) => walk.skip(4 << (marker - 0xca)),
        marker @ 0xcc..=0xcf => walk.skip(1 << (marker - 0xcc)),
        marker @ 0xd0..=0xd3 => walk.skip(1 << (marker - 0xd0)),
        marker @ 0xd4..=0xd8 => walk.skip(1 + (1 << (marker - 0xd4))),
        marker @ 0xd9..=0xdb => {
            let len = walk.uint(1 << (marker - 0xd9))?;
            walk.text(len)
        }
        marker @ (0xdc | 0xdd) => {
            let count = walk.uint(2 << (marker - 0xdc))?;
            values(walk, count)
        }
        marker @ (0xde | 0xdf) => {
            let pairs = walk.uint(2 << (marker - 0xde))?;
            values(walk, 2 * pairs)
        }
    }
}
