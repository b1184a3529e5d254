//! `Transmit`: what leaves together, and what taking it off the queue, or not, does.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::net::SocketAddr;

use datagram_protocol_core::{ClientConfig, DatagramClientState, Raw, Transmit};
use proptest::prelude::*;

#[test]
fn nothing_queued_is_no_transmit() {
    let mut client = client();

    assert!(client.poll_transmit(64).is_none());
}

#[test]
fn datagrams_of_one_length_leave_together() {
    let mut client = client();
    send_all(&mut client, &["abc", "def", "ghi"]);

    let transmit = client.poll_transmit(64).unwrap();

    assert_eq!(transmit.contents(), b"abcdefghi");
    assert_eq!(transmit.segment_size(), Some(3));
    assert_eq!(transmit.destination(), peer());
    assert_eq!(list(&transmit), ["abc", "def", "ghi"]);
}

#[test]
fn shorter_datagram_ends_a_run() {
    let mut client = client();
    send_all(&mut client, &["abc", "def", "g", "h", "ijk"]);

    assert_eq!(
        transmits(&mut client, 64),
        [vec!["abc", "def", "g"], vec!["h"], vec!["ijk"]]
    );
}

#[test]
fn longer_datagram_starts_a_run() {
    let mut client = client();
    send_all(&mut client, &["ab", "abc", "abc", "abcd"]);

    assert_eq!(
        transmits(&mut client, 64),
        [vec!["ab"], vec!["abc", "abc"], vec!["abcd"]]
    );
}

#[test]
fn zero_length_datagram_leaves_alone() {
    let mut client = client();
    send_all(&mut client, &["", "", "ab", "ab", "", "ab"]);

    assert_eq!(
        transmits(&mut client, 64),
        [vec![""], vec![""], vec!["ab", "ab"], vec![""], vec!["ab"]]
    );
}

#[test]
fn zero_length_transmit_holds_one_empty_datagram() {
    let mut client = client();
    send_all(&mut client, &["", "ab"]);

    let transmit = client.poll_transmit(64).unwrap();

    assert!(transmit.contents().is_empty());
    assert_eq!(transmit.segment_size(), None);
    assert_eq!(list(&transmit), [""]);
}

#[test]
fn lone_datagram_has_no_segment_size() {
    let mut client = client();
    send_all(&mut client, &["abc", "defg"]);

    let transmit = client.poll_transmit(64).unwrap();

    assert_eq!(transmit.segment_size(), None);
    assert_eq!(list(&transmit), ["abc"]);
}

#[test]
fn max_segments_bounds_a_transmit() {
    let mut client = client();
    send_all(&mut client, &["abc"; 7]);
    send_all(&mut client, &["z"]);

    assert_eq!(
        transmits(&mut client, 3),
        [vec!["abc"; 3], vec!["abc"; 3], vec!["abc", "z"]]
    );
}

#[test]
fn max_segments_of_0_counts_as_1() {
    for max_segments in [0, 1] {
        let mut client = client();
        send_all(&mut client, &["abc", "def"]);

        let transmit = client.poll_transmit(max_segments).unwrap();

        assert_eq!(list(&transmit), ["abc"], "{max_segments}");
        assert_eq!(transmit.segment_size(), None, "{max_segments}");
    }
}

#[test]
fn max_segments_beyond_32_bits_is_no_limit() {
    let mut client = client();
    send_all(&mut client, &["abc", "def"]);

    for max_segments in [1 << 31, usize::MAX / 2 + 1, usize::MAX] {
        let transmit = client.poll_transmit(max_segments).unwrap();

        assert_eq!(list(&transmit), ["abc", "def"], "{max_segments}");
    }
}

#[test]
fn run_is_bounded_like_a_datagram() {
    for (peer, max) in [
        ("192.0.2.1:7", 65_507),
        ("[::ffff:192.0.2.1]:7", 65_507),
        ("[2001:db8::1]:7", 65_527),
    ] {
        let mut client = DatagramClientState::new(Raw, peer.parse().unwrap());
        // The fourth fills a run to the byte, or is one byte too long for it.
        for last in [0, 1] {
            for size in [20_000, 20_000, 20_000, max - 60_000 + last] {
                client.send_packet(&vec![b'x'; size]).unwrap();
            }
        }

        let lengths: Vec<_> = std::iter::from_fn(|| {
            let transmit = client.poll_transmit(usize::MAX)?;
            let len = transmit.contents().len();
            transmit.sent();
            Some(len)
        })
        .collect();

        assert_eq!(lengths, [max, 60_000, max - 60_000 + 1], "{peer}");
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many datagrams")]
fn run_of_many_short_datagrams_is_bounded() {
    let mut client = client();
    for _ in 0..65_507 + 10 {
        client.send_packet(b"x").unwrap();
    }

    let counts: Vec<_> = std::iter::from_fn(|| {
        let transmit = client.poll_transmit(usize::MAX)?;
        let count = transmit.datagrams().len();
        transmit.sent();
        Some(count)
    })
    .collect();

    assert_eq!(counts, [65_507, 10]);
}

#[test]
#[cfg_attr(miri, ignore = "too many datagrams")]
fn lower_datagram_size_does_not_shorten_runs() {
    let config = ClientConfig::new().max_datagram_size(3);
    let mut client = DatagramClientState::with_config(Raw, peer(), config);
    send_all(&mut client, &["abc"; 20_000]);

    let transmit = client.poll_transmit(usize::MAX).unwrap();

    assert_eq!(transmit.datagrams().len(), 20_000);
}

#[test]
fn dropped_transmit_stays_queued() {
    let mut client = client();
    send_all(&mut client, &["abc", "def"]);

    for _ in 0..3 {
        drop(client.poll_transmit(64).unwrap());
    }

    assert_eq!(transmits(&mut client, 64), [vec!["abc", "def"]]);
    assert_eq!(client.stats().datagrams_out, 2);
    assert_eq!(client.stats().dropped, 0);
}

#[test]
fn sent_takes_only_what_the_transmit_showed() {
    let mut client = client();
    send_all(&mut client, &["abc", "def", "ghi"]);

    client.poll_transmit(2).unwrap().sent();

    assert_eq!(client.stats().datagrams_out, 2);
    assert_eq!(client.stats().bytes_out, 6);
    assert_eq!(transmits(&mut client, 64), [vec!["ghi"]]);
}

#[test]
fn sent_first_takes_the_first_datagrams() {
    let run = ["abc", "def", "ghi", "j"];
    for n in 0..=run.len() + 2 {
        let mut client = client();
        send_all(&mut client, &["abc", "def", "ghi", "j"]);
        let taken = n.min(run.len());

        client.poll_transmit(64).unwrap().sent_first(n);

        let stats = client.stats();
        let rest: Vec<_> = transmits(&mut client, 64).concat();
        assert_eq!(rest, run[taken..], "{n}");
        assert_eq!(stats.datagrams_out, taken as u64, "{n}");
        assert_eq!(stats.bytes_out, run[..taken].concat().len() as u64, "{n}");
        assert_eq!(stats.dropped, 0, "{n}");
    }
}

#[test]
fn sent_first_of_more_than_the_transmit_takes_no_others() {
    for n in [2, 3, usize::MAX / 2 + 1, usize::MAX] {
        let mut client = client();
        send_all(&mut client, &["abc", "def", "ghi"]);

        client.poll_transmit(2).unwrap().sent_first(n);

        assert_eq!(transmits(&mut client, 64), [vec!["ghi"]], "{n}");
    }
}

#[test]
fn discard_first_drops_one_and_counts_it() {
    let mut client = client();
    send_all(&mut client, &["abc", "def", "g"]);

    client.poll_transmit(64).unwrap().discard_first();

    assert_eq!(client.stats().dropped, 1);
    assert_eq!(client.stats().datagrams_out, 0);
    assert_eq!(client.stats().bytes_out, 0);
    assert_eq!(transmits(&mut client, 64), [vec!["def", "g"]]);
}

#[test]
fn discard_first_of_a_lone_datagram_leaves_the_next_run() {
    let mut client = client();
    send_all(&mut client, &["", "abc"]);

    client.poll_transmit(64).unwrap().discard_first();

    assert_eq!(client.stats().dropped, 1);
    assert_eq!(transmits(&mut client, 64), [vec!["abc"]]);
}

#[test]
fn run_goes_on_after_part_of_it_was_sent() {
    let mut client = client();
    send_all(&mut client, &["abc", "def"]);
    client.poll_transmit(1).unwrap().sent();

    send_all(&mut client, &["ghi", "j", "k"]);

    assert_eq!(
        transmits(&mut client, 64),
        [vec!["def", "ghi", "j"], vec!["k"]]
    );
}

#[test]
fn short_tail_that_is_left_alone_starts_a_run_of_its_length() {
    let mut client = client();
    send_all(&mut client, &["abc", "d"]);
    client.poll_transmit(1).unwrap().sent();

    send_all(&mut client, &["e", "fg"]);

    assert_eq!(transmits(&mut client, 64), [vec!["d", "e"], vec!["fg"]]);
}

#[test]
fn datagrams_iterator_knows_its_length_and_stays_at_its_end() {
    let mut client = client();
    send_all(&mut client, &["abc", "def", "g"]);
    let transmit = client.poll_transmit(64).unwrap();

    let mut datagrams = transmit.datagrams();

    assert_eq!(datagrams.len(), 3);
    assert_eq!(datagrams.next(), Some(&b"abc"[..]));
    assert_eq!(datagrams.size_hint(), (2, Some(2)));
    assert_eq!(datagrams.clone().last(), Some(&b"g"[..]));
    assert_eq!(datagrams.by_ref().count(), 2);
    assert_eq!((datagrams.next(), datagrams.next()), (None, None));
}

#[test]
fn datagrams_lie_end_to_end_in_contents() {
    let mut client = client();
    send_all(&mut client, &["abc", "def", "g"]);
    let transmit = client.poll_transmit(64).unwrap();

    let mut position = transmit.contents().as_ptr();
    for datagram in transmit.datagrams() {
        assert_eq!(datagram.as_ptr(), position);
        position = position.wrapping_add(datagram.len());
    }
}

#[test]
fn debug_names_the_destination_and_not_the_contents() {
    let mut client = client();
    send_all(&mut client, &["secret", "secret"]);

    let text = format!("{:?}", client.poll_transmit(64).unwrap());

    assert!(text.contains("192.0.2.1:7"), "{text}");
    assert!(text.contains("12"), "{text}");
    assert!(!text.contains("secret"), "{text}");
}

proptest! {
    /// Runs are as long as they can be, and hold what was sent.
    #[test]
    #[cfg_attr(miri, ignore = "too many cases")]
    fn packets_leave_in_the_longest_runs(
        sizes in prop::collection::vec(prop_oneof![0..4_usize, 30_000..33_000_usize], 0..20)
    ) {
        let mut client = client();
        let sent: Vec<_> = (0..).map(|i| b'a' + i).zip(&sizes).map(|(b, &n)| vec![b; n]).collect();
        let mut expected: Vec<Vec<&[u8]>> = Vec::new();
        for datagram in &sent {
            client.send_packet(datagram).unwrap();
            let extended = expected.last_mut().filter(|run| {
                let (first, last) = (run[0].len(), run[run.len() - 1].len());
                let total = run.concat().len() + datagram.len();
                first == last && !datagram.is_empty() && datagram.len() <= last && total <= 65_507
            });
            match extended {
                Some(run) => run.push(datagram),
                None => expected.push(vec![datagram]),
            }
        }

        for run in expected {
            let transmit = client.poll_transmit(usize::MAX).unwrap();
            prop_assert!(transmit.datagrams().eq(run.iter().copied()));
            prop_assert!(transmit.contents() == run.concat());
            prop_assert_eq!(transmit.segment_size(), (run.len() > 1).then(|| run[0].len()));
            transmit.sent();
        }
        prop_assert!(client.poll_transmit(usize::MAX).is_none());
    }
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn client() -> DatagramClientState<Raw> {
    DatagramClientState::new(Raw, peer())
}

#[track_caller]
fn send_all(client: &mut DatagramClientState<Raw>, packets: &[&str]) {
    for packet in packets {
        client.send_packet(packet.as_bytes()).unwrap();
    }
}

fn list(transmit: &Transmit<'_>) -> Vec<String> {
    transmit
        .datagrams()
        .map(|datagram| String::from_utf8_lossy(datagram).into_owned())
        .collect()
}

/// Sends everything. Returns the transmits, as lists of their datagrams.
fn transmits(client: &mut DatagramClientState<Raw>, max_segments: usize) -> Vec<Vec<String>> {
    let mut transmits = Vec::new();
    while let Some(transmit) = client.poll_transmit(max_segments) {
        transmits.push(list(&transmit));
        transmit.sent();
    }
    transmits
}
