//! `Base64`: what goes on the wire, what is refused, and that refusals tell nothing.
#![cfg(feature = "base64")]

mod common;

use bytes::Bytes;
use common::{decode, encode, encode_error, refusal};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, Line, Raw,
    base64::{Alphabet, Base64, Key},
};
use proptest::prelude::*;

const INVALID: &str = "base64: invalid token";

fn key() -> Key {
    Key::from_base64("Z29sZGVuLXZlY3RvcnMta2V5LW51bWJlci0wMDAwMSE=").expect("32 bytes")
}

fn all_kinds() -> Vec<Base64<Raw>> {
    [Alphabet::UrlSafe, Alphabet::Standard]
        .map(|alphabet| Base64::new(Raw).alphabet(alphabet))
        .map(|base64| {
            [
                base64.clone(),
                base64.clone().checksum(),
                base64.key(&key()),
            ]
        })
        .concat()
}

#[test]
fn alphabets_differ_in_two_characters() {
    let packet = [0xfb, 0xff, 0xfe, 0xff];

    assert_eq!(encode(&Base64::new(Raw), &packet), "-__-_w==");
    let standard = Base64::new(Raw).alphabet(Alphabet::Standard);
    assert_eq!(encode(&standard, &packet), "+//+/w==");
}

#[test]
fn an_empty_datagram_is_an_empty_packet_unless_there_is_a_checksum() {
    let plain = Base64::new(Raw);
    let (checksum, signature) = (plain.clone().checksum(), plain.clone().key(&key()));

    assert!(decode(&plain, b"").unwrap().is_empty());
    assert_eq!(refusal(&checksum, b""), INVALID);
    assert_eq!(refusal(&signature, b""), INVALID);
    assert_eq!(encode(&checksum, b"").len(), 44);
    assert!(
        decode(&checksum, &encode(&checksum, b""))
            .unwrap()
            .is_empty()
    );
}

#[test]
fn checksum_is_sha256_behind_the_packet() {
    // printf 'abc' | sha256sum, and the same with the key through HMAC.
    let datagram = encode(&Base64::new(Raw).checksum(), b"abc");

    assert_eq!(datagram, "YWJjungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0=");
}

#[test]
fn decoding_is_strict() {
    for datagram in [
        &b"YQ"[..], // no padding
        b"YQ=",
        b"YQ===",
        b"YR==", // bits left over
        b"YWJj\n",
        b" YWJj",
        b"YW Jj",
        b"+/+/", // the other alphabet
        b"YQ==YQ==",
        b"Y",
        b"\xff\xff\xff\xff",
    ] {
        let error = refusal(&Base64::new(Raw), datagram);
        assert_eq!(error, INVALID, "{datagram:02x?}");
    }
}

#[test]
fn every_flipped_bit_is_refused_the_same_way() {
    for sealed in [Base64::new(Raw).checksum(), Base64::new(Raw).key(&key())] {
        let datagram = encode(&sealed, b"packet");
        for bit in 0..datagram.len() * 8 {
            let mut flipped = datagram.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(refusal(&sealed, &flipped), INVALID, "bit {bit}");
        }
        for len in 0..datagram.len() {
            assert_eq!(refusal(&sealed, &datagram[..len]), INVALID, "{len} bytes");
        }
    }
}

#[test]
fn another_key_is_refused() {
    let datagram = encode(&Base64::new(Raw).key(&key()), b"packet");
    let generated = Key::generate().unwrap();

    let error = refusal(&Base64::new(Raw).key(&generated), &datagram);

    assert_eq!(error, INVALID);
    assert_eq!(refusal(&Base64::new(Raw).checksum(), &datagram), INVALID);
}

#[test]
fn keys_have_a_text_form() {
    let generated = Key::generate().unwrap();
    let again = Key::from_base64(&generated.to_base64()).unwrap();

    let datagram = encode(&Base64::new(Raw).key(&generated), b"packet");

    assert_eq!(
        decode(&Base64::new(Raw).key(&again), &datagram).unwrap(),
        b"packet"[..]
    );
    assert_ne!(generated.to_base64(), Key::generate().unwrap().to_base64());
    assert_eq!(format!("{generated:?}"), "Key(..)");
    assert_eq!(
        Key::new([0; 32]).to_base64(),
        format!("{}=", "A".repeat(43))
    );
}

#[test]
fn other_texts_are_no_keys() {
    let too_long = format!("{}==", "A".repeat(46));
    for text in [
        "",
        "AAAA",
        &"A".repeat(43),
        &too_long,
        &format!("{}+=", "A".repeat(42)),
    ] {
        let error = Key::from_base64(text).unwrap_err();
        assert!(error.to_string().contains("32 bytes"));
        assert!(!format!("{error:?}").contains("AAAA"));
    }
}

#[test]
fn inner_errors_pass_through() {
    let ascii = Base64::new(Line::new().ascii(true)).checksum();

    let unsent = encode_error(&ascii, "é");
    let unreceived = refusal(&ascii, &encode(&Base64::new(Line::new()).checksum(), "aé"));

    assert_eq!(unsent, "line: byte 0xc3 at offset 0 is not ASCII");
    assert_eq!(unreceived, "line: byte 0xc3 at offset 1 is not ASCII");
}

#[test]
fn decoded_bytes_are_shared_with_the_packet() {
    struct Pointer;
    impl DatagramProtocol for Pointer {
        type Sent = [u8];
        type Received = (usize, Bytes);
        fn make_datagram(
            &self,
            packet: &[u8],
            datagram: &mut bytes::BytesMut,
        ) -> Result<(), datagram_protocol_core::SerializeError> {
            Raw.make_datagram(packet, datagram)
        }
        fn build_packet_from_datagram(
            &self,
            datagram: Datagram<'_>,
        ) -> Result<(usize, Bytes), datagram_protocol_core::PacketError> {
            Ok((datagram.as_ptr().addr(), datagram.to_bytes()))
        }
    }
    let protocol = Base64::new(Pointer).checksum();

    let (address, bytes) = decode(&protocol, &encode(&protocol, b"packet")).unwrap();

    assert_eq!(bytes.as_ptr().addr(), address);
}

proptest! {
    #[test]
    fn packets_survive_the_trip(packet in prop::collection::vec(any::<u8>(), 0..4000)) {
        for protocol in all_kinds() {
            let datagram = encode(&protocol, &packet);
            prop_assert_eq!(&decode(&protocol, &datagram).unwrap(), &packet);
        }
        let nested = Base64::new(Base64::new(Raw).key(&key())).checksum();
        prop_assert_eq!(&decode(&nested, &encode(&nested, &packet)).unwrap(), &packet);
    }

    #[test]
    fn no_bytes_panic(datagram: Vec<u8>) {
        for protocol in all_kinds() {
            drop(decode(&protocol, &datagram));
        }
    }
}
