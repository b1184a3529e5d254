//! `Layout`: byte orders, exact sizes, valid values.
#![cfg(feature = "layout")]

mod common;

use common::{decode, encode, refusal};
use datagram_protocol_core::layout::Layout;
use zerocopy::{FromBytes, Immutable, IntoBytes, TryFromBytes, big_endian, little_endian};

#[derive(Debug, Clone, Copy, PartialEq, FromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Header {
    magic: [u8; 4],
    version: u8,
    big: big_endian::U32,
    little: little_endian::U16,
    value: big_endian::F64,
}

#[derive(Debug, PartialEq, TryFromBytes, IntoBytes, Immutable)]
#[repr(u8)]
enum Kind {
    Ping = 1,
    Pong = 2,
}

#[test]
fn fields_lie_one_after_the_other_in_their_byte_order() {
    let header = Header {
        magic: *b"GLDN",
        version: 1,
        big: 2.into(),
        little: 3.into(),
        value: 1.0.into(),
    };

    let datagram = encode(&Layout::<Header>::new(), &header);

    assert_eq!(
        datagram,
        b"GLDN\x01\0\0\0\x02\x03\0\x3f\xf0\0\0\0\0\0\0"[..]
    );
    assert_eq!(decode(&Layout::<Header>::new(), &datagram).unwrap(), header);
}

#[test]
fn the_size_is_exact() {
    let layout = Layout::<Header>::new();

    assert_eq!(refusal(&layout, &[0; 18]), "layout: 18 bytes instead of 19");
    assert_eq!(refusal(&layout, &[0; 20]), "layout: 20 bytes instead of 19");
    assert_eq!(refusal(&layout, &[]), "layout: 0 bytes instead of 19");
}

#[test]
fn values_that_the_type_does_not_have_are_refused() {
    for kind in [Kind::Ping, Kind::Pong] {
        let datagram = encode(&Layout::<Kind>::new(), &kind);
        assert_eq!(decode(&Layout::<Kind>::new(), &datagram).unwrap(), kind);
    }
    let error = refusal(&Layout::<Kind>::new(), &[3]);
    assert_eq!(error, "layout: the 1 bytes are no valid value of the type");
    refusal(&Layout::<bool>::new(), &[2]);
}

#[test]
fn alignment_of_the_datagram_does_not_matter() {
    let bytes = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0];

    for start in 0..2 {
        let packet = decode(&Layout::<u64>::new(), &bytes[start..start + 8]).unwrap();
        assert_eq!(packet.to_ne_bytes(), bytes[start..start + 8]);
    }
}

#[test]
fn slices_of_any_length_can_be_sent() {
    let packet = [big_endian::U16::new(1), big_endian::U16::new(2)];

    let datagram = encode(&Layout::<[big_endian::U16], u32>::new(), &packet[..]);

    assert_eq!(datagram, b"\0\x01\0\x02"[..]);
}
