//! What malicious datagrams cost: no protocol allocates much more than it was sent, and none takes
//! long. (Deep nesting is in the test file of each format.)
#![cfg(all(
    feature = "base64",
    feature = "bzip2",
    feature = "cbor",
    feature = "json",
    feature = "msgpack",
    feature = "postcard",
    feature = "zlib",
))]
#![allow(
    unsafe_code,
    reason = "a global allocator that counts cannot do without"
)]

mod common;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    collections::{BTreeMap, HashMap},
    time::{Duration, Instant},
};

use common::encode;
use datagram_protocol_core::{
    DatagramProtocol, Raw, base64::Base64, bzip2::Bzip2, cbor::Cbor, json::Json, msgpack::MsgPack,
    postcard::Postcard, zlib::Zlib,
};

/// Counts what the current thread has allocated, and at most at one time.
struct Counting;

thread_local! {
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: isize) {
    HELD.set(HELD.get() + bytes);
    PEAK.set(PEAK.get().max(HELD.get()));
}

// SAFETY: hands everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const LONGEST: usize = 65_507;

/// Parses, and returns how many bytes were allocated at one time and how long it took.
fn cost<P: DatagramProtocol>(protocol: &P, datagram: &[u8]) -> (usize, Duration) {
    PEAK.set(HELD.get());
    let (before, start) = (HELD.get(), Instant::now());
    drop(protocol.build_packet_from_datagram(datagram.into()));
    ((PEAK.get() - before) as usize, start.elapsed())
}

#[track_caller]
fn assert_cheap<P: DatagramProtocol>(protocol: &P, datagram: &[u8], most: usize) {
    let (bytes, time) = cost(protocol, datagram);
    let start = &datagram[..datagram.len().min(16)];
    assert!(bytes <= most, "{bytes} bytes for {start:02x?}..");
    // Debug builds on busy machines are far slower than what users have.
    assert!(time < Duration::from_secs(1), "{time:?} for {start:02x?}..");
}

#[test]
fn announced_lengths_are_not_allocated() {
    type Wide = Vec<[u64; 16]>;
    const MOST: usize = 1024;

    for datagram in [
        &b"\x9b\0\0\0\xff\xff\xff\xff\xff"[..],
        b"\xbb\0\0\0\xff\xff\xff\xff\xff",
        b"\x5b\0\0\0\xff\xff\xff\xff\xff",
        b"\x7b\0\0\0\xff\xff\xff\xff\xff",
        b"\x9a\0\0\x0f\xff\x9a\0\0\x0f\xff",
    ] {
        assert_cheap(&Cbor::<Wide>::new(), datagram, MOST);
        assert_cheap(&Cbor::<HashMap<u64, Wide>>::new(), datagram, MOST);
        assert_cheap(&Cbor::<String>::new(), datagram, MOST);
        assert_cheap(&Cbor::<ciborium::Value>::new(), datagram, MOST);
    }
    for datagram in [
        &b"\xdd\xff\xff\xff\xff"[..],
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\xdb\xff\xff\xff\xff",
    ] {
        assert_cheap(&MsgPack::<Wide>::new(), datagram, MOST);
        assert_cheap(&MsgPack::<HashMap<u64, Wide>>::new(), datagram, MOST);
        assert_cheap(&MsgPack::<String>::new(), datagram, MOST);
    }
    let datagram = b"\xff\xff\xff\xff\x0f";
    assert_cheap(&Postcard::<Wide>::new(), datagram, MOST);
    assert_cheap(&Postcard::<HashMap<u64, Wide>>::new(), datagram, MOST);
    assert_cheap(&Postcard::<String>::new(), datagram, MOST);
}

#[test]
fn long_datagrams_take_a_multiple_of_their_length() {
    // A `Vec` that doubles holds up to three times what it needs while it is copied.
    let most = 3 * LONGEST * size_of::<ciborium::Value>() + 2 * LONGEST;

    for unit in [
        &b"\x01"[..],
        b"\x60",
        b"\x80",
        b"\xf6",
        b"\x41\0",
        b"\x5f\xff",
    ] {
        let array = [
            b"\x9f".to_vec(),
            unit.repeat(LONGEST / unit.len() - 2),
            b"\xff".to_vec(),
        ];
        assert_cheap(&Cbor::<ciborium::Value>::new(), &array.concat(), most);
    }
    for unit in ["1,", "[],", "1e9,", "\"\","] {
        let array = format!("[{}1]", unit.repeat(LONGEST / unit.len() - 1));
        assert_cheap(&Json::<serde_json::Value>::new(), array.as_bytes(), most);
    }
    let text = [
        b"\x7f".to_vec(),
        b"\x61a".repeat(LONGEST / 2 - 1),
        b"\xff".to_vec(),
    ]
    .concat();
    assert_cheap(&Cbor::<String>::new(), &text, 3 * LONGEST);
}

#[test]
fn long_numbers_and_strings_take_milliseconds() {
    let json = Json::<f64>::new();
    for number in [
        "1".repeat(LONGEST),
        format!("0.{}1", "0".repeat(LONGEST - 3)),
        format!("1.{}1", "0".repeat(LONGEST - 3)),
        format!("1e{}", "9".repeat(LONGEST - 2)),
        format!("{}e-65000", "7".repeat(LONGEST - 7)),
        format!("9007199254740993.{}1", "0".repeat(LONGEST - 18)),
    ] {
        assert_cheap(&json, number.as_bytes(), 4 * LONGEST);
    }
    let hard = format!("[{}1]", "8.98846567431158e307,".repeat(3000));
    assert_cheap(&Json::<Vec<f64>>::new(), hard.as_bytes(), 4 * LONGEST);
    let escapes = format!("\"{}\"", "\\u00e9".repeat(LONGEST / 6 - 1));
    assert_cheap(&Json::<String>::new(), escapes.as_bytes(), 4 * LONGEST);
    let keys: String = (0..8000).map(|key| format!("\"{key}\":1,")).collect();
    let map = format!("{{{keys}\"\":1}}");
    assert_cheap(
        &Json::<BTreeMap<String, u8>>::new(),
        map.as_bytes(),
        20 * LONGEST,
    );
}

#[test]
fn wrappers_hold_the_decoded_datagram_and_their_state() {
    let zeros = vec![0; LONGEST];
    let bomb = vec![0; 8 << 20];

    let base64 = Base64::new(Raw).checksum();
    assert_cheap(&base64, &encode(&base64, &zeros[..49_000]), LONGEST);
    let zlib = Zlib::new(Raw);
    assert_cheap(&zlib, &encode(&zlib, &bomb), 2 * 256 * 1024 + 16 * 1024);
    let bzip2 = Bzip2::new(Raw);
    assert_cheap(&bzip2, &encode(&bzip2, &bomb), 2 * 256 * 1024 + 3_700_000);
    assert_cheap(&bzip2, b"BZh9", 3_700_000);
    let nested = Zlib::new(Bzip2::new(Raw));
    assert_cheap(&nested, &encode(&nested, &bomb), 3 * 256 * 1024 + 3_700_000);
}

#[test]
fn compression_takes_what_its_documentation_says() {
    let packet = vec![7; 1000];
    let cost_of = |protocol: &dyn DatagramProtocol<Sent = [u8], Received = bytes::Bytes>| {
        let mut datagram = bytes::BytesMut::with_capacity(1 << 20);
        PEAK.set(HELD.get());
        let before = HELD.get();
        protocol.make_datagram(&packet, &mut datagram).unwrap();
        PEAK.get() - before
    };

    assert!(
        cost_of(&Zlib::new(Raw)) < 350_000,
        "{}",
        cost_of(&Zlib::new(Raw))
    );
    assert!(
        cost_of(&Bzip2::new(Raw)) < 1_200_000,
        "{}",
        cost_of(&Bzip2::new(Raw))
    );
}
