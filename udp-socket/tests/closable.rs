//! [`Closed`], [`Closable`] and [`Seat`]: what is let go of when a client is closed, and by whom.

use std::{net::UdpSocket, sync::Arc, time::Duration};

use datagram_udp_socket::{Closable, Closed, ConnectOptions, ConnectedUdpSocket, Release, Seat};

/// How often it was let go of.
#[derive(Debug, Default)]
struct Released(usize);

impl Release for Released {
    fn release(&mut self) {
        self.0 += 1;
    }
}

#[test]
fn only_the_first_close_finds_it_open() {
    let closed = Closed::new();
    assert!(!closed.is_closed());

    let was_open = [closed.close(), closed.close()];

    assert_eq!(was_open, [true, false]);
    assert!(closed.is_closed());
}

#[test]
fn free_content_is_released_by_who_closes() {
    let (closed, content) = (Closed::new(), Closable::new(Released::default()));
    closed.close();

    content.release();

    assert_eq!(content.enter(&closed).0, 1);
}

#[test]
fn content_in_use_is_released_on_the_way_out() {
    let (closed, content) = (Closed::new(), Closable::new(Released::default()));
    let inside = content.enter(&closed);
    closed.close();

    content.release();
    assert_eq!(inside.0, 0);
    drop(inside);

    assert_eq!(content.enter(&closed).0, 1);
}

#[test]
fn leaving_releases_nothing_of_an_open_client() {
    let (closed, content) = (Closed::new(), Closable::new(Released::default()));

    drop(content.enter(&closed));

    assert_eq!(content.enter(&closed).0, 0);
}

#[test]
fn free_content_is_entered_without_asking_for_the_time() {
    let (closed, content) = (Closed::new(), Closable::new(Released::default()));

    let inside = content.enter_within(&closed, || panic!("asked"));

    assert!(inside.is_some());
}

#[test]
fn content_in_use_is_not_entered_once_the_time_is_up() {
    let (closed, content) = (Closed::new(), Closable::new(Released::default()));
    let _inside = content.enter(&closed);

    for timeout in [Duration::ZERO, Duration::from_millis(1)] {
        assert!(content.enter_within(&closed, || Some(timeout)).is_none());
    }
}

#[test]
fn somebody_inside_is_seen_from_outside() {
    let (closed, content) = (Closed::new(), Closable::new(Released::default()));

    let inside = content.enter(&closed);
    assert!(content.is_entered());
    drop(inside);

    assert!(!content.is_entered());
}

#[test]
fn seat_is_closed_by_the_flag_and_by_letting_go() {
    let peer = UdpSocket::bind("127.0.0.1:0").expect("loopback has a free port");
    let address = peer.local_addr().expect("it is bound");
    let socket = ConnectedUdpSocket::connect(&[address], &ConnectOptions::new())
        .expect("loopback can be reached");
    let socket = Arc::new(socket);
    let seat = || Seat::new((), Arc::clone(&socket));
    let (open, closed) = (Closed::new(), Closed::new());
    closed.close();

    let (mut by_flag, mut by_letting_go) = (seat(), seat());
    by_letting_go.release();

    assert!(by_flag.open(&open).is_ok());
    assert!(by_flag.open(&closed).is_err());
    assert!(by_letting_go.open(&open).is_err());
    assert_eq!(Arc::strong_count(&socket), 2);
}
