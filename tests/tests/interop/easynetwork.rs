//! EasyNetwork's own server: what one side writes, the other reads, with every serializer both have.

use std::{borrow::Borrow, fmt::Debug, marker::PhantomData, sync::Arc, time::Duration};

use datagram_protocol_core::{
    Converted, DatagramProtocol, FnConverter, Line, Newline, PacketConversionError, Raw,
    base64::{Alphabet, Base64, Key},
    bzip2::Bzip2,
    cbor::Cbor,
    json::Json,
    layout::Layout,
    msgpack::MsgPack,
    zlib::Zlib,
};
use datagram_tests::{Client, Driver, Protocol, assert_matches};
use datagram_udp_socket::RecvError;
use serde_json::{Value, json};
use zerocopy::{BE, ByteOrder, I32, Immutable, IntoBytes, LE, TryFromBytes, U16};

use crate::process::Process;

/// The key that the server has.
const KEY: &str = "Z29sZGVuLXZlY3RvcnMta2V5LW51bWJlci0wMDAwMSE=";

pub(crate) fn json<D: Driver>() {
    let malformed = [&b"{"[..], b"", b"\xff", b"{} {}"];
    converse::<D, _, _>("json", Json::<Value>::new(), &Objects, &malformed);
}

pub(crate) fn cbor<D: Driver>() {
    let malformed = [&b"\xa1"[..], b"", b"\x62\xc3\x28", b"\x00\x00"];
    converse::<D, _, _>("cbor", Cbor::<Value>::new(), &Objects, &malformed);
}

pub(crate) fn msgpack<D: Driver>() {
    let malformed = [&b"\xc1"[..], b"", b"\x81", b"\x00\x00"];
    converse::<D, _, _>("msgpack", MsgPack::<Value>::new(), &Objects, &malformed);
}

pub(crate) fn line<D: Driver>() {
    let lines = Lines(&["", "GET /", " two\nlines ", "lone \r"]);
    converse::<D, _, _>("line", Line::new().ascii(true), &lines, &[b"\xff"]);
}

pub(crate) fn line_utf8<D: Driver>() {
    let lines = Lines(&["", "grüße, 世界 🦀", "a\nb"]);
    converse::<D, _, _>("line-utf8", Line::new(), &lines, &[b"\xff", b"\xc3"]);
}

pub(crate) fn line_crlf_utf8<D: Driver>() {
    let lines = Lines(&["", "grüße", "lone \n", "lone \r"]);
    let protocol = Line::new().newline(Newline::CrLf);
    converse::<D, _, _>("line-crlf-utf8", protocol, &lines, &[b"\xff"]);
}

pub(crate) fn line_keep_end<D: Driver>() {
    let lines = Lines(&["", "\n", "ends\n", "ends twice\n\n"]);
    let protocol = Line::new().ascii(true).keep_end(true);
    converse::<D, _, _>("line-keep-end", protocol, &lines, &[b"\xff\n"]);
}

pub(crate) fn structs<D: Driver>() {
    let layout = Layout::<Record<BE>>::new();
    converse::<D, _, _>("struct", layout, &Records(PhantomData), &[b"", b"short"]);
}

pub(crate) fn structs_le<D: Driver>() {
    let layout = Layout::<Record<LE>>::new();
    converse::<D, _, _>("struct-le", layout, &Records(PhantomData), &[b"", b"short"]);
}

/// EasyNetwork's named tuple has text for the payload; here a converter makes text of it.
pub(crate) fn namedtuple<D: Driver>() {
    let converter = FnConverter::new(
        |named: &Named| {
            let mut payload = [0; 8];
            let room = payload.get_mut(..named.payload.len());
            room.ok_or_else(|| PacketConversionError::new("longer than 8 bytes"))?
                .copy_from_slice(named.payload.as_bytes());
            Ok(Record::<BE>::new(named.op, named.seq, named.value, payload))
        },
        |record: Record<BE>| {
            let payload = str::from_utf8(&record.payload).map_err(PacketConversionError::new)?;
            Ok(Named {
                op: record.op,
                seq: record.seq.get(),
                value: record.value.get(),
                payload: payload.trim_end_matches('\0').to_owned(),
            })
        },
    );
    let protocol = Converted::new(Layout::<Record<BE>>::new(), converter);
    converse::<D, _, _>("namedtuple", protocol, &NamedTuples, &[b"", b"short"]);
}

pub(crate) fn base64_json<D: Driver>() {
    let protocol = Base64::new(Json::<Value>::new());
    converse::<D, _, _>("base64-json", protocol, &Objects, &[b"e30", b"", b"AAAA"]);
}

pub(crate) fn base64_std_json<D: Driver>() {
    let protocol = Base64::new(Json::<Value>::new()).alphabet(Alphabet::Standard);
    converse::<D, _, _>("base64-std-json", protocol, &Objects, &[b"e30", b"AAAA"]);
}

pub(crate) fn base64_json_sha256<D: Driver>() {
    let unsealed = make(&Base64::new(Json::<Value>::new()), &json!({"a": 1}));
    let protocol = Base64::new(Json::<Value>::new()).checksum();
    let malformed = [&b"AAAA"[..], b"", &unsealed];
    converse::<D, _, _>("base64-json-sha256", protocol, &Objects, &malformed);
}

pub(crate) fn base64_json_hmac<D: Driver>() {
    let inner = Json::<Value>::new;
    let forged = make(&Base64::new(inner()).checksum(), &json!({"a": 1}));
    let malformed = [&b"AAAA"[..], b"", &forged];
    converse::<D, _, _>("base64-json-hmac", signed(inner()), &Objects, &malformed);
}

pub(crate) fn base64_cbor_hmac<D: Driver>() {
    let protocol = signed(Cbor::<Value>::new());
    converse::<D, _, _>("base64-cbor-hmac", protocol, &Objects, &[b"AAAA"]);
}

pub(crate) fn base64_zlib_json_hmac<D: Driver>() {
    let not_compressed = make(&signed(Json::<Value>::new()), &json!({"a": 1}));
    let protocol = signed(Zlib::new(Json::<Value>::new()));
    let malformed = [&not_compressed[..]];
    converse::<D, _, _>("base64-zlib-json-hmac", protocol, &Objects, &malformed);
}

pub(crate) fn zlib_json<D: Driver>() {
    let protocol = Zlib::new(Json::<Value>::new());
    let mut trailing = make(&protocol, &json!({"a": 1}));
    trailing.push(0);
    let malformed = [&b"\x78\xda"[..], b"", b"{}", &trailing];
    converse::<D, _, _>("zlib-json", protocol, &Objects, &malformed);
}

pub(crate) fn zlib_msgpack<D: Driver>() {
    let protocol = Zlib::new(MsgPack::<Value>::new());
    converse::<D, _, _>("zlib-msgpack", protocol, &Objects, &[b"\x78\xda"]);
}

pub(crate) fn bz2_json<D: Driver>() {
    let protocol = Bzip2::new(Json::<Value>::new());
    let mut trailing = make(&protocol, &json!({"a": 1}));
    trailing.push(0);
    let malformed = [&b"BZh9"[..], b"", b"{}", &trailing];
    converse::<D, _, _>("bz2-json", protocol, &Objects, &malformed);
}

pub(crate) fn bz2_cbor<D: Driver>() {
    let protocol = Bzip2::new(Cbor::<Value>::new());
    converse::<D, _, _>("bz2-cbor", protocol, &Objects, &[b"BZh9"]);
}

/// A struct is a map there, with every format; else the server would not see a command in it.
pub(crate) fn structs_are_maps<D: Driver>() {
    #[derive(serde::Serialize)]
    struct SendRaw {
        cmd: &'static str,
        hex: &'static str,
    }
    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Reply {
        error: String,
    }
    fn check<D: Driver>(
        serializer: &str,
        protocol: impl Protocol<Sent = SendRaw, Received = Reply>,
    ) {
        let server = Process::easynetwork(serializer);
        let client = D::Client::connect(server.address(), protocol).unwrap();
        let (cmd, hex) = ("send_raw", "not hex");
        client.send_packet(&SendRaw { cmd, hex }).unwrap();
        let error = "command".to_owned();
        assert_eq!(client.recv(), Reply { error }, "{serializer}");
    }

    check::<D>("json", Json::<SendRaw, Reply>::new());
    check::<D>("cbor", Cbor::<SendRaw, Reply>::new());
    check::<D>("msgpack", MsgPack::<SendRaw, Reply>::new());
}

/// Each side refuses what the other has signed, and goes on.
pub(crate) fn keys_must_agree<D: Driver>() {
    let server = Process::easynetwork("base64-json-hmac");
    let protocol = Base64::new(Json::<Value>::new()).key(&Key::new([7; 32]));
    let client = D::Client::connect(server.address(), protocol).unwrap();

    for _ in 0..2 {
        client.send_packet(&json!({"a": 1})).unwrap();
        // The server says that it cannot read this, and signs it.
        assert_matches!(recv(&client), Err(RecvError::Parse(_)));
    }
}

pub(crate) fn strangers_are_ignored<D: Driver>() {
    let server = Process::easynetwork("json");
    let client = D::Client::connect(server.address(), Json::<Value>::new()).unwrap();
    let (stranger, packet) = (json!({"cmd": "other_source", "hex": "7b7d"}), json!([1]));

    client.send_packet(&stranger).unwrap();
    client.send_packet(&packet).unwrap();

    assert_eq!(client.recv(), packet);
}

pub(crate) fn replies_take_their_time<D: Driver>() {
    let server = Process::easynetwork("json");
    let client = D::Client::connect(server.address(), Json::<Value>::new()).unwrap();
    let wait = |timeout| client.recv_packet_timeout(timeout);

    client.send_packet(&json!({"cmd": "drop"})).unwrap();
    let dropped = wait(Duration::from_millis(50));
    let delayed = json!({"cmd": "delay", "ms": 200, "packet": "late"});
    client.send_packet(&delayed).unwrap();
    let early = wait(Duration::from_millis(1));
    let late = client.recv();
    let many = json!({"cmd": "send_many", "n": 100});
    client.send_packet(&many).unwrap();
    let many: Vec<Value> = (0..100).map(|_| client.recv()).collect();

    assert_matches!(dropped, Err(RecvError::TimedOut));
    assert_matches!(early, Err(RecvError::TimedOut));
    assert_eq!(late, json!("late"));
    let counted: Vec<Value> = (0..100).map(|n| json!({ "n": n })).collect();
    assert_eq!(many, counted);
}

/// Talks to the server: packets one by one and in a burst; then malformed datagrams from the server,
/// each of which is exactly one error and harms nothing; then malformed datagrams to the server.
fn converse<D: Driver, P, F>(serializer: &str, protocol: P, family: &F, malformed: &[&[u8]])
where
    P: Protocol<Received = F::Packet>,
    F: Family<Packet: Borrow<P::Sent>>,
{
    let server = Process::easynetwork(serializer);
    let protocol = Arc::new(protocol);
    let client = D::Client::connect(server.address(), Arc::clone(&protocol)).unwrap();
    let packets = family.packets();

    for packet in &packets {
        client.send_packet(packet.borrow()).unwrap();
        assert_eq!(client.recv(), *packet, "{serializer}");
    }
    let sent = client.send_packets(packets.iter().map(Borrow::borrow));
    assert_eq!(sent.unwrap(), packets.len());
    for packet in &packets {
        assert_eq!(client.recv(), *packet, "{serializer}, in a burst");
    }

    for datagram in malformed {
        client
            .send_packet(family.send_raw(datagram).borrow())
            .unwrap();
        client.send_packet(packets[1].borrow()).unwrap();
        let error = assert_matches!(recv(&client), Err(RecvError::Parse(error)) => error);
        assert_eq!(error.datagram(), datagram, "{serializer}");
        assert_eq!(client.recv(), packets[1], "{serializer}, after an error");
    }
    assert_eq!(client.stats().parse_errors, malformed.len() as u64);

    let raw = D::Client::connect(server.address(), Raw).unwrap();
    for datagram in malformed {
        raw.send_packet(datagram).unwrap();
        let reply = protocol.build_packet_from_datagram((&raw.recv()).into());
        assert_eq!(reply.unwrap(), family.parse_error(), "{serializer}");
    }
}

fn recv<P: Protocol>(client: &impl Client<P>) -> Result<P::Received, RecvError> {
    client.recv_packet_timeout(datagram_tests::DEADLINE)
}

fn make<P: DatagramProtocol>(protocol: &P, packet: &P::Sent) -> Vec<u8> {
    let mut datagram = bytes::BytesMut::new();
    protocol.make_datagram(packet, &mut datagram).unwrap();
    datagram.to_vec()
}

fn signed<P>(protocol: P) -> Base64<P> {
    Base64::new(protocol).key(&Key::from_base64(KEY).unwrap())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What the server calls a family of packets: how commands and errors look.
trait Family {
    type Packet: Debug + PartialEq;
    fn packets(&self) -> Vec<Self::Packet>;
    /// The packet that asks for this datagram (of at most 8 bytes where packets are short).
    fn send_raw(&self, datagram: &[u8]) -> Self::Packet;
    /// What the server answers when it cannot parse a datagram.
    fn parse_error(&self) -> Self::Packet;
}

struct Objects;

impl Family for Objects {
    type Packet = Value;

    fn packets(&self) -> Vec<Value> {
        vec![
            json!(null),
            json!({"name": "grüße, 世界 🦀", "empty": "", "quoted": "\"\\\n\u{7f}\0"}),
            json!([
                0,
                -1,
                127,
                128,
                255,
                256,
                65_535,
                65_536,
                i64::MIN,
                i64::MAX,
                u64::MAX
            ]),
            json!([0.5, -0.1, 1e300, 5e-324, 1.0]),
            json!({"nested": [[], {}, [{"deep": [true, false, null]}]]}),
            json!({"long": "ab".repeat(20_000 / 2)}),
        ]
    }

    fn send_raw(&self, datagram: &[u8]) -> Value {
        json!({"cmd": "send_raw", "hex": hex(datagram)})
    }

    fn parse_error(&self) -> Value {
        json!({"error": "parse"})
    }
}

struct Lines(&'static [&'static str]);

impl Family for Lines {
    type Packet = String;

    fn packets(&self) -> Vec<String> {
        self.0.iter().map(|line| (*line).to_owned()).collect()
    }

    fn send_raw(&self, datagram: &[u8]) -> String {
        format!("!send_raw {}", hex(datagram))
    }

    fn parse_error(&self) -> String {
        "ERROR parse".to_owned()
    }
}

/// `BHi8s`, without padding.
#[derive(Debug, Clone, PartialEq, TryFromBytes, IntoBytes, Immutable)]
#[repr(C)]
struct Record<O: ByteOrder> {
    op: u8,
    seq: U16<O>,
    value: I32<O>,
    payload: [u8; 8],
}

impl<O: ByteOrder> Record<O> {
    fn new(op: u8, seq: u16, value: i32, payload: [u8; 8]) -> Self {
        Self {
            op,
            seq: seq.into(),
            value: value.into(),
            payload,
        }
    }
}

/// The operations of the server's commands and replies.
const SEND_RAW: u8 = 251;
const ERROR: u8 = 255;
const PARSE: i32 = 1;

struct Records<O>(PhantomData<O>);

impl<O: ByteOrder + Debug + PartialEq> Family for Records<O> {
    type Packet = Record<O>;

    fn packets(&self) -> Vec<Record<O>> {
        vec![
            Record::new(0, 0, 0, [0; 8]),
            Record::new(1, 0x1234, -2, *b"payload\0"),
            Record::new(248, u16::MAX, i32::MIN, [0xff; 8]),
        ]
    }

    fn send_raw(&self, datagram: &[u8]) -> Record<O> {
        let mut payload = [0; 8];
        payload[..datagram.len()].copy_from_slice(datagram);
        Record::new(SEND_RAW, 0, datagram.len() as i32, payload)
    }

    fn parse_error(&self) -> Record<O> {
        Record::new(ERROR, 0, PARSE, *b"error\0\0\0")
    }
}

/// A [`Record`] as an application would have it.
#[derive(Debug, PartialEq)]
struct Named {
    op: u8,
    seq: u16,
    value: i32,
    payload: String,
}

struct NamedTuples;

impl Family for NamedTuples {
    type Packet = Named;

    fn packets(&self) -> Vec<Named> {
        let named = |op, seq, value, payload: &str| Named {
            op,
            seq,
            value,
            payload: payload.to_owned(),
        };
        vec![
            named(0, 0, 0, ""),
            named(1, 0x1234, -2, "payload"),
            named(248, u16::MAX, i32::MIN, "grüße!"),
        ]
    }

    fn send_raw(&self, datagram: &[u8]) -> Named {
        Named {
            op: SEND_RAW,
            seq: 0,
            value: datagram.len() as i32,
            payload: str::from_utf8(datagram).unwrap().to_owned(),
        }
    }

    fn parse_error(&self) -> Named {
        Named {
            op: ERROR,
            seq: 0,
            value: PARSE,
            payload: "error".to_owned(),
        }
    }
}
