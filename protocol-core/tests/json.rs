//! `Json`: what goes on the wire, and what is refused.
#![cfg(feature = "json")]

mod common;

use std::{collections::BTreeMap, net::IpAddr};

use common::{decode, encode, encode_error, on_small_stack, refusal};
use datagram_protocol_core::json::Json;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Packet {
    name: String,
    number: f64,
}

#[test]
fn packets_are_compact_utf8() {
    let packet = Packet {
        name: "é\u{7f}\n".to_owned(),
        number: 1e16,
    };

    let datagram = encode(&Json::<Packet>::new(), &packet);

    assert_eq!(datagram, "{\"name\":\"é\u{7f}\\n\",\"number\":1e+16}");
    assert_eq!(decode(&Json::<Packet>::new(), &datagram).unwrap(), packet);
}

#[test]
fn unsized_packets_can_be_sent() {
    assert_eq!(encode(&Json::<str, String>::new(), "a"), "\"a\"");
    assert_eq!(encode(&Json::<[u8], Vec<u8>>::new(), &[1, 2]), "[1,2]");
}

#[test]
fn errors_name_the_format_the_reason_and_the_position() {
    let json = Json::<Value>::new();

    assert_eq!(
        refusal(&json, b"[1,\n x]"),
        "json: expected value at line 2 column 2"
    );
    assert_eq!(
        refusal(&json, b"1 2"),
        "json: trailing characters at line 1 column 3"
    );
    assert!(refusal(&json, b"").contains("EOF"), "empty datagram");
    assert!(refusal(&json, b"\xef\xbb\xbf1").contains("expected value"));
    assert!(refusal(&json, b"\"\xff\"").contains("unicode"));
    assert!(refusal(&Json::<Packet>::new(), b"{}").contains("missing field `name`"));
}

#[test]
fn floats_that_json_has_not_are_refused_wherever_they_are() {
    #[derive(Serialize)]
    enum Nested {
        One(Option<f32>),
        Two((), [f64; 1]),
        Map { inner: BTreeMap<u8, f64> },
    }

    for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        for packet in [
            Nested::One(Some(number as f32)),
            Nested::Two((), [number]),
            Nested::Map {
                inner: BTreeMap::from([(1, number)]),
            },
        ] {
            let error = encode_error(&Json::<Nested, ()>::new(), &packet);
            assert_eq!(error, "json: NaN and infinities cannot be written");
        }
    }
    let finite = Nested::Map {
        inner: BTreeMap::from([(1, 0.5)]),
    };
    let datagram = encode(&Json::<Nested, ()>::new(), &finite);
    assert_eq!(datagram, "{\"Map\":{\"inner\":{\"1\":0.5}}}");
    for datagram in [&b"NaN"[..], b"Infinity", b"-Infinity", b"1e999"] {
        refusal(&Json::<f64>::new(), datagram);
    }
}

#[test]
fn values_are_written_for_humans() {
    let address = IpAddr::from([127, 0, 0, 1]);

    assert_eq!(encode(&Json::<IpAddr>::new(), &address), "\"127.0.0.1\"");
}

#[test]
fn white_space_around_the_value_is_fine() {
    let packet = decode(&Json::<Value>::new(), b" \t\r\n[1 , 2]\n").unwrap();

    assert_eq!(packet, json!([1, 2]));
}

#[test]
fn deep_nesting_is_an_error_on_a_small_stack() {
    on_small_stack(|| {
        let json = Json::<Value>::new();
        let nested = |levels| ["[".repeat(levels), "]".repeat(levels)].concat();

        decode(&json, nested(100).as_bytes()).unwrap();

        for levels in [129, 32_000] {
            let error = refusal(&json, nested(levels).as_bytes());
            assert!(error.contains("recursion limit"), "{error}");
        }
    });
}
