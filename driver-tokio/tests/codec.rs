//! Codecs of tokio-util as protocols: what they write, what one datagram may cost, and that a user
//! of `UdpFramed` keeps the codec.

use std::{cell::Cell, io, net::UdpSocket, time::Duration};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use datagram_driver_tokio::{AsyncUdpNetworkClient, Codec, RecvError};
use datagram_protocol_core::{DatagramClientState, DatagramProtocol, SendPacketError};
use futures_util::SinkExt;
use tokio::time::timeout;
use tokio_util::codec::{
    AnyDelimiterCodec, BytesCodec, Decoder, Encoder, LengthDelimitedCodec, LinesCodec,
};

const GENEROUS: Duration = Duration::from_secs(10);

#[test]
fn encoder_writes_behind_what_is_queued() {
    let protocol = Codec::new(LinesCodec::new()).sending::<str>();
    let mut buffer = BytesMut::from("queued");

    protocol.make_datagram("a line", &mut buffer).unwrap();

    assert_eq!(buffer, "queueda line\n");
}

#[test]
fn encoder_finds_an_empty_buffer_whatever_is_queued() {
    let mut state = state(Codec::new(Patching));

    for number in [7, 300, 7] {
        state.send_packet(&vec![7; number]).unwrap();
    }

    let mut datagrams = Vec::new();
    while let Some(transmit) = state.poll_transmit(1) {
        datagrams.push(transmit.contents().to_vec());
        transmit.sent();
    }
    let lengths = |datagram: &Vec<u8>| (usize::from(datagram[0]) << 8) + usize::from(datagram[1]);
    assert_eq!(
        datagrams.iter().map(lengths).collect::<Vec<_>>(),
        [7, 300, 7]
    );
    assert_eq!(
        datagrams.iter().map(Vec::len).collect::<Vec<_>>(),
        [9, 302, 9]
    );
}

#[test]
fn encoding_does_not_move_what_is_queued_while_there_is_room() {
    let protocol = Codec::new(BytesCodec::new()).sending::<Bytes>();
    let mut buffer = BytesMut::with_capacity(1_000);
    buffer.put_slice(b"queued");
    let before = buffer.as_ptr();

    protocol
        .make_datagram(&Bytes::from_static(b"more"), &mut buffer)
        .unwrap();

    assert_eq!(buffer, "queuedmore");
    assert_eq!(buffer.as_ptr(), before);
    assert!(buffer.capacity() >= 1_000);
}

#[test]
fn encoder_that_fails_leaves_the_queue() {
    let mut state = state(
        Codec::new(
            LengthDelimitedCodec::builder()
                .max_frame_length(5)
                .new_codec(),
        )
        .sending::<Bytes>(),
    );
    state.send_packet(&Bytes::from_static(b"first")).unwrap();

    let error = state.send_packet(&Bytes::from_static(b"too long"));

    assert!(matches!(error, Err(SendPacketError::Serialize(_))));
    let transmit = state.poll_transmit(9).unwrap();
    assert_eq!(transmit.contents(), b"\0\0\0\x05first");
}

#[test]
fn each_bad_datagram_is_one_error_and_no_harm_to_the_next() {
    let mut state = state(Codec::new(LinesCodec::new_with_max_length(8)));
    // Leaves bytes; wants more and is refused; is too long, which makes this codec skip up to the
    // next newline, in whatever datagram it is; is not UTF-8; nothing at all.
    let bad: [&[u8]; 4] = [b"a\nb\n", b"much too long", b"\xff\n", b""];

    for datagram in bad {
        state.handle_datagram(state.remote_address(), Bytes::from_static(datagram));
        state.handle_datagram(state.remote_address(), Bytes::from_static(b"fine\n"));
    }

    for datagram in bad {
        let error = state.poll_packet().unwrap().unwrap_err();
        assert_eq!(error.datagram(), datagram);
        assert_eq!(state.poll_packet().unwrap().unwrap(), "fine");
    }
    assert!(state.poll_packet().is_none());
    assert_eq!(state.stats().parse_errors, 4);
}

#[test]
fn decoder_that_wants_more_or_fails_without_consuming_is_one_error() {
    let mut lengths = state(Codec::new(LengthDelimitedCodec::new()).sending::<Bytes>());
    let mut patching = state(Codec::new(Patching));

    lengths.handle_datagram(
        lengths.remote_address(),
        Bytes::from_static(b"\0\0\0\x05abc"),
    );
    patching.handle_datagram(patching.remote_address(), Bytes::from_static(b"\xff\xff"));

    for result in [
        lengths.poll_packet().unwrap().map(drop),
        patching.poll_packet().unwrap().map(drop),
    ] {
        result.unwrap_err();
    }
    assert!(lengths.poll_packet().is_none());
    assert!(patching.poll_packet().is_none());
}

#[test]
fn codec_that_is_no_clone_is_made_for_each_datagram() {
    struct NoClone(Cell<u8>);
    impl Decoder for NoClone {
        type Item = u8;
        type Error = io::Error;

        fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<u8>> {
            source.advance(source.len());
            self.0.set(self.0.get() + 1);
            Ok(Some(self.0.get()))
        }
    }
    impl Encoder<u8> for NoClone {
        type Error = io::Error;

        fn encode(&mut self, packet: u8, datagram: &mut BytesMut) -> io::Result<()> {
            datagram.put_u8(packet);
            Ok(())
        }
    }
    let protocol = Codec::from_fn(|| NoClone(Cell::new(0)));

    for _ in 0..3 {
        let packet = protocol.build_packet_from_datagram(b"x"[..].into());
        assert_eq!(packet.unwrap(), 1);
    }
}

#[tokio::test]
async fn user_of_udp_framed_moves_over_with_socket_and_codec() {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(GENEROUS)).unwrap();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(peer.local_addr().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();

    let client = AsyncUdpNetworkClient::from_socket(
        socket,
        Codec::new(AnyDelimiterCodec::new(b";".to_vec(), b";".to_vec())).sending::<str>(),
    )
    .unwrap();
    client.sink().send("one").await.unwrap();
    let mut datagram = [0; 9];
    let length = peer.recv(&mut datagram).unwrap();
    for reply in [&b"two;"[..], b"three;four;", b"five;"] {
        peer.send_to(reply, address).unwrap();
    }

    assert_eq!(datagram[..length], *b"one;");
    let receive = async || timeout(GENEROUS, client.recv_packet()).await.unwrap();
    assert_eq!(receive().await.unwrap(), "two");
    assert!(matches!(receive().await, Err(RecvError::Parse(_))));
    assert_eq!(receive().await.unwrap(), "five");
}

#[test]
fn codec_is_shared_by_threads_even_if_what_is_sent_is_not() {
    fn shared<T: Clone + Send + Sync>(_: &T) {}

    shared(&Codec::new(LinesCodec::new()).sending::<std::rc::Rc<str>>());
}

/// Length in two bytes, written last, to the start of the buffer: right only in an empty one.
#[derive(Clone)]
struct Patching;

impl Encoder<Vec<u8>> for Patching {
    type Error = io::Error;

    fn encode(&mut self, packet: Vec<u8>, datagram: &mut BytesMut) -> io::Result<()> {
        datagram.put_u16(0);
        datagram.put_slice(&packet);
        let length = u16::try_from(packet.len()).map_err(io::Error::other)?;
        datagram[..2].copy_from_slice(&length.to_be_bytes());
        Ok(())
    }
}

impl Decoder for Patching {
    type Item = Vec<u8>;
    type Error = io::Error;

    /// Fails without consuming anything.
    fn decode(&mut self, _: &mut BytesMut) -> io::Result<Option<Vec<u8>>> {
        Err(io::Error::other("no"))
    }
}

fn state<P: DatagramProtocol>(protocol: P) -> DatagramClientState<P> {
    DatagramClientState::new(protocol, ([192, 0, 2, 1], 7).into())
}
