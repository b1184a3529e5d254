//! `Zlib`: one complete stream, up to a limit.
#![cfg(feature = "zlib")]

mod common;

use common::{decode, encode, encode_error, refusal};
use datagram_protocol_core::{Line, Raw, zlib::Zlib};
use proptest::prelude::*;

#[test]
fn streams_say_which_level_made_them() {
    assert_eq!(encode(&Zlib::new(Raw), b"abc")[..2], [0x78, 0xda]);
    assert_eq!(encode(&Zlib::new(Raw).level(1), b"abc")[..2], [0x78, 0x01]);
    assert!(encode(&Zlib::new(Raw), &[7; 60_000]).len() < 200);
}

#[test]
fn exactly_one_complete_stream_is_wanted() {
    let zlib = Zlib::new(Raw);
    let datagram = encode(&zlib, b"hello hello hello");

    for len in 0..datagram.len() {
        let error = refusal(&zlib, &datagram[..len]);
        assert_eq!(
            error,
            format!("zlib: the stream is cut short at offset {len}")
        );
    }
    let trailing = format!("zlib: trailing bytes at offset {}", datagram.len());
    assert_eq!(refusal(&zlib, &[&datagram[..], b"\0"].concat()), trailing);
    assert_eq!(refusal(&zlib, &datagram.repeat(2)), trailing);
}

#[test]
fn other_formats_are_refused() {
    for datagram in [
        &b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0"[..], // gzip
        b"\x4b\x4c\x4a\x06\0",                                      // raw deflate
        b"\x78\xf9\x02\x4d\x01\x27\x4b\x04\0\0\x02\x4d\x01\x27",    // preset dictionary
        b"hello hello hello",
    ] {
        let error = refusal(&Zlib::new(Raw), datagram);
        assert!(error.starts_with("zlib: no valid zlib stream"), "{error}");
    }
}

#[test]
fn wrong_checksum_is_refused() {
    let mut datagram = encode(&Zlib::new(Raw), b"hello").to_vec();
    *datagram.last_mut().unwrap() ^= 1;

    let error = refusal(&Zlib::new(Raw), &datagram);

    assert!(error.starts_with("zlib: wrong checksum"), "{error}");
}

#[test]
fn the_limit_is_exact() {
    let packet = vec![7; 100_000];
    let datagram = encode(&Zlib::new(Raw), &packet);

    let exact = decode(&Zlib::new(Raw).max_size(100_000), &datagram).unwrap();
    let below = refusal(&Zlib::new(Raw).max_size(99_999), &datagram);

    assert_eq!(exact, packet);
    assert_eq!(below, "zlib: more than 99999 bytes when decompressed");
    let empty = encode(&Zlib::new(Raw), b"");
    assert!(
        decode(&Zlib::new(Raw).max_size(0), &empty)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn bombs_are_refused_by_default() {
    let bomb = encode(&Zlib::new(Raw), &vec![0; 16 << 20]);
    assert!(bomb.len() < 65_507);

    let error = refusal(&Zlib::new(Raw), &bomb);

    assert_eq!(error, "zlib: more than 262144 bytes when decompressed");
}

#[test]
fn inner_errors_pass_through() {
    let ascii = Zlib::new(Line::new().ascii(true));

    let unsent = encode_error(&ascii, "é");
    let unreceived = refusal(&ascii, &encode(&Zlib::new(Line::new()), "aé"));

    assert_eq!(unsent, "line: byte 0xc3 at offset 0 is not ASCII");
    assert_eq!(unreceived, "line: byte 0xc3 at offset 1 is not ASCII");
}

proptest! {
    #[test]
    fn packets_survive_the_trip(
        packet in prop::collection::vec(any::<u8>(), 0..5000),
        level in 0..=10u8,
    ) {
        let protocol = Zlib::new(Zlib::new(Raw).level(level));
        prop_assert_eq!(&decode(&protocol, &encode(&protocol, &packet)).unwrap(), &packet);
    }

    #[test]
    fn no_damage_panics(packet: Vec<u8>, damage: Vec<(prop::sample::Index, u8)>) {
        let mut datagram = encode(&Zlib::new(Raw), &packet).to_vec();
        for (index, byte) in damage {
            *index.get_mut(&mut datagram) = byte;
        }
        drop(decode(&Zlib::new(Raw), &datagram));
    }
}

#[test]
fn incompressible_packets_of_any_size_have_room() {
    let mut state = 1u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take(65_507)
    .collect();

    for len in [0, 1, 100, 31_743, 31_744, 65_507] {
        for level in [0, 1, 6, 9] {
            let protocol = Zlib::new(Raw).level(level);
            let datagram = encode(&protocol, &noise[..len]);
            assert!(
                datagram.len() <= len + len / 100 + 32,
                "{} of {len}",
                datagram.len()
            );
            assert_eq!(decode(&protocol, &datagram).unwrap(), noise[..len]);
        }
    }
}
