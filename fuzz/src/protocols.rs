//! One function for each serializer and wrapper.

use std::fmt::Debug;

use arbitrary::Unstructured;
use bytes::Bytes;
use datagram_protocol_core::{
    Converted, DatagramProtocol, FnConverter, Line, Newline, PacketConversionError, PacketError,
    Raw,
    base64::{Alphabet, Base64, Key},
    bzip2::Bzip2,
    cbor::Cbor,
    json::Json,
    layout::Layout,
    msgpack::MsgPack,
    postcard::Postcard,
    zlib::Zlib,
};
use zerocopy::{
    Immutable, IntoBytes, TryFromBytes,
    byteorder::{big_endian::U32, little_endian::F64},
};

use crate::{Packet, exact_round_trip, from_packet, round_trip};

/// Parses as a packet of a known type, and as any value.
pub fn json(data: &[u8]) {
    typed(&Json::<Packet>::new(), data);
    exact_round_trip(&Json::<serde_json::Value>::new(), data);
}

/// Parses as a packet of a known type, and as any value.
pub fn cbor(data: &[u8]) {
    typed(&Cbor::<Packet>::new(), data);
    exact_round_trip(&Cbor::<ciborium::Value>::new(), data);
}

/// Parses as a packet of a known type, and as any value.
pub fn msgpack(data: &[u8]) {
    typed(&MsgPack::<Packet>::new(), data);
    exact_round_trip(&MsgPack::<rmpv::Value>::new(), data);
}

/// Parses as a packet of a known type, and as one whose elements have no size.
pub fn postcard(data: &[u8]) {
    typed(&Postcard::<Packet>::new(), data);
    exact_round_trip(&Postcard::<Vec<()>>::new(), data);
}

fn typed<P: DatagramProtocol<Sent = Packet, Received = Packet>>(protocol: &P, data: &[u8]) {
    exact_round_trip(protocol, data);
    // Few enough to stay below the bound on nesting: a level takes five bytes at least, and is two
    // levels or three of the format.
    let few = &data[..data.len().min(200)];
    if let Ok(packet) = Unstructured::new(few).arbitrary() {
        from_packet(protocol, &packet);
    }
}

/// A fixed layout is its datagram, byte for byte.
pub fn layout(data: &[u8]) {
    #[derive(Debug, PartialEq, TryFromBytes, IntoBytes, Immutable)]
    #[repr(u8)]
    #[expect(dead_code, reason = "the values are only received")]
    enum Kind {
        Ping = 1,
        Pong = 2,
    }

    #[derive(Debug, PartialEq, TryFromBytes, IntoBytes, Immutable)]
    #[repr(C)]
    struct Fixed {
        kind: Kind,
        urgent: bool,
        sequence: U32,
        name: [u8; 6],
        value: F64,
    }

    if let Some((_, datagram)) = exact_round_trip(&Layout::<Fixed>::new(), data) {
        assert_eq!(datagram, data);
    }
}

/// Lines of all kinds; what is sent is what was received, less its end.
pub fn line(data: &[u8]) {
    for (newline, end) in [
        (Newline::Lf, "\n"),
        (Newline::Cr, "\r"),
        (Newline::CrLf, "\r\n"),
    ] {
        let line = Line::new().newline(newline);
        for line in [line, line.ascii(true)] {
            if let Some((_, datagram)) = round_trip(&line.keep_end(true), data) {
                assert_eq!(datagram, data);
            }
            if let Some((packet, datagram)) = round_trip(&line, data) {
                assert!(!packet.ends_with(end) && data.starts_with(&datagram));
            }
        }
    }
}

/// Bytes are what they are.
pub fn raw(data: &[u8]) {
    let (packet, datagram) = round_trip(&Raw, data).expect("bytes are packets");
    assert_eq!(packet, data);
    assert_eq!(datagram, data);
}

/// Reading is strict, so that there is one datagram for each packet; and with a seal, every change
/// is found.
pub fn base64(data: &[u8]) {
    let key = Key::new(*b"thirty-two bytes for a test key.");
    for alphabet in [Alphabet::UrlSafe, Alphabet::Standard] {
        let plain = Base64::new(Raw).alphabet(alphabet);
        let sealed = [plain.clone().checksum(), plain.clone().key(&key)];
        for protocol in [&plain].into_iter().chain(&sealed) {
            if let Some((_, datagram)) = exact_round_trip(protocol, data) {
                assert_eq!(datagram, data);
            }
            from_packet(protocol, data).expect("bytes are packets");
        }
        for protocol in &sealed {
            if let Some(forged) = tampered(protocol, data) {
                let parsed = protocol.build_packet_from_datagram((&forged).into());
                assert!(parsed.is_err(), "accepted {forged:?}");
            }
        }
    }
}

/// Decompression is bounded, and finds what was compressed at any level.
pub fn zlib(data: &[u8]) {
    let zlib = Zlib::new(Raw).level(level(data) % 10);
    wrapper(&zlib, |max_size| zlib.max_size(max_size), data);
}

/// Decompression is bounded, and finds what was compressed at any level.
pub fn bzip2(data: &[u8]) {
    let bzip2 = Bzip2::new(Raw).level((level(data) % 10).into());
    wrapper(&bzip2, |max_size| bzip2.max_size(max_size), data);
}

fn level(data: &[u8]) -> u8 {
    data.last().copied().unwrap_or_default()
}

/// What a compressing wrapper around `Raw` keeps. `bounded` is the same with another `max_size`.
fn wrapper<P>(protocol: &P, bounded: impl Fn(usize) -> P, data: &[u8])
where
    P: DatagramProtocol<Sent = [u8], Received = Bytes>,
{
    exact_round_trip(protocol, data);
    let compressed = from_packet(protocol, data).expect("bytes are packets");
    let parse = |max_size, datagram: &[u8]| {
        bounded(max_size)
            .build_packet_from_datagram(datagram.into())
            .ok()
    };

    assert_eq!(parse(data.len(), &compressed).as_deref(), Some(data));
    if let Some(less) = data.len().checked_sub(1) {
        assert_eq!(parse(less, &compressed), None);
    }
    if let Some(changed) = tampered(protocol, data) {
        let longest = 2 * data.len();
        let packet = parse(longest, &changed);
        assert!(packet.is_none_or(|packet| packet.len() <= longest));
    }
}

/// Encodes the bytes, and changes one byte of the datagram, as the last four of them say.
fn tampered<P: DatagramProtocol<Sent = [u8], Received: Debug>>(
    protocol: &P,
    data: &[u8],
) -> Option<Bytes> {
    let (packet, &[how, at @ ..]) = data.split_last_chunk::<4>()?;
    let mut datagram = bytes::BytesMut::new();
    protocol.make_datagram(packet, &mut datagram).ok()?;
    let at = u32::from_le_bytes([at[0], at[1], at[2], 0]) as usize % datagram.len();
    datagram[at] ^= how.max(1);
    Some(datagram.freeze())
}

/// A converter sees only what its protocol accepts, and its refusal is told apart.
pub fn converted(data: &[u8]) {
    let numbers = Converted::new(
        Line::new(),
        FnConverter::new(
            |number: &i32| Ok(number.to_string()),
            |line: String| line.parse::<i32>().map_err(PacketConversionError::new),
        ),
    );
    round_trip(&numbers, data);
    let line = Line::new().build_packet_from_datagram(data.into());
    match (line, numbers.build_packet_from_datagram(data.into())) {
        (Ok(line), Ok(number)) => assert_eq!(line.parse(), Ok(number)),
        (Ok(line), Err(PacketError::Conversion(_))) => assert!(line.parse::<i32>().is_err()),
        (Err(PacketError::Deserialize(_)), Err(PacketError::Deserialize(_))) => {}
        (line, number) => panic!("{number:?} from {line:?}"),
    }

    let positive = Converted::new(
        Json::<(i32, String)>::new(),
        FnConverter::new(
            |(number, text): &(u16, String)| Ok((i32::from(*number), text.clone())),
            |(number, text): (i32, String)| match number.try_into() {
                Ok(number) => Ok((number, text)),
                Err(error) => Err(PacketConversionError::new(error)),
            },
        ),
    );
    round_trip(&positive, data);
}
