//! What the tests of several protocols need.
#![allow(dead_code, reason = "each test file uses a part of it")]
#![allow(clippy::unwrap_used, reason = "for tests only")]

use std::{error::Error, thread};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{DatagramProtocol, PacketError};

/// Encodes behind other bytes, and checks that these are left alone.
#[track_caller]
pub(crate) fn encode<P: DatagramProtocol>(protocol: &P, packet: &P::Sent) -> Bytes {
    const BEFORE: &[u8] = b"before";
    let mut datagram = BytesMut::from(BEFORE);
    protocol.make_datagram(packet, &mut datagram).unwrap();
    assert_eq!(datagram[..BEFORE.len()], *BEFORE, "changed what was there");
    datagram.freeze().slice(BEFORE.len()..)
}

#[track_caller]
pub(crate) fn encode_error<P: DatagramProtocol>(protocol: &P, packet: &P::Sent) -> String {
    let mut datagram = BytesMut::from(&b"before"[..]);
    let error = protocol.make_datagram(packet, &mut datagram).unwrap_err();
    assert_eq!(datagram[..6], *b"before", "changed what was there");
    cause(&error)
}

pub(crate) fn decode<P: DatagramProtocol>(
    protocol: &P,
    datagram: &[u8],
) -> Result<P::Received, PacketError> {
    protocol.build_packet_from_datagram(datagram.into())
}

/// Checks that the datagram is refused as malformed, and returns why.
#[track_caller]
pub(crate) fn refusal<P: DatagramProtocol>(protocol: &P, datagram: &[u8]) -> String {
    match decode(protocol, datagram) {
        Err(PacketError::Deserialize(error)) => cause(&error),
        Err(error) => panic!("{datagram:02x?}: {error:?}"),
        Ok(_) => panic!("{datagram:02x?} was accepted"),
    }
}

fn cause(error: &dyn Error) -> String {
    let cause = error.source().expect("errors of protocols have a cause");
    assert!(cause.source().is_none());
    cause.to_string()
}

/// Runs `body` on the stack that spawned threads have, even if the test's own is larger.
pub(crate) fn on_small_stack(body: impl FnOnce() + Send + 'static) {
    let thread = thread::Builder::new().stack_size(2 << 20).spawn(body);
    thread.unwrap().join().unwrap();
}
