//! A descriptor that is closed, or replaced, under the client's feet.

use std::{
    fs::File,
    net::{IpAddr, Shutdown},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, DEADLINE, Driver, assert_matches, connected, replace_descriptor};
use datagram_udp_socket::{RecvError, SendError};
use nix::errno::Errno;
use socket2::SockRef;

pub(crate) fn operations_on_a_dead_descriptor_are_fatal<D: Driver>(ip: IpAddr) {
    for (fault, send_errno, recv_errno) in faults() {
        let (client, _peer) = connected::<D, _>(ip, Raw);
        break_socket(&client, &fault);

        for _ in 0..2 {
            let error = client.send_packet(b"a").unwrap_err();
            assert!(error.is_fatal() && !error.was_sent());
            let error = assert_matches!(error, SendError::NotSent(error) => error);
            assert_eq!(error.raw_os_error(), Some(send_errno as i32));
            let error = client.send_packets([&b"a"[..], b"b"]).unwrap_err();
            assert_eq!(error.sent, 0);
            assert!(error.error.is_fatal());
            for result in [
                client.recv_packet(),
                client.recv_packet_timeout(Duration::ZERO),
                client.recv_packet_timeout(DEADLINE),
            ] {
                assert!(result.as_ref().is_err_and(RecvError::is_fatal));
                let error = assert_matches!(result, Err(RecvError::Io(error)) => error);
                assert_eq!(error.raw_os_error(), Some(recv_errno as i32));
            }
        }
        client.close();
        assert_matches!(client.send_packet(b"a"), Err(SendError::Closed(_)));
    }
}

pub(crate) fn fatal_error_is_the_last_item<D: Driver>(ip: IpAddr) {
    for (fault, ..) in faults() {
        let (client, _peer) = connected::<D, _>(ip, Raw);
        break_socket(&client, &fault);

        let mut packets = client.iter_received_packets(None);

        let last = packets.next();
        assert!(
            matches!(&last, Some(Err(error)) if error.is_fatal()),
            "{last:?}"
        );
        assert_matches!(packets.next(), None);
        assert_matches!(packets.next(), None);
    }
}

pub(crate) fn send_after_shutdown_is_fatal<D: Driver>(ip: IpAddr) {
    let (client, peer) = connected::<D, _>(ip, Raw);
    client
        .with_socket(|socket| SockRef::from(&socket).shutdown(Shutdown::Write))
        .unwrap();

    let error = client.send_packet(b"a").unwrap_err();
    peer.send(b"the other direction");

    assert!(error.is_fatal() && !error.was_sent());
    let error = assert_matches!(error, SendError::NotSent(error) => error);
    assert_eq!(error.raw_os_error(), Some(Errno::EPIPE as i32));
    assert_eq!(client.recv(), &b"the other direction"[..]);
}

pub(crate) fn rebinding_revives_a_dead_client<D: Driver>(ip: IpAddr) {
    for (fault, ..) in faults() {
        let (client, peer) = connected::<D, _>(ip, Raw);
        break_socket(&client, &fault);
        assert!(client.recv_packet().is_err_and(|error| error.is_fatal()));
        assert!(
            client
                .send_packet(b"a")
                .is_err_and(|error| error.is_fatal())
        );

        client.rebind().unwrap();

        peer.connect(client.local_address().unwrap());
        client.send_packet(b"there").unwrap();
        assert_eq!(peer.recv(), b"there");
        peer.send(b"and back");
        assert_eq!(client.recv(), &b"and back"[..]);
    }
}

/// What may be found in the place of the socket, with the error of sending and that of receiving.
fn faults() -> Vec<(OwnedFd, Errno, Errno)> {
    let file = File::open("/dev/null").unwrap();
    [(file.into(), Errno::ENOTSOCK, Errno::ENOTSOCK)]
        .into_iter()
        .chain(linux_faults())
        .collect()
}

#[cfg(target_os = "linux")]
fn linux_faults() -> [(OwnedFd, Errno, Errno); 2] {
    use std::{fs::OpenOptions, os::unix::fs::OpenOptionsExt};

    use socket2::{Domain, Socket, Type};

    // As good as closed to every call but close (open(2)); the number stays taken.
    let closed = OpenOptions::new()
        .read(true)
        .custom_flags(nix::libc::O_PATH)
        .open("/dev/null")
        .unwrap();
    let stream = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    [
        (closed.into(), Errno::EBADF, Errno::EBADF),
        (stream.into(), Errno::EPIPE, Errno::ENOTCONN),
    ]
}

#[cfg(not(target_os = "linux"))]
const fn linux_faults() -> [(OwnedFd, Errno, Errno); 0] {
    []
}

#[track_caller]
fn break_socket(client: &impl Client<Raw>, fault: &OwnedFd) {
    client
        .with_socket(|socket| {
            replace_descriptor(socket.as_fd(), fault);
            Ok(())
        })
        .unwrap();
}
