//! `send_packet` and `send_packets`, and what cannot be sent.

use std::{
    net::IpAddr,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
};

#[cfg(target_os = "linux")]
use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{ClientConfig, Raw, json::Json};
#[cfg(target_os = "linux")]
use datagram_protocol_core::{Datagram, DatagramProtocol, PacketError, SerializeError};
use datagram_tests::{
    Client, Driver, Peer, assert_matches, connected, in_background,
    protocol::{PANIC, Picky, UNSERIALIZABLE},
    wait_until,
};
use datagram_udp_socket::{ConnectOptions, SendError};

pub(crate) fn packet_is_sent_and_answer_received<D: Driver>(ip: IpAddr) {
    let echo = Peer::bind(ip).echo();
    let client = D::Client::connect(
        echo.address(),
        Json::<(String, Vec<u32>), (String, Vec<u32>)>::new(),
    )
    .unwrap();
    let packet = ("numbers".to_owned(), vec![1, 2, 3]);

    client.send_packet(&packet).unwrap();

    assert_eq!(client.recv(), packet);
    let stats = client.stats();
    assert_eq!((stats.datagrams_out, stats.datagrams_in), (1, 1));
    assert_eq!(stats.bytes_out, stats.bytes_in);
}

pub(crate) fn every_packet_of_many_is_sent_in_order<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let packets: [&[u8]; 8] = [b"aa", b"bb", b"c", b"dd", b"", b"eeee", b"ff", b"gg"];

    assert_eq!(client.send_packets(packets).unwrap(), packets.len());

    for packet in packets {
        assert_eq!(peer.recv(), packet);
    }
    assert_eq!(client.stats().datagrams_out, packets.len() as u64);
}

pub(crate) fn sending_no_packets_sends_nothing<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);

    assert_eq!(client.send_packets([]).unwrap(), 0);

    client.send_packet(b"first").unwrap();
    assert_eq!(peer.recv(), b"first");
}

/// 10,000 packets in one call, of sizes that make runs of every kind. The iterator waits for the
/// peer, so that its receive buffer never overflows.
pub(crate) fn burst_arrives_once_and_in_order<D: Driver>(ip: IpAddr) {
    const PACKETS: usize = 10_000;
    // More than a driver takes at a time, less than the peer has room for.
    const WINDOW: usize = 250;
    let (client, peer) = connected::<D, _>(ip, Raw);
    let packets = (0..PACKETS).map(numbered).collect::<Vec<_>>();
    let arrived = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&arrived);
    let receiving = in_background(move || {
        for number in 0..PACKETS {
            assert_eq!(peer.recv(), numbered(number));
            counter.store(number + 1, SeqCst);
        }
        peer
    });

    let paced = packets.iter().enumerate().map(|(number, packet)| {
        if number % 50 == 0 {
            wait_until("the peer keeps up", || {
                arrived.load(SeqCst) + WINDOW >= number + 50
            });
        }
        &**packet
    });
    let sent = client.send_packets(paced).unwrap();

    assert_eq!(sent, PACKETS);
    receiving.join().assert_nothing_arrived();
}

/// A datagram that tells its number, and whose length goes through runs of 1 to 150 of one length.
fn numbered(number: usize) -> Vec<u8> {
    let length = match number % 1000 {
        0..150 => 32,
        150..160 => 8 + number % 7,
        160 => 900,
        161..400 => 64,
        400..402 => 63,
        _ => 8 + number / 100 % 90,
    };
    let mut datagram = (number as u64).to_be_bytes().to_vec();
    datagram.resize(length, number as u8);
    datagram
}

pub(crate) fn empty_packets_are_sent<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);

    client.send_packet(b"").unwrap();
    client.send_packets([&b""[..], b"a", b"", b""]).unwrap();

    for packet in [&b""[..], b"", b"a", b"", b""] {
        assert_eq!(peer.recv(), packet);
    }
    assert_eq!(client.stats().datagrams_out, 5);
}

pub(crate) fn longest_datagram_is_sent<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let packet = (0..max_size(ip)).map(|byte| byte as u8).collect::<Vec<_>>();

    client.send_packet(&packet).unwrap();

    assert!(peer.recv() == packet);
}

pub(crate) fn overlong_packet_is_too_large<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let overlong = vec![0; max_size(ip) + 1];

    let error = client.send_packet(&overlong).unwrap_err();
    client.send_packet(b"next").unwrap();

    assert!(!error.was_sent() && !error.is_fatal());
    let sizes = assert_matches!(error, SendError::TooLarge { size, max } => (size, max));
    assert_eq!(sizes, (overlong.len(), max_size(ip)));
    assert_eq!(peer.recv(), b"next");
}

pub(crate) fn configured_limit_is_kept<D: Driver>(ip: IpAddr) {
    let peer = Peer::bind(ip);
    let options = ConnectOptions::new().client_config(ClientConfig::new().max_datagram_size(512));
    let client = D::Client::connect_with(peer.address(), Raw, &options).unwrap();

    let error = client.send_packet(&[0; 513]).unwrap_err();
    client.send_packet(&[7; 512]).unwrap();

    assert_matches!(
        error,
        SendError::TooLarge {
            size: 513,
            max: 512
        }
    );
    assert_eq!(peer.recv(), [7; 512]);
}

pub(crate) fn unserializable_packet_harms_no_other<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Picky);

    client.send_packet(b"before").unwrap();
    let error = client.send_packet(UNSERIALIZABLE).unwrap_err();
    client.send_packet(b"behind").unwrap();

    assert!(!error.was_sent() && !error.is_fatal());
    assert_matches!(error, SendError::Serialize(_));
    assert_eq!(peer.recv(), b"before");
    assert_eq!(peer.recv(), b"behind");
}

pub(crate) fn unserializable_packet_among_many_stops_there<D: Driver>(ip: IpAddr) {
    // In the first lot that a driver takes, at the start of one, and in a later one.
    for before in [0, 5, 128, 200] {
        let (client, peer) = connected::<D, _>(ip, Picky);
        let packets =
            (0..before)
                .map(|_| &b"before"[..])
                .chain([UNSERIALIZABLE, b"behind", b"behind"]);

        let error = client.send_packets(packets).unwrap_err();
        client.send_packet(b"next").unwrap();

        assert_eq!(error.sent, before);
        assert_matches!(error.error, SendError::Serialize(_));
        for _ in 0..before {
            assert_eq!(peer.recv(), b"before");
        }
        assert_eq!(peer.recv(), b"next");
        assert_eq!(client.stats().datagrams_out, before as u64 + 1);
    }
}

pub(crate) fn overlong_packet_among_many_stops_there<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let overlong = vec![0; max_size(ip) + 1];

    let error = client
        .send_packets([b"before", &*overlong, b"behind"])
        .unwrap_err();
    client.send_packet(b"next").unwrap();

    assert_eq!(error.sent, 1);
    assert_matches!(error.error, SendError::TooLarge { .. });
    assert_eq!(peer.recv(), b"before");
    assert_eq!(peer.recv(), b"next");
}

pub(crate) fn panicking_serializer_harms_no_other_packet<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Picky);
    let panics = |send: &dyn Fn(&D::Client<Picky>)| {
        catch_unwind(AssertUnwindSafe(|| send(&client))).is_err()
    };

    assert!(panics(&|client| drop(client.send_packet(PANIC))));
    assert!(panics(&|client| drop(
        client.send_packets([b"with it", PANIC, b"behind"])
    )));
    client.send_packet(b"next").unwrap();

    assert_eq!(peer.recv(), b"next");
    assert_eq!(client.stats().datagrams_out, 1);
}

/// Linux makes fragments of what is longer than the MTU, and has no memory for the second if the send
/// buffer is that small. Over IPv4 the MTU of loopback, 65,536 bytes, has room for any datagram.
#[cfg(target_os = "linux")]
pub(crate) fn lack_of_buffers_is_an_error_after_three_tries<D: Driver>(ip: IpAddr) {
    if ip.is_ipv4() {
        return;
    }
    let (client, peer) = connected::<D, _>(ip, Raw);
    let longest = vec![7; max_size(ip)];
    client
        .with_socket(|socket| socket.set_send_buffer_size(0))
        .unwrap();

    let error = client
        .send_packets([b"before", &*longest, b"behind"])
        .unwrap_err();
    client.send_packet(b"next").unwrap();

    assert_eq!(error.sent, 1);
    assert!(error.error.is_out_of_buffers(), "{error:?}");
    assert!(!error.error.was_sent() && !error.error.is_fatal());
    // Each time it was taken off the queue.
    assert_eq!(client.stats().dropped, 3);
    assert_eq!(peer.recv(), b"before");
    assert_eq!(peer.recv(), b"next");
}

/// What became of the packets in front does not count.
#[cfg(target_os = "linux")]
pub(crate) fn lack_of_buffers_is_tried_three_times_for_each_packet<D: Driver>(ip: IpAddr) {
    if ip.is_ipv4() {
        return;
    }
    let (client, peer) = connected::<D, _>(ip, Shrinking::default());
    client
        .with_socket(|socket| socket.set_send_buffer_size(0))
        .unwrap();

    let sent = client.send_packets([&b"one"[..], b"two"]).unwrap();

    assert_eq!(sent, 2);
    assert_eq!(client.stats().dropped, 3);
    assert_eq!(peer.recv(), b"one");
    assert_eq!(peer.recv(), b"two");
}

/// As [`Raw`], but the first try of `one`, and after that has left the first two of `two`, are longer than
/// what there are buffers for.
#[cfg(target_os = "linux")]
#[derive(Debug, Default)]
struct Shrinking {
    ones: AtomicUsize,
    twos: AtomicUsize,
}

#[cfg(target_os = "linux")]
impl DatagramProtocol for Shrinking {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        let is_long = match packet {
            b"one" => self.ones.fetch_add(1, SeqCst) < 1,
            _ if self.ones.load(SeqCst) < 2 => false,
            _ => self.twos.fetch_add(1, SeqCst) < 2,
        };
        let longest = [7; 65_527];
        Raw.make_datagram(if is_long { &longest } else { packet }, datagram)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        Raw.build_packet_from_datagram(datagram)
    }
}

/// 65,535 less the headers of IPv4 and UDP; of UDP alone towards IPv6.
const fn max_size(ip: IpAddr) -> usize {
    match ip {
        IpAddr::V4(_) => 65_507,
        IpAddr::V6(_) => 65_527,
    }
}
