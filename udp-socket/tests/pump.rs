//! [`ConnectedUdpSocket::flush`] and [`ConnectedUdpSocket::fill`] between real sockets and the queues of
//! a client, with offload and without.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{
    net::{SocketAddr, UdpSocket},
    thread,
    time::{Duration, Instant},
};

use datagram_protocol_core::{ClientConfig, DatagramClientState, Raw};
use datagram_udp_socket::{ConnectOptions, ConnectedUdpSocket, Progress, RecvError};

const LOOPBACK: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];
const DEADLINE: Duration = Duration::from_secs(20);

/// Every way to switch offload on and off at both ends.
const OFFLOAD: [(bool, bool); 4] = [(false, false), (false, true), (true, false), (true, true)];

/// A socket with the state that it is pumped for.
struct End {
    socket: ConnectedUdpSocket,
    state: DatagramClientState<Raw>,
}

#[test]
fn same_stream_arrives_with_and_without_offload() {
    // Lengths of datagrams that are flushed together.
    let flushes = [
        vec![32; 200],
        vec![100; 64],
        vec![100; 65],
        vec![100; 128],
        vec![100; 129],
        [vec![50; 300], vec![7]].concat(),
        [vec![50; 70], vec![49], vec![50; 70], vec![51; 70]].concat(),
        [1, 200].repeat(50),
        (0..150).collect(),
        (0..150).rev().collect(),
        [vec![10; 3], vec![0], vec![10; 3], vec![0, 0], vec![10]].concat(),
        vec![0; 20],
        vec![1400; 90],
        vec![9000, 9000, 9000, 10],
        vec![65_507],
        vec![1, 65_507, 1],
        vec![65_507, 65_507],
        vec![32_000, 32_000, 32_000],
    ];

    for_each_pair(|from, to, case| {
        for lengths in &flushes {
            transfer(from, to, lengths, case);
        }
    });
}

#[test]
fn longest_datagram_towards_ipv6_arrives() {
    let Some(peer) = bind(LOOPBACK[1]) else {
        return;
    };
    let (mut from, mut to) = pair(peer, true, true);

    transfer(&mut from, &mut to, &[65_527, 3, 65_527], "IPv6");
}

#[test]
fn counters_agree_at_both_ends() {
    for_each_pair(|from, to, case| {
        for _ in 0..5 {
            transfer(from, to, &[40, 40, 40, 0, 7], case);
        }

        let (out, arrived) = (from.state.stats(), to.state.stats());
        assert_eq!((out.datagrams_out, out.bytes_out), (25, 635), "{case}");
        assert_eq!(
            (arrived.datagrams_in, arrived.bytes_in),
            (25, 635),
            "{case}"
        );
        assert_eq!((out.dropped, arrived.dropped), (0, 0), "{case}");
    });
}

#[test]
fn empty_queue_flushes_nothing() {
    for_each_pair(|from, to, _| {
        let progress = from.socket.flush(from.state.outgoing_mut()).unwrap();

        assert_eq!(progress, Progress::Done);
        transfer(from, to, &[1], "nothing before");
    });
}

#[test]
fn empty_socket_would_block() {
    for_each_pair(|_, to, _| {
        let progress = to.socket.fill(to.state.incoming_mut()).unwrap();

        assert_eq!(progress, Progress::WouldBlock);
        assert!(to.state.incoming_mut().is_empty());
    });
}

#[test]
fn nothing_is_read_while_something_is_queued() {
    let (mut from, mut to) = pair(bind(LOOPBACK[0]).unwrap(), false, false);
    send(&mut from, &[1, 2]);

    fill(&mut to);
    for _ in 0..3 {
        let progress = to.socket.fill(to.state.incoming_mut()).unwrap();
        assert_eq!(progress, Progress::Done);
    }

    assert_eq!(to.state.stats().datagrams_in, 1);
    assert_eq!(to.state.poll_packet().unwrap().unwrap().len(), 1);
    fill(&mut to);
    assert_eq!(to.state.poll_packet().unwrap().unwrap().len(), 2);
}

#[test]
fn datagram_that_the_queue_has_no_room_for_is_dropped_and_counted() {
    let config = ClientConfig::new().incoming_bytes(1000);
    let (mut from, mut to) = pair(bind(LOOPBACK[0]).unwrap(), false, false);
    to.state = DatagramClientState::with_config(Raw, to.socket.remote_address(), config);
    send(&mut from, &[2000, 10]);

    fill(&mut to);
    if to.state.incoming_mut().is_empty() {
        fill(&mut to);
    }

    assert_eq!(to.state.poll_packet().unwrap().unwrap().len(), 10);
    assert_eq!(to.state.stats().dropped, 1);
}

#[test]
fn strangers_are_swept_out_by_one_fill() {
    for address in LOOPBACK {
        let (Some(stranger), Some(peer), Some(given)) =
            (bind(address), bind(address), bind(address))
        else {
            continue;
        };
        let local_address = given.local_addr().unwrap();
        for _ in 0..20 {
            stranger.send_to(b"strange", local_address).unwrap();
        }
        peer.send_to(b"familiar", local_address).unwrap();
        given.connect(peer.local_addr().unwrap()).unwrap();
        let socket = ConnectedUdpSocket::adopt(given, &ConnectOptions::new()).unwrap();
        let state = DatagramClientState::new(Raw, socket.remote_address());
        let mut to = End { socket, state };

        fill(&mut to);

        assert_eq!(to.state.poll_packet().unwrap().unwrap(), "familiar");
        assert_eq!(to.state.stats().ignored, 20);
        assert_eq!(to.state.stats().datagrams_in, 21);
    }
}

#[cfg(all(target_os = "linux", not(datagram_portable)))]
mod linux {
    use std::{convert::Infallible, os::fd::AsFd, sync::mpsc};

    use datagram_udp_socket::SendError;
    use nix::{
        errno::Errno,
        poll::{PollFd, PollFlags, PollTimeout, poll},
        sys::socket::{setsockopt, sockopt::UdpGroSegment},
    };
    use socket2::{Domain, SockRef, Socket, Type};

    use super::*;

    #[test]
    fn datagrams_glued_before_adoption_are_parted() {
        for offload in [false, true] {
            let (peer, given) = glued_pair();
            let mut from = adopt(peer, true);
            let packets = send(&mut from, &[10; 8]);

            let mut to = adopt(given, offload);
            fill(&mut to);

            for packet in packets {
                assert_eq!(to.state.poll_packet().unwrap().unwrap(), packet);
            }
            assert!(to.state.poll_packet().is_none());
        }
    }

    #[test]
    fn socket_that_was_gluing_when_adopted_still_parts_datagrams() {
        for offload in [false, true] {
            let (peer, given) = glued_pair();
            let (mut from, mut to) = (adopt(peer, true), adopt(given, offload));

            transfer(&mut from, &mut to, &[10; 8], "glued");
        }
    }

    /// Two sockets connected to each other, the second of which glues what it receives.
    fn glued_pair() -> (UdpSocket, UdpSocket) {
        let (peer, given) = (bind(LOOPBACK[0]).unwrap(), bind(LOOPBACK[0]).unwrap());
        setsockopt(&given, UdpGroSegment, &true).unwrap();
        given.connect(peer.local_addr().unwrap()).unwrap();
        peer.connect(given.local_addr().unwrap()).unwrap();
        (peer, given)
    }

    #[test]
    fn glued_receives_are_never_switched_on_without_offload() {
        use nix::sys::socket::getsockopt;

        for (offload, is_glued) in [(false, false), (true, true)] {
            let (mut from, mut to) = pair(bind(LOOPBACK[0]).unwrap(), true, offload);

            for _ in 0..3 {
                transfer(&mut from, &mut to, &[10; 50], "burst");
            }

            assert_eq!(getsockopt(&to.socket, UdpGroSegment), Ok(is_glued));
        }
    }

    /// Glued receives cost more each, and answers are not glued.
    #[test]
    fn answers_switch_no_glued_receives_on() {
        use nix::sys::socket::getsockopt;

        let (from, mut to) = pair(bind(LOOPBACK[0]).unwrap(), true, true);

        for _ in 0..50 {
            // One is sent and one received, and the socket is never found empty.
            send(&mut to, &[10]);
            from.socket.io().send(b"answer").unwrap();
            wait_until(|| is_ready(&to, PollFlags::POLLIN));
            assert_eq!(receive(&mut to), "answer");
        }

        assert_eq!(getsockopt(&to.socket, UdpGroSegment), Ok(false));
    }

    #[test]
    fn flush_of_nothing_takes_no_error() {
        let (mut from, to) = pair(bind(LOOPBACK[0]).unwrap(), true, true);
        close_port(&to);
        from.socket.io().send(b"refused").unwrap();
        wait_until(|| is_refused(&from));

        let progress = from.socket.flush(from.state.outgoing_mut()).unwrap();

        assert_eq!(progress, Progress::Done);
        let error = from.socket.fill(from.state.incoming_mut()).unwrap_err();
        assert!(matches!(error, RecvError::Unreachable(_)), "{error:?}");
    }

    #[test]
    fn part_of_a_flush_leaves_the_error_to_the_rest() {
        let (mut from, to) = pair(bind(LOOPBACK[0]).unwrap(), true, true);
        close_port(&to);
        from.state.send_packet(b"refused").unwrap();

        let progress = from
            .socket
            .flush_part(from.state.outgoing_mut(), true)
            .unwrap();

        assert_eq!(progress, Progress::Done);
        wait_until(|| is_refused(&from));
        from.state.send_packet(b"the rest").unwrap();
        let error = from.socket.flush(from.state.outgoing_mut()).unwrap_err();
        assert!(
            matches!(error.error, SendError::Unreachable(_)),
            "{error:?}"
        );
    }

    /// The kernel makes fragments of a datagram that is longer than its MTU, and has no memory for
    /// the second if the send buffer is that small (`__ip6_append_data` in net/ipv6/ip6_output.c).
    #[test]
    fn lack_of_buffers_harms_no_other_datagram() {
        let Some(peer) = bind(LOOPBACK[1]) else {
            return;
        };
        let (mut from, mut to) = pair(peer, true, true);
        let socket = SockRef::from(&from.socket);
        let size = socket.send_buffer_size().unwrap();
        socket.set_send_buffer_size(0).unwrap();

        from.state.send_packet(&[7; 65_527]).unwrap();
        from.state.send_packet(b"behind").unwrap();
        let error = from.socket.flush(from.state.outgoing_mut()).unwrap_err();

        assert_eq!(error.sent, 0);
        assert!(error.error.is_out_of_buffers());
        assert!(!error.error.is_fatal() && !error.error.was_sent());
        let SendError::NotSent(cause) = error.error else {
            panic!("{:?}", error.error);
        };
        assert_eq!(cause.raw_os_error(), Some(Errno::ENOBUFS as i32));
        assert_eq!(from.state.stats().dropped, 1);
        // What was behind it is still queued.
        assert_eq!(from.state.outgoing_mut().len(), 1);
        let progress = from.socket.flush(from.state.outgoing_mut()).unwrap();
        assert_eq!(progress, Progress::Done);
        assert_eq!(receive(&mut to), "behind");
        SockRef::from(&from.socket)
            .set_send_buffer_size(size)
            .unwrap();
        transfer(&mut from, &mut to, &[65_527], "with buffers again");
    }

    #[test]
    fn pending_refusal_leaves_what_is_behind_queued() {
        let (mut from, to) = pair(bind(LOOPBACK[0]).unwrap(), true, true);
        close_port(&to);
        from.socket.io().send(b"refused").unwrap();
        wait_until(|| is_refused(&from));
        to.socket.io().connect(from.socket.local_address()).unwrap();
        let mut to = to;

        for packet in [&b"one"[..], b"two", b"three", b"four"] {
            from.state.send_packet(packet).unwrap();
        }
        let error = from.socket.flush(from.state.outgoing_mut()).unwrap_err();

        assert!(
            matches!(error.error, SendError::Unreachable(_)),
            "{error:?}"
        );
        // The first transmit is the run of the first two.
        assert_eq!(error.sent, 2);
        assert_eq!(from.state.outgoing_mut().len(), 2);
        assert_eq!(from.state.stats().dropped, 0);
        let _progress = from.socket.flush(from.state.outgoing_mut()).unwrap();
        for packet in ["one", "two", "three", "four"] {
            assert_eq!(receive(&mut to), packet);
        }
    }

    #[test]
    fn refusal_hides_nothing_from_a_drain() {
        let (mut from, to) = pair(bind(LOOPBACK[0]).unwrap(), true, true);
        to.socket.io().send(b"arrived").unwrap();
        close_port(&to);
        from.socket.io().send(b"refused").unwrap();
        wait_until(|| is_refused(&from));

        from.socket.drain(from.state.incoming_mut());

        assert_eq!(from.state.poll_packet().unwrap().unwrap(), "arrived");
    }

    /// A stream that is connected to nothing says that to receive is invalid, not that it is dead.
    #[test]
    fn drain_of_what_brings_nothing_but_errors_ends() {
        let (mut from, _to) = pair(bind(LOOPBACK[0]).unwrap(), true, true);
        let stream = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        let failing = from.socket.try_map_io(|_| Ok::<_, Infallible>(stream));
        let Ok(failing) = failing;
        let error = failing.fill(from.state.incoming_mut()).unwrap_err();
        assert!(
            matches!(error, RecvError::Io(_)) && !error.is_fatal(),
            "{error:?}"
        );
        let (ended, end) = mpsc::channel();

        thread::spawn(move || {
            failing.drain(from.state.incoming_mut());
            ended.send(from.state.poll_packet().is_none()).unwrap();
        });

        assert_eq!(end.recv_timeout(DEADLINE), Ok(true));
    }

    /// Connects `end` to itself. It takes nothing from others then: its port is as good as closed.
    fn close_port(end: &End) {
        end.socket.io().connect(end.socket.local_address()).unwrap();
    }

    /// Tells whether an error is pending, without taking it.
    fn is_refused(end: &End) -> bool {
        is_ready(end, PollFlags::POLLERR)
    }

    fn is_ready(end: &End, flags: PollFlags) -> bool {
        let mut polled = [PollFd::new(end.socket.as_fd(), flags)];
        poll(&mut polled, PollTimeout::ZERO).unwrap() == 1
    }
}

/// Calls `test` with two ends for each address family and each way to switch offload on and off.
fn for_each_pair(test: impl Fn(&mut End, &mut End, &str)) {
    for address in LOOPBACK {
        for (from_offload, to_offload) in OFFLOAD {
            let Some(peer) = bind(address) else {
                eprintln!("SKIPPED: this machine has no {address}");
                continue;
            };
            let (mut from, mut to) = pair(peer, from_offload, to_offload);
            let case = format!("{address}, offload from {from_offload} to {to_offload}");
            test(&mut from, &mut to, &case);
        }
    }
}

fn pair(peer: UdpSocket, from_offload: bool, to_offload: bool) -> (End, End) {
    let other = bind(&SocketAddr::new(peer.local_addr().unwrap().ip(), 0).to_string()).unwrap();
    peer.connect(other.local_addr().unwrap()).unwrap();
    other.connect(peer.local_addr().unwrap()).unwrap();
    (adopt(other, from_offload), adopt(peer, to_offload))
}

fn bind(address: &str) -> Option<UdpSocket> {
    UdpSocket::bind(address).ok()
}

fn adopt(socket: UdpSocket, offload: bool) -> End {
    // Every system grants as much, after all that a test sends at once.
    let options = ConnectOptions::new()
        .offload(offload)
        .recv_buffer_size(400_000);
    let socket = ConnectedUdpSocket::adopt(socket, &options).unwrap();
    let state = DatagramClientState::new(Raw, socket.remote_address());
    End { socket, state }
}

#[track_caller]
fn transfer(from: &mut End, to: &mut End, lengths: &[usize], case: &str) {
    let packets = send(from, lengths);
    for (number, packet) in packets.iter().enumerate() {
        let arrived = receive(to);
        assert!(
            arrived == packet,
            "{case}: number {number} of {lengths:?} arrived with {} bytes",
            arrived.len()
        );
    }
}

#[track_caller]
fn send(from: &mut End, lengths: &[usize]) -> Vec<Vec<u8>> {
    let packets = lengths
        .iter()
        .enumerate()
        .map(|(number, &length)| (0..length).map(|byte| (byte + number) as u8).collect())
        .collect::<Vec<Vec<u8>>>();
    for packet in &packets {
        from.state.send_packet(packet).unwrap();
    }
    let progress = from.socket.flush(from.state.outgoing_mut()).unwrap();
    assert_eq!(progress, Progress::Done);
    assert!(from.state.outgoing_mut().is_empty());
    packets
}

#[track_caller]
fn receive(to: &mut End) -> bytes::Bytes {
    loop {
        match to.state.poll_packet() {
            Some(packet) => return packet.unwrap(),
            None => fill(to),
        }
    }
}

/// Fills until something is there, or was dropped.
#[track_caller]
fn fill(to: &mut End) {
    wait_until(|| match to.socket.fill(to.state.incoming_mut()) {
        Ok(progress) => progress == Progress::Done,
        Err(RecvError::Unreachable(error)) => panic!("{error}"),
        Err(error) => panic!("{error:?}"),
    });
}

#[track_caller]
fn wait_until(mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "not in time");
        thread::yield_now();
    }
}
