//! Wrappers in wrappers, in any order and around anything.
#![cfg(all(feature = "base64", feature = "bzip2", feature = "zlib"))]

mod common;

use bytes::{Bytes, BytesMut};
use common::{decode, encode, encode_error};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, PacketError, Raw, SerializeError,
    base64::{Base64, Key},
    bzip2::Bzip2,
    zlib::Zlib,
};
use proptest::prelude::*;

type Dyn = Box<dyn DatagramProtocol<Sent = [u8], Received = Bytes>>;

const WRAPPERS: [fn(Dyn) -> Dyn; 5] = [
    |inner| Box::new(Base64::new(inner)),
    |inner| Box::new(Base64::new(inner).checksum()),
    |inner| Box::new(Base64::new(inner).key(&Key::new([7; 32]))),
    |inner| Box::new(Zlib::new(inner)),
    |inner| Box::new(Bzip2::new(inner)),
];

/// Breaks the promise to append only.
struct Shortening;

impl DatagramProtocol for Shortening {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, _: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.truncate(1);
        Ok(())
    }

    fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<Bytes, PacketError> {
        Ok(Bytes::new())
    }
}

#[test]
fn inner_protocol_that_shortens_the_buffer_is_an_error_and_no_panic() {
    for wrap in WRAPPERS {
        let mut datagram = BytesMut::from(&b"before"[..]);

        let error = wrap(Box::new(Shortening)).make_datagram(b"", &mut datagram);

        error.unwrap_err();
    }
}

#[test]
fn failure_of_the_inner_protocol_leaves_what_was_there() {
    struct Failing;
    impl DatagramProtocol for Failing {
        type Sent = [u8];
        type Received = Bytes;

        fn make_datagram(&self, _: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
            datagram.extend_from_slice(b"half a packet");
            Err(SerializeError::new("no more"))
        }

        fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<Bytes, PacketError> {
            Ok(Bytes::new())
        }
    }

    for wrap in WRAPPERS {
        assert_eq!(encode_error(&wrap(Box::new(Failing)), b""), "no more");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_order_survives_the_trip(
        order in prop::collection::vec(0..WRAPPERS.len(), 0..5),
        packet in prop::collection::vec(any::<u8>(), 0..2000),
    ) {
        let innermost: Dyn = Box::new(Raw);
        let protocol = order.iter().fold(innermost, |inner, index| WRAPPERS[*index](inner));

        prop_assert_eq!(&decode(&protocol, &encode(&protocol, &packet)).unwrap(), &packet);
    }
}
