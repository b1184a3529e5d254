//! `Bzip2`: one complete stream, up to a limit.
#![cfg(feature = "bzip2")]

mod common;

use common::{decode, encode, encode_error, refusal};
use datagram_protocol_core::{Line, Raw, bzip2::Bzip2};
use proptest::prelude::*;

#[test]
fn blocks_are_no_longer_than_needed() {
    let level = |len, most| encode(&Bzip2::new(Raw).level(most), &vec![7; len])[..4].to_vec();

    assert_eq!(level(10, 9), b"BZh1");
    assert_eq!(level(79_000, 9), b"BZh1");
    assert_eq!(level(80_000, 9), b"BZh2");
    assert_eq!(level(80_000, 1), b"BZh1");
    assert_eq!(level(2_000_000, 20), b"BZh9");
}

#[test]
fn exactly_one_complete_stream_is_wanted() {
    let bzip2 = Bzip2::new(Raw);
    let datagram = encode(&bzip2, b"hello hello hello");

    for len in 0..datagram.len() {
        let error = refusal(&bzip2, &datagram[..len]);
        assert_eq!(
            error,
            format!("bzip2: the stream is cut short at offset {len}")
        );
    }
    let trailing = format!("bzip2: trailing bytes at offset {}", datagram.len());
    assert_eq!(refusal(&bzip2, &[&datagram[..], b"\0"].concat()), trailing);
    assert_eq!(refusal(&bzip2, &datagram.repeat(2)), trailing);
}

#[test]
fn other_formats_are_refused() {
    for datagram in [
        &b"BZh0\x17\x72\x45\x38\x50\x90\0\0\0\0"[..], // no such level
        b"BZ0",                                       // bzip1
        b"\x78\xda\x4b\x4c\x4a\x06\x00\x02\x4d\x01\x27",
        b"hello hello hello",
    ] {
        let error = refusal(&Bzip2::new(Raw), datagram);
        assert!(error.starts_with("bzip2: no valid bzip2 stream"), "{error}");
    }
}

#[test]
fn wrong_checksum_is_refused() {
    let mut datagram = encode(&Bzip2::new(Raw), b"hello").to_vec();
    datagram[10] ^= 1;

    let error = refusal(&Bzip2::new(Raw), &datagram);

    assert!(error.starts_with("bzip2: no valid bzip2 stream"), "{error}");
}

#[test]
fn the_limit_is_exact() {
    let packet = vec![7; 100_000];
    let datagram = encode(&Bzip2::new(Raw), &packet);

    let exact = decode(&Bzip2::new(Raw).max_size(100_000), &datagram).unwrap();
    let below = refusal(&Bzip2::new(Raw).max_size(99_999), &datagram);

    assert_eq!(exact, packet);
    assert_eq!(below, "bzip2: more than 99999 bytes when decompressed");
    let empty = encode(&Bzip2::new(Raw), b"");
    assert!(
        decode(&Bzip2::new(Raw).max_size(0), &empty)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn bombs_are_refused_by_default() {
    let bomb = encode(&Bzip2::new(Raw), &vec![0; 16 << 20]);
    assert!(bomb.len() < 65_507);

    let error = refusal(&Bzip2::new(Raw), &bomb);

    assert_eq!(error, "bzip2: more than 262144 bytes when decompressed");
}

#[test]
fn inner_errors_pass_through() {
    let ascii = Bzip2::new(Line::new().ascii(true));

    let unsent = encode_error(&ascii, "é");
    let unreceived = refusal(&ascii, &encode(&Bzip2::new(Line::new()), "aé"));

    assert_eq!(unsent, "line: byte 0xc3 at offset 0 is not ASCII");
    assert_eq!(unreceived, "line: byte 0xc3 at offset 1 is not ASCII");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn packets_survive_the_trip(
        packet in prop::collection::vec(any::<u8>(), 0..5000),
        level in 0..=10u32,
    ) {
        let protocol = Bzip2::new(Bzip2::new(Raw).level(level));
        prop_assert_eq!(&decode(&protocol, &encode(&protocol, &packet)).unwrap(), &packet);
    }

    #[test]
    fn no_damage_panics(packet: Vec<u8>, damage: Vec<(prop::sample::Index, u8)>) {
        let mut datagram = encode(&Bzip2::new(Raw), &packet).to_vec();
        for (index, byte) in damage {
            *index.get_mut(&mut datagram) = byte;
        }
        drop(decode(&Bzip2::new(Raw), &datagram));
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

    for len in [0, 1, 100, 65_507] {
        for level in [1, 9] {
            let protocol = Bzip2::new(Raw).level(level);
            let datagram = encode(&protocol, &noise[..len]);
            assert!(
                datagram.len() <= len + len / 100 + 600,
                "{} of {len}",
                datagram.len()
            );
            assert_eq!(decode(&protocol, &datagram).unwrap(), noise[..len]);
        }
    }
}
