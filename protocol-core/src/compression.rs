//! What the compressing wrappers have in common: compression behind the buffer's content, and
//! decompression of exactly one stream up to a limit.

use alloc::{vec, vec::Vec};

use bytes::{Bytes, BytesMut};

use crate::{DatagramProtocol, SerializeError, format_error::FormatError, tail};

/// The default for the largest datagram that comes out of decompression, in bytes: four times the
/// longest that UDP carries (65,535). More than that in one packet is a case for a stream.
pub(crate) const DEFAULT_MAX_SIZE: usize = 256 * 1024;

/// Appends the packet, compressed. `compress` gets the inner datagram, and `bound` of its length
/// bytes of room, of which it returns how many it has used.
pub(crate) fn compress<P: DatagramProtocol>(
    format: &'static str,
    protocol: &P,
    packet: &P::Sent,
    datagram: &mut BytesMut,
    bound: impl FnOnce(usize) -> usize,
    compress: impl FnOnce(&[u8], &mut [u8]) -> Option<usize>,
) -> Result<(), SerializeError> {
    let start = tail::append(format, protocol, packet, datagram)?;
    let end = datagram.len();
    let len = end - start;
    datagram.resize(end + bound(len), 0);
    let (raw, room) = datagram[start..].split_at_mut(len);
    let compressed = compress(raw, room)
        .ok_or_else(|| FormatError::new(format, "the compressor did not finish"))?;
    datagram.copy_within(end..end + compressed, start);
    datagram.truncate(start + compressed);
    Ok(())
}

/// What a decompressor did with what it got.
pub(crate) struct Progress {
    pub(crate) read: usize,
    pub(crate) written: usize,
    pub(crate) finished: bool,
}

/// Decompresses one stream of at most `max_size` bytes, which fills the input.
///
/// `step` gets the input that is left, the output, and from where on the output has room. It stops
/// only at the end of one of them, or of the stream.
pub(crate) fn decompress(
    format: &'static str,
    input: &[u8],
    max_size: usize,
    mut step: impl FnMut(&[u8], &mut [u8], usize) -> Result<Progress, &'static str>,
) -> Result<Bytes, FormatError> {
    let mut output = vec![0; (input.len() * 4 + 64).min(max_size)];
    let (mut read, mut written) = (0, 0);
    loop {
        let progress = step(&input[read..], &mut output, written)
            .map_err(|reason| FormatError::new(format, reason).at(read))?;
        read += progress.read;
        written += progress.written;
        if progress.finished {
            break;
        } else if written < output.len() {
            return Err(FormatError::new(format, "the stream is cut short").at(read));
        } else if output.len() < max_size {
            grow(&mut output, max_size);
        } else if progress.written == 0 {
            // The output was full before, and still this was not the end.
            let reason = alloc::format!("more than {max_size} bytes when decompressed");
            return Err(FormatError::new(format, reason));
        }
    }
    if read < input.len() {
        return Err(FormatError::new(format, "trailing bytes").at(read));
    }
    output.truncate(written);
    Ok(output.into())
}

/// Doubles the buffer, but never allocates more than `max_size`.
fn grow(output: &mut Vec<u8>, max_size: usize) {
    let len = (output.len() * 2).min(max_size);
    output.reserve_exact(len - output.len());
    output.resize(len, 0);
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Progress = Progress {
        read: 1,
        written: 4,
        finished: false,
    };

    /// Decompresses with those steps to at most 4 bytes.
    fn decompress_in(steps: impl IntoIterator<Item = Progress>) -> Result<Bytes, FormatError> {
        let mut steps = steps.into_iter();
        decompress("test", b"ab", 4, |_, _, _| {
            Ok(steps.next().expect("no further step"))
        })
    }

    #[test]
    fn full_output_may_turn_out_to_be_all() {
        let end = Progress {
            read: 1,
            written: 0,
            finished: true,
        };

        let output = decompress_in([FULL, end]).unwrap();

        assert_eq!(output.len(), 4);
    }

    #[test]
    fn full_output_that_is_not_all_is_an_error() {
        let no_end = Progress {
            read: 1,
            written: 0,
            finished: false,
        };

        decompress_in([FULL, no_end]).unwrap_err();
    }
}
