//! Send and receive have locks of their own, and socket options use that of sending.

use std::{net::IpAddr, sync::mpsc, time::Duration};

use datagram_protocol_core::Raw;
use datagram_tests::{
    Client, DEADLINE, Driver, Peer, assert_matches, connected, in_background,
    protocol::{STOP, Stopping},
    settle,
};
use datagram_udp_socket::RecvError;

pub(crate) fn stopped_parser_blocks_no_send_and_no_options<D: Driver>(ip: IpAddr) {
    let (protocol, stopped) = Stopping::new();
    let (client, peer) = connected::<D, _>(ip, protocol);
    let receiver = client.clone();
    let receiving = in_background(move || receiver.recv_packet());
    peer.send(STOP);
    stopped.wait();

    client.send_packet(b"one").unwrap();
    client.send_packets([&b"two"[..]]).unwrap();
    client
        .with_socket(|socket| socket.set_recv_buffer_size(10_000))
        .unwrap();
    let _address = client.local_address().unwrap();

    assert_eq!(peer.recv(), b"one");
    assert_eq!(peer.recv(), b"two");
    stopped.go_on();
    assert_eq!(receiving.join().unwrap(), STOP);
}

pub(crate) fn stopped_parser_does_not_block_close<D: Driver>(ip: IpAddr) {
    let (protocol, stopped) = Stopping::new();
    let (client, peer) = connected::<D, _>(ip, protocol);
    let local_address = client.local_address().unwrap();
    let receiver = client.clone();
    let receiving = in_background(move || receiver.recv_packet());
    peer.send(STOP);
    stopped.wait();

    client.close();

    assert!(client.is_closed());
    stopped.go_on();
    // It had the packet already; either answer is true.
    assert_matches!(receiving.join(), Ok(_) | Err(RecvError::Closed(_)));
    assert_matches!(client.recv_packet(), Err(RecvError::Closed(_)));
    drop(Peer::rebind(local_address));
}

pub(crate) fn stopped_serializer_blocks_no_receive<D: Driver>(ip: IpAddr) {
    let (protocol, stopped) = Stopping::new();
    let (client, peer) = connected::<D, _>(ip, protocol);
    let sender = client.clone();
    let sending = in_background(move || sender.send_packet(STOP));
    stopped.wait();

    peer.send(b"received");
    let packet = client.recv();

    assert_eq!(packet, &b"received"[..]);
    stopped.go_on();
    sending.join().unwrap();
    assert_eq!(peer.recv(), STOP);
}

pub(crate) fn socket_options_wait_for_a_write<D: Driver>(ip: IpAddr) {
    let (protocol, stopped) = Stopping::new();
    let (client, peer) = connected::<D, _>(ip, protocol);
    let sender = client.clone();
    let sending = in_background(move || sender.send_packet(STOP));
    stopped.wait();

    let optioning = in_background(move || client.with_socket(|socket| socket.send_buffer_size()));
    let is_waiting = optioning.is_running_after(Duration::from_millis(50));
    stopped.go_on();

    assert!(is_waiting);
    sending.join().unwrap();
    optioning.join().unwrap();
    assert_eq!(peer.recv(), STOP);
}

pub(crate) fn slow_iterator_blocks_no_other_sender<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    let sender = client.clone();
    let (asked, is_asked) = mpsc::channel();
    let (give, given) = mpsc::channel::<&[u8]>();
    let sending = in_background(move || {
        let slow = std::iter::from_fn(|| {
            asked.send(()).unwrap();
            given.recv_timeout(DEADLINE).ok()
        });
        sender.send_packets(slow)
    });
    is_asked.recv_timeout(DEADLINE).unwrap();

    client.send_packet(b"meanwhile").unwrap();

    assert_eq!(peer.recv(), b"meanwhile");
    give.send(b"slow").unwrap();
    is_asked.recv_timeout(DEADLINE).unwrap();
    drop(give);
    assert_eq!(sending.join().unwrap(), 1);
    assert_eq!(peer.recv(), b"slow");
}

/// Four threads send and receive through one client; an echo answers. Each packet comes back whole,
/// and once, to whichever thread.
pub(crate) fn senders_and_receivers_do_not_mix_packets_up<D: Driver>(ip: IpAddr) {
    const PACKETS: u32 = 400;
    let echo = Peer::bind(ip).echo();
    let client = D::Client::connect(echo.address(), Raw).unwrap();
    let threads = [0, 1, 2, 3].map(|thread| {
        let client = client.clone();
        in_background(move || {
            (0..PACKETS)
                .map(|number| {
                    let number = thread * PACKETS + number;
                    let packet = number.to_be_bytes().repeat(1 + number as usize % 5);
                    client.send_packet(&packet).unwrap();
                    client.recv()
                })
                .collect::<Vec<_>>()
        })
    });
    settle();

    let mut numbers = threads
        .into_iter()
        .flat_map(|thread| thread.join())
        .map(|packet| {
            let number = u32::from_be_bytes(*packet.first_chunk().unwrap());
            assert_eq!(packet, number.to_be_bytes().repeat(1 + number as usize % 5));
            number
        })
        .collect::<Vec<_>>();

    numbers.sort_unstable();
    assert!(numbers.into_iter().eq(0..4 * PACKETS));
}
