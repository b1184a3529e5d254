//! What holds for every protocol, whatever arrives.

use std::{borrow::Borrow, fmt::Debug};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::DatagramProtocol;

/// Checks that what parses serializes, and parses again to the same packet. Returns the packet with
/// its datagram, which need not be the one that came in.
pub fn round_trip<P>(protocol: &P, datagram: &[u8]) -> Option<(P::Received, Bytes)>
where
    P: DatagramProtocol<Sent: PartialEq + Debug, Received: Borrow<P::Sent> + Debug>,
{
    let packet = parse(protocol, datagram)?;
    let datagram = from_packet(protocol, packet.borrow())
        .unwrap_or_else(|| panic!("parses, but does not serialize: {packet:?}"));
    Some((packet, datagram))
}

/// The same for a format in which a datagram is exactly one value: with a byte behind it, it is none.
pub fn exact_round_trip<P>(protocol: &P, datagram: &[u8]) -> Option<(P::Received, Bytes)>
where
    P: DatagramProtocol<Sent: PartialEq + Debug, Received: Borrow<P::Sent> + Debug>,
{
    let (packet, datagram) = round_trip(protocol, datagram)?;
    let longer = [&datagram, &b"\0"[..]].concat();
    let parsed = parse(protocol, &longer);
    assert!(parsed.is_none(), "{parsed:?} from {longer:02x?}");
    Some((packet, datagram))
}

/// Checks that what serializes parses to the same packet. Returns the datagram; `None` if the
/// packet does not serialize.
pub fn from_packet<P>(protocol: &P, packet: &P::Sent) -> Option<Bytes>
where
    P: DatagramProtocol<Sent: PartialEq + Debug, Received: Borrow<P::Sent> + Debug>,
{
    let datagram = serialize(protocol, packet)?;
    let parsed = parse(protocol, &datagram)
        .unwrap_or_else(|| panic!("serializes, but does not parse: {datagram:02x?}"));
    assert_same(parsed.borrow(), packet);
    let again = serialize(protocol, parsed.borrow());
    assert_eq!(again.as_ref(), Some(&datagram), "from {packet:?}");
    Some(datagram)
}

fn parse<P: DatagramProtocol>(protocol: &P, datagram: &[u8]) -> Option<P::Received> {
    // As it arrives: in a buffer that can be shared.
    let datagram = Bytes::copy_from_slice(datagram);
    protocol.build_packet_from_datagram((&datagram).into()).ok()
}

/// Serializes behind other bytes, which must stay.
fn serialize<P: DatagramProtocol>(protocol: &P, packet: &P::Sent) -> Option<Bytes> {
    const BEFORE: &[u8] = b"before";
    let mut buffer = BytesMut::from(BEFORE);
    let result = protocol.make_datagram(packet, &mut buffer);
    assert!(buffer.starts_with(BEFORE), "changed what was there");
    result.ok()?;
    Some(buffer.freeze().slice(BEFORE.len()..))
}

/// Checks that the packets are equal, or one of those that are not even equal to themselves, since
/// they hold a NaN. For these the datagrams have to do.
#[expect(clippy::eq_op, reason = "that is what a NaN is")]
fn assert_same<T: PartialEq + Debug + ?Sized>(left: &T, right: &T) {
    assert!(left == right || right != right, "{left:?} from {right:?}");
}
