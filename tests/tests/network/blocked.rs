//! A wire slower than its senders: the socket has no room, and they wait.

use std::{collections::BTreeSet, net::IpAddr, time::Duration};

use datagram_protocol_core::Raw;
use datagram_tests::{Client, Driver, Link, Peer, Task, assert_matches, in_background, settle};
use datagram_udp_socket::{ConnectOptions, RecvError, SendError};
use nix::{
    errno::Errno,
    sys::{
        resource::{UsageWho, getrusage},
        time::{TimeVal, TimeValLike},
    },
};

use crate::losses::{talk, with_client};

/// Bytes of a packet that has to wait.
const SIZE: usize = 1000;

/// Rates of tc(8). At the slow one a packet of [`SIZE`] takes more than a minute, so that whoever has to
/// wait waits for good.
const SLOW: &str = "100bit";
const FAST: &str = "20mbit";

const SENDERS: u32 = 4;

pub(crate) fn packets_that_had_to_wait_arrive_once_and_in_order<D: Driver>(far: IpAddr) {
    const PACKETS: u32 = 200;
    with_blocked_client::<D>(far, FAST, |_, client, peer| {
        let sending = from_each_sender(&client, |client, sender| {
            for number in 0..PACKETS {
                client.send_packet(&numbered(sender, number)).unwrap();
            }
        });

        assert_all_arrive(&peer, PACKETS);

        sending.into_iter().for_each(Task::join);
        peer.assert_nothing_arrived();
        assert_eq!(client.stats().dropped, 0);
    });
}

pub(crate) fn runs_that_had_to_wait_arrive_once_and_in_order<D: Driver>(far: IpAddr) {
    const PACKETS: u32 = 400;
    with_blocked_client::<D>(far, FAST, |_, client, peer| {
        let sending = from_each_sender(&client, |client, sender| {
            let packets = (0..PACKETS)
                .map(|number| numbered(sender, number))
                .collect::<Vec<_>>();
            let sent = client.send_packets(packets.iter().map(|packet| &packet[..]));
            assert_eq!(sent.unwrap(), packets.len());
        });

        assert_all_arrive(&peer, PACKETS);

        sending.into_iter().for_each(Task::join);
        peer.assert_nothing_arrived();
    });
}

pub(crate) fn timed_out_packets_never_arrive<D: Driver>(far: IpAddr) {
    with_blocked_client::<D>(far, SLOW, |link, client, peer| {
        let results = (0..30_u32).map(|number| {
            let packet = numbered(0, number);
            let result = client.send_packet_timeout(&packet, Duration::from_millis(5));
            (number, result)
        });
        let mut sent = Vec::new();
        let mut timed_out = 0;
        for (number, result) in results {
            match result {
                Ok(()) => sent.push(number),
                Err(SendError::TimedOut) => timed_out += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
        assert!(!sent.is_empty() && timed_out > 0, "{sent:?}, {timed_out}");
        let zero = client.send_packet_timeout(&numbered(0, 99), Duration::ZERO);
        assert_matches!(zero, Err(SendError::TimedOut));

        limit(link, FAST);
        client.send_packet(b"end").unwrap();

        for number in sent {
            assert_eq!(peer.recv(), numbered(0, number));
        }
        assert_eq!(peer.recv(), b"end");
        assert_eq!(client.stats().dropped, 0);
    });
}

pub(crate) fn close_ends_every_blocked_send<D: Driver>(far: IpAddr) {
    with_blocked_client::<D>(far, SLOW, |link, client, peer| {
        let sending = from_each_sender(&client, |client, sender| {
            let mut sent = Vec::new();
            for number in 0..100 {
                let packet = numbered(sender, number);
                let result = match number % 2 {
                    0 => client.send_packet(&packet),
                    _ => client
                        .send_packets([&packet[..]])
                        .map(|sent| assert_eq!(sent, 1))
                        .map_err(|error| error.error),
                };
                match result {
                    Ok(()) => sent.push(packet),
                    Err(SendError::Closed(_)) => return sent,
                    Err(error) => panic!("{error:?}"),
                }
            }
            panic!("there was room for everything");
        });
        settle();
        // Receiving is another matter.
        peer.send("answer");
        assert_eq!(client.recv(), "answer");

        client.close();

        let mut sent = BTreeSet::new();
        for sending in sending {
            sent.extend(sending.join());
        }
        limit(link, FAST);
        let mut arrived = BTreeSet::new();
        for _ in 0..sent.len() {
            assert!(arrived.insert(peer.recv()), "it came twice");
        }
        assert_eq!(arrived, sent);
        settle();
        peer.assert_nothing_arrived();
    });
}

pub(crate) fn rebinding_ends_the_wait_for_the_old_socket<D: Driver>(far: IpAddr) {
    with_blocked_client::<D>(far, SLOW, |link, client, peer| {
        let sender = client.clone();
        let sending = in_background(move || {
            (0..20)
                .map(|number| sender.send_packet(&numbered(0, number)))
                .filter(Result::is_ok)
                .count()
        });
        settle();

        // The new socket has a send buffer of the usual size: room for all of them.
        let rebinding = client.clone();
        link.near.run(move || rebinding.rebind()).join().unwrap();

        assert_eq!(sending.join(), 20);
        limit(link, FAST);
        peer.connect(client.local_address().unwrap());
        client.send_packet(b"end").unwrap();
        // Those that the old socket had taken arrive from there; of the rest, which was sent by the new
        // one, those that came after the peer got to know it.
        let arrived = (0..=20)
            .map(|_| peer.recv())
            .take_while(|packet| packet != b"end")
            .collect::<BTreeSet<_>>();
        assert!(arrived.len() <= 20);
    });
}

pub(crate) fn refusals_do_not_disturb_blocked_senders<D: Driver>(far: IpAddr) {
    const PACKETS: u32 = 100;
    with_blocked_client::<D>(far, FAST, |_, client, peer| {
        get_refused(&client, &peer);
        let sending = from_each_sender(&client, |client, sender| {
            for number in 0..PACKETS {
                client.send_packet(&numbered(sender, number)).unwrap();
            }
        });

        assert_all_arrive(&peer, PACKETS);

        sending.into_iter().for_each(Task::join);
        talk(&client, &peer);
    });
}

pub(crate) fn blocked_sender_sleeps_also_after_a_refusal<D: Driver>(far: IpAddr) {
    const WAIT: Duration = Duration::from_millis(500);
    with_blocked_client::<D>(far, SLOW, |_, client, peer| {
        get_refused(&client, &peer);
        let packet = numbered(0, 0);
        let used = loop {
            let before = processor_time();
            match client.send_packet_timeout(&packet, WAIT) {
                Ok(()) => {}
                Err(SendError::TimedOut) => break processor_time() - before,
                Err(error) => panic!("{error:?}"),
            }
        };

        assert!(used < WAIT / 20, "{used:?}");
    });
}

/// Without details the system drops what the interface has no room for, and says nothing.
pub(crate) fn full_queue_is_told_to_who_asked_for_details<D: Driver>(far: IpAddr) {
    if cfg!(datagram_portable) {
        return;
    }
    let options = ConnectOptions::new().icmp_details(true);
    with_client::<D>(far, &options, |link, client, peer| {
        // Room for three packets.
        if !slow_down(
            link,
            &["tbf", "rate", SLOW, "burst", "1600", "limit", "3500"],
        ) {
            return;
        }
        let mut sent = Vec::new();
        let mut refused = 0;
        for number in 0..20 {
            match client.send_packet(&numbered(0, number)) {
                Ok(()) => sent.push(number),
                Err(error) => {
                    assert!(error.is_out_of_buffers(), "{error:?}");
                    assert!(!error.was_sent() && !error.is_fatal());
                    let error = assert_matches!(error, SendError::NotSent(error) => error);
                    assert_eq!(error.raw_os_error(), Some(Errno::ENOBUFS as i32));
                    refused += 1;
                }
            }
        }
        assert!(!sent.is_empty() && refused > 0, "{sent:?}, {refused}");

        limit(link, FAST);
        client.send_packet(b"end").unwrap();

        for number in sent {
            assert_eq!(peer.recv(), numbered(0, number));
        }
        assert_eq!(peer.recv(), b"end");
        // Three times each, and each time taken off the queue.
        assert!(client.stats().dropped >= refused);
    });
}

/// Lets each of the senders, by its number, `send` on a thread of its own.
fn from_each_sender<C: Client<Raw>, T: Send + 'static>(
    client: &C,
    send: impl Fn(C, u32) -> T + Copy + Send + 'static,
) -> Vec<Task<T>> {
    (0..SENDERS)
        .map(|sender| {
            let client = client.clone();
            in_background(move || send(client, sender))
        })
        .collect()
}

/// Sends while the peer's port is closed. If a receiver is waiting, tokio holds the socket for closed to
/// writing from then on.
#[track_caller]
fn get_refused(client: &impl Client<Raw>, peer: &Peer) {
    peer.shut();
    let receiver = client.clone();
    let receiving = in_background(move || receiver.recv_packet());
    settle();
    client.send_packet(b"anybody there?").unwrap();
    assert_matches!(receiving.join(), Err(RecvError::Unreachable(_)));
    peer.connect(client.local_address().unwrap());
}

/// Returns how long this thread has run on a processor.
fn processor_time() -> Duration {
    let usage = getrusage(UsageWho::RUSAGE_THREAD).unwrap();
    let in_microseconds = |time: TimeVal| time.num_microseconds().cast_unsigned();
    Duration::from_micros(in_microseconds(usage.user_time()) + in_microseconds(usage.system_time()))
}

/// Runs `test` with a client whose socket has room for a few packets, on a wire of that rate.
fn with_blocked_client<D: Driver>(
    far: IpAddr,
    rate: &'static str,
    test: impl FnOnce(&Link, D::Client<Raw>, Peer) + Send + 'static,
) {
    with_client::<D>(far, &ConnectOptions::new(), move |link, client, peer| {
        // The least that the system grants.
        client
            .with_socket(|socket| socket.set_send_buffer_size(1))
            .unwrap();
        let bucket = ["tbf", "rate", rate, "burst", "3200", "limit", "4000000"];
        if slow_down(link, &bucket) {
            test(link, client, peer);
        }
    });
}

/// Says so loudly where that is not possible.
fn slow_down(link: &Link, bucket: &[&str]) -> bool {
    let shaped = link.shape(bucket);
    if let Err(said) = &shaped {
        eprintln!("SKIPPED: no tbf in this kernel: {said}");
    }
    shaped.is_ok()
}

/// Changes the rate, and keeps what is on its way.
#[track_caller]
fn limit(link: &Link, rate: &str) {
    link.shape(&["tbf", "rate", rate, "burst", "3200", "limit", "4000000"])
        .unwrap();
}

/// Receives `packets` packets of each sender.
#[track_caller]
fn assert_all_arrive(peer: &Peer, packets: u32) {
    let mut next = [0; SENDERS as usize];
    for _ in 0..SENDERS * packets {
        let packet = peer.recv();
        let sender = u32::from_be_bytes(packet[..4].try_into().unwrap());
        let number = &mut next[sender as usize];
        assert_eq!(packet, numbered(sender, *number));
        *number += 1;
    }
    assert_eq!(next, [packets; SENDERS as usize]);
}

fn numbered(sender: u32, number: u32) -> Vec<u8> {
    let mut packet = [sender.to_be_bytes(), number.to_be_bytes()].concat();
    packet.resize(SIZE, number as u8);
    packet
}
