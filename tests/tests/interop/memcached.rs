//! memcached over UDP: its text protocol behind a frame header, which is a wrapper written here.

use std::collections::BTreeMap;

use bytes::{BufMut, BytesMut};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, Line, Newline, PacketError, SerializeError,
};
use datagram_tests::{Client, Driver};

use crate::process::Process;

pub(crate) fn stores_and_retrieves<D: Driver>() {
    let (_server, client) = connected::<D>();
    let ask = |id, command: &str| {
        client.send_packet(&Frame::request(id, command)).unwrap();
        client.recv()
    };

    let stored = ask(1, "set k 5 0 5\r\nhello\r\n");
    let value = ask(2, "get k\r\n");
    let missing = ask(3, "get nothing\r\n");
    let unknown = ask(u16::MAX, "frobnicate\r\n");

    assert_eq!(stored, Frame::answer(1, "STORED\r\n"));
    assert_eq!(value, Frame::answer(2, "VALUE k 5 5\r\nhello\r\nEND\r\n"));
    assert_eq!(missing, Frame::answer(3, "END\r\n"));
    assert_eq!(unknown, Frame::answer(u16::MAX, "ERROR\r\n"));
}

pub(crate) fn long_answers_come_in_numbered_datagrams<D: Driver>() {
    let (_server, client) = connected::<D>();
    let value = "0123456789".repeat(1000);
    let set = format!("set long 0 0 {}\r\n{value}\r\n", value.len());

    client.send_packet(&Frame::request(1, &set)).unwrap();
    let stored = client.recv();
    client
        .send_packet(&Frame::request(2, "get long\r\n"))
        .unwrap();
    let first = client.recv();
    let rest = (1..first.total).map(|_| client.recv());
    let parts: BTreeMap<u16, _> = [first.clone()]
        .into_iter()
        .chain(rest)
        .map(|frame| (frame.sequence, frame))
        .collect();

    assert_eq!(stored, Frame::answer(1, "STORED\r\n"));
    assert_eq!(first.total, 8, "10,000 bytes, 1,392 a datagram");
    assert!(
        parts
            .values()
            .all(|frame| (frame.id, frame.total) == (2, 8))
    );
    assert!(parts.keys().copied().eq(0..8));
    let text: String = parts.values().map(|frame| &*frame.body).collect();
    let expected = format!("VALUE long 0 {}\r\n{value}\r\nEND\r\n", value.len());
    assert!(text == expected, "{} bytes", text.len());
}

pub(crate) fn bare_header_is_a_packet<D: Driver>() {
    let (_server, client) = connected::<D>();

    client.send_packet(&Frame::request(7, "quit\r\n")).unwrap();
    let bye = client.recv();

    let total = 0;
    let expected = Frame::answer(7, "");
    assert_eq!(bye, Frame { total, ..expected });
}

fn connected<D: Driver>() -> (Process, D::Client<Framed<Line>>) {
    let probe = b"\0\0\0\0\0\x01\0\0version\r\n";
    let server = Process::script("start-memcached.sh", probe);
    let commands = Line::new().newline(Newline::CrLf).keep_end(true);
    let client = D::Client::connect(server.address(), Framed(commands)).unwrap();
    (server, client)
}

/// A packet with the header that memcached puts before it.
#[derive(Debug, Clone, PartialEq)]
struct Frame<T> {
    id: u16,
    sequence: u16,
    /// Datagrams in the whole message.
    total: u16,
    body: T,
}

impl Frame<Box<str>> {
    fn request(id: u16, command: &str) -> Self {
        Self {
            id,
            sequence: 0,
            total: 1,
            body: command.into(),
        }
    }
}

impl Frame<String> {
    fn answer(id: u16, text: &str) -> Self {
        Self {
            id,
            sequence: 0,
            total: 1,
            body: text.to_owned(),
        }
    }
}

/// Puts the header before the datagrams of another protocol.
#[derive(Debug, Clone, Copy)]
struct Framed<P>(P);

/// Bytes of the header: id, sequence number, number of datagrams, and two reserved.
const HEADER_LEN: usize = 8;

impl<P: DatagramProtocol> DatagramProtocol for Framed<P> {
    type Sent = Frame<Box<P::Sent>>;
    type Received = Frame<P::Received>;

    fn make_datagram(
        &self,
        packet: &Self::Sent,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        for field in [packet.id, packet.sequence, packet.total, 0] {
            datagram.put_u16(field);
        }
        self.0.make_datagram(&packet.body, datagram)
    }

    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<Self::Received, PacketError> {
        let Some(header) = datagram.first_chunk::<HEADER_LEN>() else {
            return Err(DeserializeError::new("shorter than a frame header").into());
        };
        let [id, sequence, total] =
            [0, 2, 4].map(|at| u16::from_be_bytes([header[at], header[at + 1]]));
        Ok(Frame {
            id,
            sequence,
            total,
            body: self
                .0
                .build_packet_from_datagram(datagram.slice(HEADER_LEN..))?,
        })
    }
}
