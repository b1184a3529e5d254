//! `MsgPack`: what goes on the wire, and what is refused.
#![cfg(feature = "msgpack")]

mod common;

use std::collections::BTreeMap;

use common::{decode, encode, on_small_stack, refusal};
use datagram_protocol_core::msgpack::MsgPack;
use proptest::prelude::*;
use serde::{Deserialize, Serialize, de::IgnoredAny};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Packet {
    id: i32,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
    shape: Option<Shape>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
}

#[test]
fn structs_are_maps_in_the_shortest_form() {
    let packet = Packet {
        id: -200,
        data: vec![0, 255],
        shape: Some(Shape::Point),
    };

    let datagram = encode(&MsgPack::<Packet>::new(), &packet);

    assert_eq!(
        datagram,
        b"\x83\xa2id\xd1\xff\x38\xa4data\xc4\x02\x00\xff\xa5shape\xa5Point"[..],
    );
    assert_eq!(
        decode(&MsgPack::<Packet>::new(), &datagram).unwrap(),
        packet
    );
}

#[test]
fn structs_are_read_from_arrays_too() {
    let datagram = b"\x93\x07\xc4\x00\x81\xa6Circle\xcb\x3f\xf0\0\0\0\0\0\0";

    let packet = decode(&MsgPack::<Packet>::new(), datagram).unwrap();

    assert_eq!(packet.shape, Some(Shape::Circle(1.0)));
}

#[test]
fn malformed_values_are_refused_with_reason_and_offset() {
    // Looks at nothing, so that only the check can refuse.
    #[derive(Debug, Deserialize)]
    struct Ignoring {}
    let msgpack = MsgPack::<(), Ignoring>::new();

    for (datagram, expected) in [
        (
            &b""[..],
            "msgpack: the datagram ends within the value at offset 0",
        ),
        (
            b"\x81\xa1a",
            "msgpack: the datagram ends within the value at offset 3",
        ),
        (b"\x81\xa1a\xc1", "msgpack: reserved byte 0xc1 at offset 3"),
        (
            b"\x81\xa1a\xa1\xff",
            "msgpack: text is not UTF-8 at offset 4",
        ),
        (b"\x80\xc0", "msgpack: trailing bytes at offset 1"),
        (
            b"\xdf\xff\xff\xff\xff",
            "msgpack: the datagram ends within the value at offset 5",
        ),
    ] {
        assert_eq!(refusal(&msgpack, datagram), expected, "{datagram:02x?}");
    }
}

#[test]
fn every_kind_of_value_has_its_length() {
    for datagram in [
        &b"\xc0"[..],
        b"\xc2",
        b"\x7f",
        b"\xe0",
        b"\xcc\0",
        b"\xcd\0\0",
        b"\xce\0\0\0\0",
        b"\xcf\0\0\0\0\0\0\0\0",
        b"\xd0\0",
        b"\xd1\0\0",
        b"\xd2\0\0\0\0",
        b"\xd3\0\0\0\0\0\0\0\0",
        b"\xca\0\0\0\0",
        b"\xcb\0\0\0\0\0\0\0\0",
        b"\xa1a",
        b"\xd9\x01a",
        b"\xda\0\x01a",
        b"\xdb\0\0\0\x01a",
        b"\xc4\x01a",
        b"\xc5\0\x01a",
        b"\xc6\0\0\0\x01a",
        b"\x91\x01",
        b"\xdc\0\x01\x01",
        b"\xdd\0\0\0\x01\x01",
        b"\x81\x01\x01",
        b"\xde\0\x01\x01\x01",
        b"\xdf\0\0\0\x01\x01\x01",
        b"\xd4\x01a",
        b"\xd5\x01ab",
        b"\xd6\x01abcd",
        b"\xd7\x01abcdefgh",
        b"\xd8\x010123456789abcdef",
        b"\xc7\x01\x01a",
        b"\xc8\0\x01\x01a",
        b"\xc9\0\0\0\x01\x01a",
    ] {
        let msgpack = MsgPack::<(), IgnoredAny>::new();

        decode(&msgpack, datagram).unwrap();

        let longer = [datagram, b"\0"].concat();
        assert!(
            refusal(&msgpack, &longer).contains("trailing"),
            "{datagram:02x?}"
        );
        let shorter = &datagram[..datagram.len() - 1];
        assert!(
            refusal(&msgpack, shorter).contains("ends within"),
            "{datagram:02x?}"
        );
    }
}

#[test]
fn well_formed_values_that_are_no_packet_are_refused() {
    let error = refusal(&MsgPack::<Vec<u8>>::new(), b"\x92\x01\xa1a");

    assert_eq!(error, "msgpack: wrong msgpack marker FixStr(1)");
    refusal(&MsgPack::<(u8, u8)>::new(), b"\x93\x01\x02\x03");
}

#[test]
fn lengths_of_one_two_and_four_bytes_are_read() {
    for len in [0, 31, 32, 255, 256, 65_535, 65_536, 70_000] {
        let (text, array) = (MsgPack::<String>::new(), MsgPack::<Vec<u8>>::new());
        let (long, many) = ("x".repeat(len), vec![7; len]);

        assert!(
            decode(&text, &encode(&text, &long)).unwrap() == long,
            "{len}"
        );
        assert!(
            decode(&array, &encode(&array, &many)).unwrap() == many,
            "{len}"
        );
    }
}

#[test]
fn deep_nesting_is_an_error_on_a_small_stack() {
    #[derive(Debug, Deserialize)]
    struct Nested(#[expect(dead_code, reason = "only its depth counts")] Vec<Self>);
    on_small_stack(|| {
        let msgpack = MsgPack::<(), Nested>::new();
        let nested = |levels| [b"\x91".repeat(levels), b"\x90".to_vec()].concat();

        decode(&msgpack, &nested(128)).unwrap();

        for levels in [129, 65_000] {
            let error = refusal(&msgpack, &nested(levels));
            assert!(error.contains("nested too deeply"), "{error}");
        }
    });
}

proptest! {
    #[test]
    fn packets_survive_the_trip(packet: BTreeMap<String, (i64, u64, Option<f64>)>) {
        let msgpack = MsgPack::<BTreeMap<String, (i64, u64, Option<f64>)>>::new();

        prop_assert_eq!(decode(&msgpack, &encode(&msgpack, &packet)).unwrap(), packet);
    }

    #[test]
    fn no_bytes_panic(datagram: Vec<u8>) {
        drop(decode(&MsgPack::<(), IgnoredAny>::new(), &datagram));
    }
}
