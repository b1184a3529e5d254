//! `Cbor`: what goes on the wire, and what is refused.
#![cfg(feature = "cbor")]

mod common;

use std::collections::BTreeMap;

use ciborium::Value;
use common::{decode, encode, encode_error, on_small_stack, refusal};
use datagram_protocol_core::cbor::Cbor;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Packet {
    id: u64,
    #[serde(with = "serde_bytes")]
    data: Vec<u8>,
    inner: Option<Box<Self>>,
    shape: Shape,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle(f64),
    Corner { x: i8, y: i8 },
}

fn packet(shape: Shape, inner: Option<Packet>) -> Packet {
    Packet {
        id: 1000,
        data: vec![0, 255],
        inner: inner.map(Box::new),
        shape,
    }
}

#[test]
fn structs_are_maps_in_the_shortest_form() {
    let datagram = encode(&Cbor::<Packet>::new(), &packet(Shape::Point, None));

    assert_eq!(
        datagram,
        b"\xa4\x62id\x19\x03\xe8\x64data\x42\x00\xff\x65inner\xf6\x65shape\x65Point"[..],
    );
}

#[test]
fn packets_survive_the_trip() {
    let inner = packet(Shape::Circle(0.1), None);
    let sent = packet(Shape::Corner { x: 1, y: -1 }, Some(inner));
    let protocol = Cbor::<Packet>::new();

    let received = decode(&protocol, &encode(&protocol, &sent)).unwrap();

    assert_eq!(received, sent);
}

#[test]
fn every_width_is_read() {
    let floats = b"\x83\xf9\x3c\x00\xfa\x3f\x80\x00\x00\xfb\x3f\xf0\0\0\0\0\0\0";
    let indefinite = b"\xbf\x7f\x61a\x61b\xff\x1b\0\0\0\0\0\0\0\x01\xff";

    assert_eq!(decode(&Cbor::<Vec<f64>>::new(), floats).unwrap(), [1.0; 3]);
    let map = decode(&Cbor::<Value>::new(), indefinite).unwrap();
    assert_eq!(map, Value::Map(vec![("ab".into(), 1.into())]));
}

#[test]
fn long_strings_and_keys_are_read() {
    let long = "a".repeat(60_000);
    let map = [(long.clone(), serde_bytes::ByteArray::new([7; 5000]))];
    let protocol = Cbor::<BTreeMap<String, serde_bytes::ByteArray<5000>>>::new();
    let packet = BTreeMap::from(map);

    assert_eq!(
        decode(&protocol, &encode(&protocol, &packet)).unwrap(),
        packet
    );
    let unknown_key = encode(&Cbor::<_>::new(), &BTreeMap::from([(long, 1)]));
    assert!(refusal(&Cbor::<Packet>::new(), &unknown_key).contains("missing field"));
}

#[test]
fn tags_are_skipped_where_the_packet_has_none() {
    assert_eq!(decode(&Cbor::<u8>::new(), b"\xd9\xd9\xf7\x05").unwrap(), 5);
}

#[test]
fn malformed_items_are_refused_with_reason_and_offset() {
    let cbor = Cbor::<Value>::new();

    for (datagram, expected) in [
        (
            &b""[..],
            "cbor: the datagram ends within the value at offset 0",
        ),
        (
            b"\x82\x01",
            "cbor: the datagram ends within the value at offset 2",
        ),
        (
            b"\x7f\x61a",
            "cbor: the datagram ends within the value at offset 3",
        ),
        (b"\x01\x02", "cbor: trailing bytes at offset 1"),
        (b"\x81\x1c", "cbor: reserved initial byte at offset 1"),
        (b"\x81\x3f", "cbor: reserved initial byte at offset 1"),
        (b"\x81\xff", "cbor: unexpected break at offset 1"),
        (b"\xbf\x01\xff", "cbor: unexpected break at offset 2"),
        (
            b"\x81\xf8\x1f",
            "cbor: two-byte simple value below 32 at offset 1",
        ),
        (b"\x63a\xffb", "cbor: text is not UTF-8 at offset 2"),
        // A character may not be split between chunks.
        (
            b"\x7f\x61\xc3\x61\xa9\xff",
            "cbor: text is not UTF-8 at offset 2",
        ),
    ] {
        assert_eq!(refusal(&cbor, datagram), expected, "{datagram:02x?}");
    }
}

#[test]
fn chunks_are_definite_strings_of_the_same_type() {
    for datagram in [
        &b"\x5f\x5f\x41\0\xff\xff"[..],
        b"\x5f\x61a\xff",
        b"\x7f\x00\xff",
    ] {
        let error = refusal(&Cbor::<Value>::new(), datagram);

        let reason = "a string needs chunks of its own type and of known length at offset 1";
        assert_eq!(error, format!("cbor: {reason}"));
    }
}

#[test]
fn well_formed_items_that_are_no_packet_are_refused() {
    assert!(refusal(&Cbor::<u8>::new(), b"\x19\x01\x00").starts_with("cbor: "));
    assert!(refusal(&Cbor::<Packet>::new(), b"\xa0").contains("missing field `id`"));
    let error = refusal(&Cbor::<(u8, u8)>::new(), b"\x83\x01\x02\x03");
    assert_eq!(error, "cbor: an array is longer than its type at offset 3");
    let error = refusal(&Cbor::<((u8, u8), u8)>::new(), b"\x82\x83\x01\x02\x03\x04");
    assert_eq!(error, "cbor: an array is longer than its type at offset 5");
}

#[test]
fn packets_that_serde_refuses_are_serialize_errors() {
    struct Refusing;
    impl Serialize for Refusing {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom("no"))
        }
    }

    assert_eq!(
        encode_error(&Cbor::<Refusing, ()>::new(), &Refusing),
        "cbor: no"
    );
}

#[test]
fn deep_nesting_is_an_error_on_a_small_stack() {
    on_small_stack(|| {
        let cbor = Cbor::<Value>::new();
        let nested = |unit: &[u8], levels| [unit.repeat(levels), vec![0x01]].concat();

        for unit in [&b"\x81"[..], b"\xa1\x61a", b"\xc6"] {
            decode(&cbor, &nested(unit, 128)).unwrap();
            for levels in [129, 21_000] {
                let error = refusal(&cbor, &nested(unit, levels));
                assert!(error.contains("nested too deeply"), "{error}");
            }
        }
        let error = refusal(&cbor, &b"\x9f".repeat(65_000));
        assert!(error.contains("nested too deeply"), "{error}");
    });
}

proptest! {
    #[test]
    fn no_bytes_panic_and_values_are_stable(datagram: Vec<u8>) {
        let cbor = Cbor::<Value>::new();
        if let Ok(value) = decode(&cbor, &datagram) {
            let again = encode(&cbor, &value);
            prop_assert_eq!(&encode(&cbor, &decode(&cbor, &again).unwrap()), &again);
        }
    }
}
