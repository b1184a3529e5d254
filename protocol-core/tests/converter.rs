//! Converters: when they are asked, and what their refusals become.

mod common;

use common::{decode, encode, encode_error, refusal};
use datagram_protocol_core::{
    Converted, DatagramProtocol, FnConverter, Line, PacketConversionError, PacketConverter,
    PacketError, StapledConverter,
};

fn upper()
-> impl PacketConverter<Sent = str, Received = String, SentDto = String, ReceivedDto = String> + Clone
{
    FnConverter::new(
        |packet: &str| match packet {
            "" => Err(PacketConversionError::new("nothing to say")),
            _ => Ok(packet.to_ascii_uppercase()),
        },
        |line: String| match line.as_str() {
            "" => Err(PacketConversionError::new("nothing said")),
            _ => Ok(line.to_ascii_lowercase()),
        },
    )
}

#[test]
fn closures_convert_both_ways() {
    let protocol = Converted::new(Line::new(), upper());

    assert_eq!(encode(&protocol, "hello"), "HELLO");
    assert_eq!(decode(&protocol, b"HELLO\n").unwrap(), "hello");
}

#[test]
fn refusal_of_a_converter_is_no_refusal_of_the_protocol() {
    let protocol = Converted::new(Line::new().ascii(true), upper());

    assert!(matches!(
        decode(&protocol, b""),
        Err(PacketError::Conversion(_))
    ));
    assert!(refusal(&protocol, b"\xff").starts_with("line: "));
}

#[test]
fn refused_packet_is_a_serialize_error() {
    let mut datagram = bytes::BytesMut::new();

    let error = Converted::new(Line::new(), upper())
        .make_datagram("", &mut datagram)
        .unwrap_err();

    let conversion = std::error::Error::source(&error).unwrap();
    assert!(conversion.is::<PacketConversionError>());
    assert_eq!(conversion.source().unwrap().to_string(), "nothing to say");
    assert!(datagram.is_empty());
    let ascii = Converted::new(Line::new().ascii(true), upper());
    assert!(encode_error(&ascii, "é").starts_with("line: "));
}

#[test]
fn stapled_converters_take_a_direction_each() {
    let numbers = FnConverter::new(
        |number: &u8| Ok(number.to_string()),
        |line: String| line.parse::<u8>().map_err(PacketConversionError::new),
    );
    let protocol = Converted::new(Line::new(), StapledConverter::new(numbers, upper()));

    assert_eq!(encode(&protocol, &7), "7");
    assert_eq!(decode(&protocol, b"SEVEN").unwrap(), "seven");
}
