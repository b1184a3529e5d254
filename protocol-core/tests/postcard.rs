//! `Postcard`: what goes on the wire, and what is refused.
#![cfg(feature = "postcard")]

mod common;

use std::{collections::BTreeMap, net::IpAddr, time::Instant};

use common::{decode, encode, on_small_stack, refusal};
use datagram_protocol_core::postcard::Postcard;
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

type Everything = (
    BTreeMap<u8, Option<i64>>,
    Vec<String>,
    (u8, i128, char),
    f32,
    Result<(), [u16; 3]>,
);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum List {
    Nil,
    Cons(u8, Box<Self>),
    Named { rest: Box<Self> },
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Tree(Vec<Self>);

#[test]
fn packets_are_varints_one_after_the_other() {
    let packet = List::Cons(7, Box::new(List::Nil));

    assert_eq!(encode(&Postcard::<List>::new(), &packet), [1, 7, 0][..]);
    assert_eq!(encode(&Postcard::<str, String>::new(), "ab"), b"\x02ab"[..]);
}

#[test]
fn values_are_not_written_for_humans() {
    let address = IpAddr::from([127, 0, 0, 1]);
    let protocol = Postcard::<IpAddr>::new();

    let datagram = encode(&protocol, &address);

    assert_eq!(datagram, [0, 127, 0, 0, 1][..]);
    assert_eq!(decode(&protocol, &datagram).unwrap(), address);
}

#[test]
fn malformed_messages_are_refused_with_reason_and_offset() {
    let text = Postcard::<String>::new();

    assert_eq!(
        refusal(&text, b"\x01ab"),
        "postcard: trailing bytes at offset 2"
    );
    assert!(refusal(&text, b"\x02a").contains("end of buffer"));
    assert!(refusal(&text, b"\x01\xff").contains("utf-8"));
    assert!(refusal(&text, b"").ends_with("at offset 0"));
    assert!(refusal(&Postcard::<bool>::new(), b"\x02").starts_with("postcard: found a bool"));
}

#[test]
fn deep_nesting_is_an_error_on_a_small_stack() {
    on_small_stack(|| {
        let tree = |levels| [vec![1; levels], vec![0]].concat();
        decode(&Postcard::<Tree>::new(), &tree(128)).unwrap();
        for levels in [129, 65_000] {
            let error = refusal(&Postcard::<Tree>::new(), &tree(levels));
            assert!(error.starts_with("postcard: nested too deeply"), "{error}");
        }

        for unit in [&b"\x01\x07"[..], b"\x02"] {
            let list = |levels| [unit.repeat(levels), vec![0]].concat();
            decode(&Postcard::<List>::new(), &list(128)).unwrap();
            for levels in [129, 32_000] {
                let error = refusal(&Postcard::<List>::new(), &list(levels));
                assert!(error.starts_with("postcard: nested too deeply"), "{error}");
            }
        }
    });
}

#[test]
fn elements_of_no_size_are_bounded() {
    let start = Instant::now();
    let protocol = Postcard::<Vec<()>>::new();
    assert_eq!(decode(&protocol, b"\x05").unwrap().len(), 5);

    let error = refusal(&protocol, b"\xff\xff\xff\xff\xff\xff\xff\xff\x7f");

    assert!(error.starts_with("postcard: too many elements"), "{error}");
    assert!(start.elapsed().as_secs() < 5);
}

#[test]
fn as_many_elements_as_a_datagram_holds_are_read() {
    let protocol = Postcard::<Vec<Option<()>>>::new();
    let packet = vec![Some(()); 65_504];

    assert_eq!(
        decode(&protocol, &encode(&protocol, &packet)).unwrap(),
        packet
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn packets_survive_the_trip(packet: Everything) {
        let protocol = Postcard::<Everything>::new();

        prop_assert_eq!(decode(&protocol, &encode(&protocol, &packet)).unwrap(), packet);
    }

    #[test]
    fn no_bytes_panic(datagram: Vec<u8>) {
        drop(decode(&Postcard::<Everything>::new(), &datagram));
        drop(decode(&Postcard::<List>::new(), &datagram));
    }
}
