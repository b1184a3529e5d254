//! Sending through a system that fails on demand: real sockets, and a script between them and the pump.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

use std::{cell::RefCell, net::UdpSocket, time::Duration};

use datagram_protocol_core::{DatagramClientState, Raw};
use nix::errno::Errno;
use socket2::SockRef;

use super::*;
use crate::ConnectOptions;

/// How long a datagram may be on its way.
const DEADLINE: Duration = Duration::from_secs(20);

/// Datagrams of a long stream, and at most so many of them in one flush.
const STREAM: usize = 10_000;
const LOT: usize = 150;

/// Whether there is offload at all.
const HAS_OFFLOAD: bool = sys::MAX_SEGMENTS > 1;

/// What the pump asks of the system: bytes, and the length of a segment.
type Call = (usize, Option<usize>);

#[test]
fn every_datagram_arrives_once_and_in_order_whatever_call_is_refused() {
    for (address, calls) in [
        ("127.0.0.1:0", &[1, 2, 10, 1000][..]),
        ("[::1]:0", &[3, 100]),
    ] {
        for errno in [Errno::EIO, Errno::EINVAL, Errno::EMSGSIZE] {
            for &refused in calls {
                // That call alone; that and every later run; that and every longer run.
                let kinds: [&dyn Fn(usize, Call) -> bool; 3] = [
                    &|number, _| number == refused,
                    &|number, call| number >= refused && call.1.is_some(),
                    &|number, call| number >= refused && segments(call) > SAFE_SEGMENTS,
                ];
                for (kind, is_refused) in kinds.into_iter().enumerate() {
                    let Some(mut end) = End::bind(address, true) else {
                        eprintln!("SKIPPED: this machine has no {address}");
                        continue;
                    };
                    let case = format!("{address}, {errno}, call {refused}, kind {kind}");
                    let calls = stream_all(&mut end, &case, |number, call| {
                        is_refused(number, call).then_some(errno)
                    });
                    check_limits(&calls, errno, &case);
                }
            }
        }
    }
}

/// Sends the long stream, flush by flush, and checks what arrives. Returns the calls, and whether
/// each was refused.
#[track_caller]
fn stream_all(
    end: &mut End,
    case: &str,
    fault: impl Fn(usize, Call) -> Option<Errno>,
) -> Vec<(Call, bool)> {
    let system = Script::new(fault);
    let mut sizes = sizes();
    let mut number = 0;
    while number < STREAM {
        let lot = (number..STREAM)
            .take(1 + number % LOT)
            .map(|number| datagram(number, sizes()));
        let lot = lot.collect::<Vec<_>>();
        number += lot.len();
        let mut sent = 0;
        for datagram in &lot {
            end.state.send_packet(datagram).unwrap();
        }
        while sent < lot.len() {
            match system.flush(end) {
                Ok(_) => sent = lot.len(),
                Err(error) => {
                    assert!(
                        error.error.was_sent() && error.sent > 0,
                        "{case}: {error:?}"
                    );
                    sent += error.sent;
                }
            }
        }
        assert!(end.state.outgoing_mut().is_empty(), "{case}");
        end.expect(&lot, case);
    }
    assert_eq!(end.state.stats().datagrams_out, STREAM as u64, "{case}");
    assert_eq!(end.state.stats().dropped, 0, "{case}");
    system.into_calls()
}

/// Checks that what a refused run has taught is kept for good.
#[track_caller]
fn check_limits(calls: &[(Call, bool)], errno: Errno, case: &str) {
    let mut most = sys::MAX_SEGMENTS;
    let mut doubted = None;
    for &(call, is_refused) in calls {
        assert!(segments(call) <= most, "{case}: {call:?}");
        let is_run_refused = is_refused && call.1.is_some();
        if is_run_refused && tries_of_a_run(errno) > 1 && doubted != Some(call) {
            doubted = Some(call);
            continue;
        }
        doubted = None;
        if is_run_refused {
            most = match errno {
                Errno::EIO => 1,
                _ if segments(call) > SAFE_SEGMENTS => SAFE_SEGMENTS,
                // Loopback takes segments of any length.
                _ => 1,
            };
        }
    }
    if HAS_OFFLOAD {
        let has_run = calls.iter().any(|&((_, segment), _)| segment.is_some());
        assert!(has_run, "{case}: nothing was offloaded");
    }
}

/// How often a run is sent before it counts as refused: an earlier datagram may have been too long.
const fn tries_of_a_run(errno: Errno) -> usize {
    match errno {
        Errno::EMSGSIZE => 2,
        _ => 1,
    }
}

#[test]
fn run_that_the_card_cannot_checksum_turns_offload_off() {
    let mut end = End::bind("127.0.0.1:0", true).unwrap();
    let system =
        Script::new(|number, call: Call| (number == 1 && call.1.is_some()).then_some(Errno::EIO));

    for lot in [vec![10, 10, 10, 4], vec![7; 3]] {
        end.send(&system, &lot);
    }

    let lone = [10, 10, 10, 4, 7, 7, 7].map(|size| (size, None));
    let refused = HAS_OFFLOAD.then_some((34, Some(10)));
    assert_eq!(
        system.into_plain_calls(),
        refused.into_iter().chain(lone).collect::<Vec<_>>()
    );
}

/// A filter that forbids `sendmsg`, say.
#[test]
fn run_that_goes_on_failing_leaves_one_by_one_and_offload_on() {
    for errno in [Errno::EPERM, Errno::ENOMEM, Errno::ENOSYS] {
        let mut end = End::bind("127.0.0.1:0", true).unwrap();
        let system = Script::new(|_, call: Call| call.1.is_some().then_some(errno));

        end.send(&system, &[10; 3]);
        end.send(&system, &[10; 2]);

        let runs = |bytes| vec![(bytes, Some(10)); if HAS_OFFLOAD { TRIES } else { 0 }];
        let expected = [runs(30), vec![(10, None); 3], runs(20), vec![(10, None); 2]];
        assert_eq!(system.into_plain_calls(), expected.concat(), "{errno}");
    }
}

#[test]
fn run_over_64_segments_that_is_refused_makes_64_the_limit() {
    for errno in [Errno::EINVAL, Errno::EMSGSIZE] {
        let mut end = End::bind("127.0.0.1:0", true).unwrap();
        let system = Script::new(|_, call| (segments(call) > SAFE_SEGMENTS).then_some(errno));

        end.send(&system, &[vec![10; 65], vec![20; 65]].concat());
        end.send(&system, &[10; 130]);

        let expected = if HAS_OFFLOAD {
            [
                vec![(650, Some(10)); tries_of_a_run(errno)],
                vec![(10, None); 65],
                // Only what was refused goes one by one.
                vec![(1280, Some(20)), (20, None)],
                vec![(640, Some(10)), (640, Some(10)), (20, Some(10))],
            ]
            .concat()
        } else {
            [
                vec![(10, None); 65],
                vec![(20, None); 65],
                vec![(10, None); 130],
            ]
            .concat()
        };
        assert_eq!(system.into_plain_calls(), expected, "{errno}");
    }
}

#[test]
fn short_run_that_is_refused_turns_offload_off() {
    for errno in [Errno::EINVAL, Errno::EMSGSIZE] {
        let mut end = End::bind("127.0.0.1:0", true).unwrap();
        let system = Script::new(|_, call: Call| call.1.is_some().then_some(errno));

        end.send(&system, &[10; 64]);
        end.send(&system, &[10; 2]);

        let refused = if HAS_OFFLOAD {
            tries_of_a_run(errno)
        } else {
            0
        };
        assert_eq!(
            system.into_plain_calls(),
            [vec![(640, Some(10)); refused], vec![(10, None); 66]].concat(),
            "{errno}"
        );
    }
}

/// What this is learned from takes a link of that MTU, which the tests of the network have.
#[test]
fn runs_of_datagrams_over_the_limit_are_not_tried() {
    let mut end = End::bind("127.0.0.1:0", true).unwrap();
    end.socket
        .segmentation
        .max_segment_size
        .store(1472, Relaxed);
    let system = Script::new(|_, _| None);

    for size in [1473, 1472] {
        end.send(&system, &[size; 3]);
    }

    let lone = [(1473, None); 3].into_iter();
    let expected = if HAS_OFFLOAD {
        lone.chain([(3 * 1472, Some(1472))]).collect::<Vec<_>>()
    } else {
        lone.chain([(1472, None); 3]).collect()
    };
    assert_eq!(system.into_plain_calls(), expected);
}

#[test]
fn lone_datagram_that_is_refused_leaves_offload_on() {
    for errno in [Errno::EIO, Errno::EINVAL, Errno::EMSGSIZE] {
        let mut end = End::bind("127.0.0.1:0", true).unwrap();
        let system = Script::new(|number, _| (number <= TRIES).then_some(errno));

        end.state.send_packet(&[7; 10]).unwrap();
        let error = system.flush(&mut end).unwrap_err();
        end.send(&system, &[10, 10]);

        assert!(matches!(error.error, SendError::NotSent(_)), "{error:?}");
        assert_eq!(end.state.stats().dropped, 1);
        let rest = if HAS_OFFLOAD {
            &[(20, Some(10))][..]
        } else {
            &[(10, None); 2]
        };
        assert_eq!(system.into_plain_calls()[TRIES..], *rest, "{errno}");
    }
}

/// The socket blocks amid what is left of a refused run: nothing is lost, nothing sent twice.
#[test]
fn refused_run_goes_on_where_the_socket_would_block() {
    for errno in [Errno::EIO, Errno::EINVAL, Errno::EMSGSIZE] {
        let mut end = End::bind("127.0.0.1:0", true).unwrap();
        let system = Script::new(|number, call: Call| match (number, call.1) {
            (_, Some(_)) => Some(errno),
            (4 | 6, None) => Some(Errno::EAGAIN),
            _ => None,
        });
        let lot = end.queue(&[10; 6]);

        let progress = [(); 3].map(|()| system.flush(&mut end).unwrap());

        assert_eq!(
            progress,
            [Progress::WouldBlock, Progress::WouldBlock, Progress::Done],
            "{errno}"
        );
        end.expect(&lot, "all");
    }
}

#[test]
fn pending_error_on_a_run_leaves_offload_on() {
    let mut end = End::bind("127.0.0.1:0", true).unwrap();
    let system = Script::new(|number, _| (number == 1).then_some(Errno::ECONNREFUSED));
    let lot = end.queue(&[10; 3]);

    let error = system.flush(&mut end).unwrap_err();
    let progress = system.flush(&mut end).unwrap();

    assert_eq!(progress, Progress::Done);
    assert!(
        matches!(error.error, SendError::Unreachable(_)),
        "{error:?}"
    );
    end.expect(&lot, "all");
    if HAS_OFFLOAD {
        assert_eq!(error.sent, 3);
        assert_eq!(system.into_plain_calls(), [(30, Some(10)); 2]);
    }
}

#[test]
fn socket_without_offload_never_asks_for_segments() {
    let mut end = End::bind("127.0.0.1:0", false).unwrap();

    let calls = stream_all(&mut end, "without offload", |_, _| None);

    assert_eq!(calls.len(), STREAM);
    assert!(calls.iter().all(|&((_, segment), _)| segment.is_none()));
}

/// A system that fails as told, and otherwise is the real one.
struct Script<F> {
    /// The error of a call, by its number from 1 on.
    fault: F,
    calls: RefCell<Vec<(Call, bool)>>,
}

impl<F: Fn(usize, Call) -> Option<Errno>> Script<F> {
    fn new(fault: F) -> Self {
        Self {
            fault,
            calls: RefCell::default(),
        }
    }

    fn flush(&self, end: &mut End) -> Result<Progress, SendPacketsError> {
        let End { socket, state, .. } = end;
        socket.flush_through(state.outgoing_mut(), false, |contents, segment| {
            let call = (contents.len(), segment);
            if let Some(size) = segment {
                // What has the option is a run, and one that every kernel with offload could take.
                assert!(
                    0 < size && size < contents.len() && contents.len() <= 65_527,
                    "{call:?}"
                );
            }
            let number = self.calls.borrow().len() + 1;
            let fault = (self.fault)(number, call);
            self.calls.borrow_mut().push((call, fault.is_some()));
            match fault {
                Some(errno) => Err(errno.into()),
                None => sys::send(&socket.io, contents, segment),
            }
        })
    }

    fn into_calls(self) -> Vec<(Call, bool)> {
        self.calls.into_inner()
    }

    fn into_plain_calls(self) -> Vec<Call> {
        self.into_calls()
            .into_iter()
            .map(|(call, _)| call)
            .collect()
    }
}

fn segments((len, segment): Call) -> usize {
    segment.map_or(1, |size| len.div_ceil(size))
}

/// A socket with what it is pumped for, and its peer.
struct End {
    socket: ConnectedUdpSocket,
    state: DatagramClientState<Raw>,
    peer: UdpSocket,
}

impl End {
    /// `None` if the machine has no such address.
    fn bind(address: &str, offload: bool) -> Option<Self> {
        let peer = UdpSocket::bind(address).ok()?;
        peer.set_read_timeout(Some(DEADLINE)).unwrap();
        SockRef::from(&peer).set_recv_buffer_size(4 << 20).unwrap();
        let options = ConnectOptions::new().offload(offload);
        let remote = peer.local_addr().unwrap();
        let socket = ConnectedUdpSocket::connect(&[remote], &options).unwrap();
        let state = DatagramClientState::new(Raw, remote);
        Some(Self {
            socket,
            state,
            peer,
        })
    }

    fn queue(&mut self, sizes: &[usize]) -> Vec<Vec<u8>> {
        let lot = sizes
            .iter()
            .enumerate()
            .map(|(number, &size)| datagram(number, size));
        let lot = lot.collect::<Vec<_>>();
        for datagram in &lot {
            self.state.send_packet(datagram).unwrap();
        }
        lot
    }

    /// Queues datagrams of these sizes, flushes them and checks that they arrive.
    #[track_caller]
    fn send<F: Fn(usize, Call) -> Option<Errno>>(&mut self, system: &Script<F>, sizes: &[usize]) {
        let lot = self.queue(sizes);
        assert_eq!(system.flush(self).unwrap(), Progress::Done);
        self.expect(&lot, "all");
    }

    /// Checks that these datagrams arrive, and no other.
    #[track_caller]
    fn expect(&self, lot: &[Vec<u8>], case: &str) {
        let mut buffer = [0; 1 << 16];
        for (number, datagram) in lot.iter().enumerate() {
            let len = self.peer.recv(&mut buffer).unwrap();
            assert!(
                buffer[..len] == datagram[..],
                "{case}: {number} of {} has {len} bytes",
                lot.len()
            );
        }
        self.peer.set_nonblocking(true).unwrap();
        let more = self.peer.recv(&mut buffer);
        self.peer.set_nonblocking(false).unwrap();
        assert!(more.is_err(), "{case}: one more");
    }
}

fn datagram(number: usize, size: usize) -> Vec<u8> {
    (0..size).map(|byte| (number + byte) as u8).collect()
}

/// Lengths of datagrams: runs of any length that may end shorter, lone ones, empty ones.
fn sizes() -> impl FnMut() -> usize {
    let mut random = 1_u64;
    let mut below = move |limit: u64| {
        // The multiplier and increment of Knuth's MMIX.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % limit
    };
    let (mut size, mut left) = (0, 0);
    move || {
        if left == 0 {
            size = [0, 1, 30, 200, 1400][below(5) as usize] + below(3) as usize;
            left = [1, 2, 40, 150][below(4) as usize];
        }
        left -= 1;
        if left == 0 {
            size - size.min(below(2) as usize)
        } else {
            size
        }
    }
}
