//! `Converted` and `StapledConverter`: packets of the application in front of a protocol.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{cell::Cell, error::Error, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    Converted, Datagram, DatagramClientState, DatagramProtocol, DeserializeError, Line,
    PacketConversionError, PacketConverter, PacketError, SendPacketError, SerializeError,
    StapledConverter,
};

#[test]
fn packets_pass_through_the_converter_both_ways() {
    let mut client = DatagramClientState::new(Converted::new(Line::new(), Celsius), peer());

    client.send_packet(&Degrees(21)).unwrap();
    let sent = Bytes::copy_from_slice(client.poll_transmit(1).unwrap().contents());
    client.handle_datagram(peer(), sent.clone());

    assert_eq!(sent, "21 C");
    assert_eq!(client.poll_packet().unwrap().unwrap(), Degrees(21));
}

#[test]
fn refused_conversion_of_a_received_packet_is_a_conversion_error() {
    let mut client = DatagramClientState::new(Converted::new(Line::new(), Celsius), peer());
    client.handle_datagram(peer(), &b"70 F"[..]);
    client.handle_datagram(peer(), &b"20 C"[..]);

    let error = client.poll_packet().unwrap().unwrap_err();

    assert!(matches!(error.error(), PacketError::Conversion(_)));
    assert_eq!(error.datagram(), "70 F");
    assert_eq!(
        chain(&error),
        [
            "cannot parse a datagram of 4 bytes",
            "cannot convert the packet",
            "not in celsius"
        ]
    );
    assert_eq!(client.poll_packet().unwrap().unwrap(), Degrees(20));
}

#[test]
fn refused_conversion_of_a_sent_packet_is_a_serialize_error() {
    let mut client = DatagramClientState::new(Converted::new(Line::new(), Celsius), peer());
    client.send_packet(&Degrees(1)).unwrap();

    let error = client.send_packet(&Degrees(-300)).unwrap_err();

    assert!(matches!(error, SendPacketError::Serialize(_)));
    assert_eq!(
        chain(&error),
        [
            "cannot serialize the packet",
            "cannot convert the packet",
            "below absolute zero"
        ]
    );
    assert_eq!(client.poll_transmit(64).unwrap().contents(), b"1 C");
}

#[test]
fn converter_is_not_asked_about_malformed_bytes() {
    let asked = Cell::new(0);
    let protocol = Converted::new(Line::new(), Counting(&asked));
    let mut client = DatagramClientState::new(protocol, peer());
    client.handle_datagram(peer(), &b"\xff"[..]);

    let error = client.poll_packet().unwrap().unwrap_err();

    assert!(matches!(error.error(), PacketError::Deserialize(_)));
    assert_eq!(asked.get(), 0);
}

#[test]
fn converter_and_protocol_work_once_for_each_packet() {
    let (asked, encoded) = (Cell::new(0), Cell::new(0));
    let protocol = Converted::new(CountingLine(&encoded), Counting(&asked));
    let mut client = DatagramClientState::new(protocol, peer());

    client.send_packet("a").unwrap();
    client.handle_datagram(peer(), &b"b"[..]);
    assert_eq!((asked.get(), encoded.get()), (1, 1));
    client.poll_packet().unwrap().unwrap();

    assert_eq!((asked.get(), encoded.get()), (2, 2));
}

#[test]
fn stapled_converter_takes_each_direction_from_one_side() {
    let converter = StapledConverter::new(Celsius, Length);
    let mut client = DatagramClientState::new(Converted::new(Line::new(), converter), peer());

    client.send_packet(&Degrees(5)).unwrap();
    client.handle_datagram(peer(), &b"12345"[..]);

    assert_eq!(client.poll_transmit(1).unwrap().contents(), b"5 C");
    assert_eq!(client.poll_packet().unwrap().unwrap(), 5);
}

#[test]
fn converted_protocol_splits_when_its_parts_are_cloned() {
    let client = DatagramClientState::new(Converted::new(Line::new(), Celsius), peer());

    let (mut sender, mut receiver) = client.split();
    sender.send_packet(&Degrees(3)).unwrap();
    receiver.handle_datagram(peer(), &b"4 C"[..]);

    assert_eq!(sender.poll_transmit(1).unwrap().contents(), b"3 C");
    assert_eq!(receiver.poll_packet().unwrap().unwrap(), Degrees(4));
}

#[derive(Debug, PartialEq)]
struct Degrees(i32);

/// Temperatures as text; the DTO that is sent only borrows as what the protocol wants.
#[derive(Debug, Clone, Copy)]
struct Celsius;

impl PacketConverter for Celsius {
    type Sent = Degrees;
    type Received = Degrees;
    type SentDto = String;
    type ReceivedDto = String;

    fn convert_to_dto_packet(&self, packet: &Degrees) -> Result<String, PacketConversionError> {
        if packet.0 < -273 {
            return Err(PacketConversionError::new("below absolute zero"));
        }
        Ok(format!("{} C", packet.0))
    }

    fn create_from_dto_packet(&self, packet: String) -> Result<Degrees, PacketConversionError> {
        let number = packet
            .strip_suffix(" C")
            .ok_or_else(|| PacketConversionError::new("not in celsius"))?;
        number
            .parse()
            .map(Degrees)
            .map_err(PacketConversionError::new)
    }
}

/// Receives the length of a text.
struct Length;

impl PacketConverter for Length {
    type Sent = str;
    type Received = usize;
    type SentDto = String;
    type ReceivedDto = String;

    fn convert_to_dto_packet(&self, _: &str) -> Result<String, PacketConversionError> {
        unreachable!("the other side sends")
    }

    fn create_from_dto_packet(&self, packet: String) -> Result<usize, PacketConversionError> {
        Ok(packet.len())
    }
}

/// Leaves text as it is and counts how often it was asked.
struct Counting<'a>(&'a Cell<u32>);

impl PacketConverter for Counting<'_> {
    type Sent = str;
    type Received = String;
    type SentDto = String;
    type ReceivedDto = String;

    fn convert_to_dto_packet(&self, packet: &str) -> Result<String, PacketConversionError> {
        self.0.set(self.0.get() + 1);
        Ok(packet.to_owned())
    }

    fn create_from_dto_packet(&self, packet: String) -> Result<String, PacketConversionError> {
        self.0.set(self.0.get() + 1);
        Ok(packet)
    }
}

struct CountingLine<'a>(&'a Cell<u32>);

impl DatagramProtocol for CountingLine<'_> {
    type Sent = str;
    type Received = String;

    fn make_datagram(&self, packet: &str, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        self.0.set(self.0.get() + 1);
        datagram.extend_from_slice(packet.as_bytes());
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<String, PacketError> {
        self.0.set(self.0.get() + 1);
        Ok(String::from_utf8(datagram.to_vec()).map_err(DeserializeError::new)?)
    }
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}
