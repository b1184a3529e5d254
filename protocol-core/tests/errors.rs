//! The errors of the core: what they show, what caused them, where they may go.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{error::Error, io, net::SocketAddr};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientClosedError, ClientConfig, Datagram, DatagramClientState, DatagramProtocol,
    DatagramProtocolParseError, DeserializeError, PacketConversionError, PacketError,
    SendPacketError, SerializeError,
};

#[test]
fn errors_go_between_threads_and_outlive_borrows() {
    const fn check<T: Error + Send + Sync + 'static>() {}

    const {
        check::<SerializeError>();
        check::<DeserializeError>();
        check::<PacketConversionError>();
        check::<PacketError>();
        check::<DatagramProtocolParseError>();
        check::<ClientClosedError>();
        check::<SendPacketError>();
    }
}

#[test]
fn display_is_one_lower_case_line_without_full_stop_and_cause() {
    for error in every_error() {
        let text = error.to_string();

        assert!(!text.is_empty(), "{error:?}");
        assert!(!text.contains('\n'), "{text}");
        assert!(!text.ends_with('.'), "{text}");
        assert!(text.starts_with(char::is_lowercase), "{text}");
        assert!(!text.contains(CAUSE), "{text}");
    }
}

#[test]
fn source_chain_ends_at_the_cause() {
    let wrapped: [Box<dyn Error>; 6] = [
        Box::new(SerializeError::new(cause())),
        Box::new(DeserializeError::new(cause())),
        Box::new(PacketConversionError::new(cause())),
        Box::new(PacketError::from(DeserializeError::new(cause()))),
        Box::new(PacketError::from(PacketConversionError::new(cause()))),
        Box::new(SendPacketError::from(SerializeError::new(cause()))),
    ];
    for error in wrapped {
        assert_eq!(chain(&*error), [error.to_string(), CAUSE.to_owned()]);
    }
}

#[test]
fn source_keeps_the_type_of_the_cause() {
    let error = SendPacketError::from(SerializeError::new(cause()));

    let source = error.source().unwrap();

    assert_eq!(
        source.downcast_ref::<io::Error>().map(io::Error::kind),
        Some(io::ErrorKind::InvalidData)
    );
}

#[test]
fn parse_error_says_each_thing_once() {
    let error = parse_error(b"abc");

    assert_eq!(
        chain(&error),
        [
            "cannot parse a datagram of 3 bytes",
            "cannot deserialize the datagram",
            CAUSE
        ]
    );
}

#[test]
fn parse_error_keeps_the_evidence() {
    let error = parse_error(b"abc");

    assert!(matches!(error.error(), PacketError::Deserialize(_)));
    assert_eq!(error.datagram(), "abc");
    let (cause, datagram) = error.into_parts();
    assert!(matches!(cause, PacketError::Deserialize(_)));
    assert_eq!(datagram, "abc");
}

#[test]
fn causes_may_be_text() {
    let owned = DeserializeError::new(format!("byte {}", 3));
    let borrowed = SerializeError::new("too deep");

    assert_eq!(chain(&owned)[1], "byte 3");
    assert_eq!(chain(&borrowed)[1], "too deep");
}

#[test]
fn too_large_shows_both_sizes() {
    let config = ClientConfig::new().max_datagram_size(10);
    let mut client = DatagramClientState::with_config(Refusing, peer(), config);

    let error = client.send_packet(&[0; 11]).unwrap_err();

    assert!(matches!(
        error,
        SendPacketError::TooLarge { size: 11, max: 10 }
    ));
    assert!(error.to_string().contains("11"), "{error}");
    assert!(error.to_string().contains("10"), "{error}");
}

#[test]
fn closed_error_is_the_same_wherever_it_comes_from() {
    let mut client = DatagramClientState::new(Refusing, peer());
    client.close();

    let error = client.send_packet(&[]).unwrap_err();

    let SendPacketError::Closed(closed) = error else {
        panic!("{error:?}");
    };
    assert_eq!(closed, ClientClosedError::new());
}

#[test]
fn results_stay_small() {
    const { assert!(size_of::<Result<(), SendPacketError>>() <= 24) }
    const { assert!(size_of::<DatagramProtocolParseError>() <= 64) }
}

const CAUSE: &str = "Byte 7 is bad.";

fn cause() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, CAUSE)
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn every_error() -> Vec<Box<dyn Error>> {
    vec![
        Box::new(SerializeError::new(cause())),
        Box::new(DeserializeError::new(cause())),
        Box::new(PacketConversionError::new(cause())),
        Box::new(PacketError::from(DeserializeError::new(cause()))),
        Box::new(PacketError::from(PacketConversionError::new(cause()))),
        Box::new(parse_error(b"abc")),
        Box::new(ClientClosedError::new()),
        Box::new(SendPacketError::from(ClientClosedError::new())),
        Box::new(SendPacketError::from(SerializeError::new(cause()))),
        Box::new(SendPacketError::TooLarge { size: 2, max: 1 }),
        Box::new(SendPacketError::QueueFull),
    ]
}

fn chain(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |&error| error.source())
        .map(ToString::to_string)
        .collect()
}

fn parse_error(datagram: &'static [u8]) -> DatagramProtocolParseError {
    let mut client = DatagramClientState::new(Refusing, peer());
    client.handle_datagram(peer(), datagram);
    client.poll_packet().unwrap().unwrap_err()
}

/// Sends bytes and takes none.
struct Refusing;

impl DatagramProtocol for Refusing {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet);
        Ok(())
    }

    fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<Bytes, PacketError> {
        Err(DeserializeError::new(cause()).into())
    }
}
