//! The table of system errors, and what becomes of an error as an [`io::Error`].
#![cfg(unix)]

use std::{error::Error, io};

use datagram_protocol_core::{
    ClientClosedError, DatagramClientState, DatagramProtocolParseError, Line, SendPacketError,
    SerializeError,
};
use datagram_udp_socket::{RecvError, SendError, SendPacketsError, closed_error};
use nix::errno::Errno;

/// Each system error that UDP knows (udp(7), ip(7), socket(7)), and whether it means that the socket is
/// dead.
const ERRORS: [(Errno, bool); 24] = [
    (Errno::EBADF, true),
    (Errno::ENOTSOCK, true),
    (Errno::ENOTCONN, true),
    (Errno::EPIPE, true),
    (Errno::EAGAIN, false),
    (Errno::EINTR, false),
    (Errno::ENOBUFS, false),
    (Errno::ENOMEM, false),
    (Errno::EMSGSIZE, false),
    (Errno::ECONNREFUSED, false),
    (Errno::ECONNRESET, false),
    (Errno::ENETUNREACH, false),
    (Errno::EHOSTUNREACH, false),
    (Errno::ENETDOWN, false),
    (Errno::EHOSTDOWN, false),
    (Errno::ENOPROTOOPT, false),
    (Errno::EOPNOTSUPP, false),
    (Errno::EPROTO, false),
    (Errno::EACCES, false),
    (Errno::EPERM, false),
    (Errno::EINVAL, false),
    (Errno::EIO, false),
    (Errno::EMFILE, false),
    (Errno::EADDRNOTAVAIL, false),
];

fn system(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno as i32)
}

#[test]
fn refused_datagram_is_fatal_only_if_the_socket_is_dead() {
    for (errno, is_dead) in ERRORS {
        let error = SendError::NotSent(system(errno));

        assert!(!error.was_sent(), "{errno}");
        assert_eq!(error.is_fatal(), is_dead, "{errno}");
        assert_eq!(
            error.is_out_of_buffers(),
            errno == Errno::ENOBUFS,
            "{errno}"
        );
    }
}

#[test]
fn unreachable_peer_is_never_fatal() {
    for (errno, _) in ERRORS {
        let send = SendError::Unreachable(system(errno));
        let recv = RecvError::Unreachable(system(errno));

        assert!(send.was_sent(), "{errno}");
        assert!(!send.is_fatal() && !send.is_out_of_buffers(), "{errno}");
        assert!(!recv.is_fatal(), "{errno}");
    }
}

#[test]
fn failed_receive_is_fatal_only_if_the_socket_is_dead() {
    for (errno, is_dead) in ERRORS {
        assert_eq!(RecvError::Io(system(errno)).is_fatal(), is_dead, "{errno}");
    }
}

#[test]
fn only_closed_and_dead_are_fatal() {
    let too_large = SendError::TooLarge { size: 2, max: 1 };

    assert!(SendError::Closed(ClientClosedError::new()).is_fatal());
    assert!(RecvError::Closed(ClientClosedError::new()).is_fatal());
    for error in [
        SendError::TimedOut,
        SendError::Serialize(SerializeError::new("no")),
        too_large,
    ] {
        assert!(!error.is_fatal() && !error.was_sent(), "{error:?}");
    }
    assert!(!RecvError::TimedOut.is_fatal());
}

#[test]
fn io_error_has_the_kind_of_the_cause_and_keeps_the_error() {
    let closed = ClientClosedError::new;
    for (error, kind) in [
        (SendError::Closed(closed()), io::ErrorKind::NotConnected),
        (SendError::TimedOut, io::ErrorKind::TimedOut),
        (
            SendError::Serialize(SerializeError::new("no")),
            io::ErrorKind::InvalidInput,
        ),
        (
            SendError::TooLarge { size: 2, max: 1 },
            io::ErrorKind::InvalidInput,
        ),
        (
            SendError::NotSent(system(Errno::EACCES)),
            io::ErrorKind::PermissionDenied,
        ),
        (
            SendError::Unreachable(system(Errno::ECONNREFUSED)),
            io::ErrorKind::ConnectionRefused,
        ),
    ] {
        let said = format!("{error:?}");

        let error = io::Error::from(SendPacketsError::new(7, error));

        assert_eq!(error.kind(), kind, "{said}");
        let inner = error.downcast::<SendPacketsError>().unwrap();
        assert_eq!(inner.sent, 7);
        assert_eq!(format!("{:?}", inner.error), said);
        let error = io::Error::from(inner.error);
        assert_eq!(error.kind(), kind, "{said}");
        assert_eq!(
            format!("{:?}", error.downcast::<SendError>().unwrap()),
            said
        );
    }
    for (error, kind) in [
        (RecvError::Closed(closed()), io::ErrorKind::NotConnected),
        (RecvError::TimedOut, io::ErrorKind::TimedOut),
        (RecvError::Parse(parse_error()), io::ErrorKind::InvalidData),
        (
            RecvError::Unreachable(system(Errno::ECONNREFUSED)),
            io::ErrorKind::ConnectionRefused,
        ),
        (
            RecvError::Io(system(Errno::EACCES)),
            io::ErrorKind::PermissionDenied,
        ),
    ] {
        let said = format!("{error:?}");

        let error = io::Error::from(error);

        assert_eq!(error.kind(), kind, "{said}");
        assert_eq!(
            format!("{:?}", error.downcast::<RecvError>().unwrap()),
            said
        );
    }
}

#[test]
fn closed_client_is_found_inside_the_io_error() {
    let error = closed_error();

    assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    assert!(error.downcast::<ClientClosedError>().is_ok());
}

#[test]
fn cause_is_the_source_and_not_in_the_message() {
    let refused = || system(Errno::ECONNREFUSED);
    let errors: [Box<dyn Error + Send + Sync>; 5] = [
        SendError::NotSent(refused()).into(),
        SendError::Unreachable(refused()).into(),
        RecvError::Unreachable(refused()).into(),
        RecvError::Io(refused()).into(),
        SendPacketsError::new(1, SendError::TimedOut).into(),
    ];

    for error in errors {
        let cause = error.source().expect("it has a cause").to_string();
        assert!(!error.to_string().contains(&cause), "{error}");
    }
}

#[test]
fn full_queue_passes() {
    let error = SendError::from(SendPacketError::QueueFull);

    assert!(!error.is_fatal() && !error.was_sent());
    assert_eq!(io::Error::from(error).kind(), io::ErrorKind::WouldBlock);
}

/// The error of a datagram that is no text.
fn parse_error() -> DatagramProtocolParseError {
    let address = ([127, 0, 0, 1], 7).into();
    let mut client = DatagramClientState::new(Line::new(), address);
    client.handle_datagram(address, &b"\xff"[..]);
    let packet = client.poll_packet().expect("it has arrived");
    packet.expect_err("it is no text")
}
