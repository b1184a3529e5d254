//! What wrappers do on the way out: encode the inner packet behind the buffer's content, then
//! transform it where it lies.
#![allow(dead_code, reason = "only the wrappers use it")]

use bytes::BytesMut;

use crate::{DatagramProtocol, SerializeError, format_error::FormatError};

/// Lets `protocol` append `packet`, and returns where it starts.
pub(crate) fn append<P: DatagramProtocol>(
    format: &'static str,
    protocol: &P,
    packet: &P::Sent,
    datagram: &mut BytesMut,
) -> Result<usize, SerializeError> {
    let start = datagram.len();
    protocol.make_datagram(packet, datagram)?;
    if datagram.len() < start {
        let reason = "the wrapped protocol removed what was in the buffer before";
        return Err(FormatError::new(format, reason).into());
    }
    Ok(start)
}
