//! `Incoming`: batches, shared memory, bounds.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramClientState, DatagramProtocol, DeserializeError, Incoming,
    PacketError, Raw, Receive, SerializeError,
};

#[test]
fn batch_is_cut_at_the_stride() {
    let mut failed = Vec::new();
    for (contents, stride, expected) in [
        ("abcdef", 2, &["ab", "cd", "ef"][..]),
        ("abcdefg", 3, &["abc", "def", "g"]),
        ("abc", 1, &["a", "b", "c"]),
        ("abc", 2, &["ab", "c"]),
        ("abc", 0, &["abc"]),
        ("abc", 3, &["abc"]),
        ("abc", 4, &["abc"]),
        ("abc", usize::MAX, &["abc"]),
        ("", 0, &[""]),
        ("", 1, &[""]),
        ("", usize::MAX, &[""]),
        ("a", 0, &["a"]),
        ("a", 1, &["a"]),
    ] {
        let mut client = DatagramClientState::new(Raw, peer());
        client.handle_datagrams(peer(), contents.into(), stride);
        let stats = client.stats();
        let counted = (stats.datagrams_in as usize, stats.bytes_in as usize);
        let packets = poll_all(&mut client);
        if packets != expected || counted != (expected.len(), contents.len()) {
            failed.push((contents, stride, packets, counted));
        }
    }

    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn to_bytes_shares_what_was_handed_in() {
    let batch = Bytes::from(b"abcdefgh".to_vec());
    let lone = Bytes::from(b"ijkl".to_vec());
    let mut client = DatagramClientState::new(Raw, peer());

    client.handle_datagrams(peer(), batch.clone(), 3);
    client.handle_datagram(peer(), lone.clone());

    let packets = poll_all(&mut client);
    assert_eq!(packets, ["abc", "def", "gh", "ijkl"]);
    for (packet, offset) in packets.iter().zip([0, 3, 6]) {
        assert_eq!(packet.as_ptr(), batch[offset..].as_ptr());
    }
    assert_eq!(packets[3].as_ptr(), lone.as_ptr());
}

#[test]
fn handed_in_vector_is_not_copied() {
    let datagram = b"abc".to_vec();
    let start = datagram.as_ptr();
    let mut client = DatagramClientState::new(Raw, peer());

    client.handle_datagram(peer(), datagram);

    assert_eq!(client.poll_packet().unwrap().unwrap().as_ptr(), start);
}

#[test]
fn lent_contents_are_copied_by_what_outlives_the_call() {
    for stride in [0, 2] {
        let buffer = Bytes::from(b"abcd".to_vec());
        let mut client = DatagramClientState::new(Raw, peer());

        client
            .incoming_mut()
            .handle_lent(peer(), buffer.clone(), stride);
        let kept = poll_all(&mut client);

        assert_eq!(kept.concat(), b"abcd", "{stride}");
        assert!(buffer.is_unique(), "{stride}");
    }
}

#[test]
fn lent_buffer_is_let_go_with_its_last_datagram() {
    let buffer = Bytes::from(b"abcd".to_vec());
    let mut client = DatagramClientState::new(Raw, peer());
    client.incoming_mut().handle_lent(peer(), buffer.clone(), 2);

    let _first = client.poll_packet().unwrap();
    assert!(!buffer.is_unique());
    let _second = client.poll_packet().unwrap();

    assert!(buffer.is_unique());
}

#[test]
fn error_of_a_lent_datagram_does_not_pin_the_buffer() {
    let buffer = Bytes::from(b"abcd".to_vec());
    let mut client = DatagramClientState::new(Refusing, peer());
    client.incoming_mut().handle_lent(peer(), buffer.clone(), 0);

    let error = client.poll_packet().unwrap().unwrap_err();

    assert!(buffer.is_unique());
    assert_eq!(error.datagram(), "abcd");
}

#[test]
fn kept_error_does_not_pin_the_batch_it_came_with() {
    let batch = Bytes::from(b"abcdefg".to_vec());
    let mut client = DatagramClientState::new(Refusing, peer());
    client.handle_datagrams(peer(), batch.clone(), 3);

    let errors: Vec<_> = std::iter::from_fn(|| client.poll_packet())
        .map(Result::unwrap_err)
        .collect();

    assert!(batch.is_unique());
    let datagrams: Vec<_> = errors.iter().map(|error| error.datagram()).collect();
    assert_eq!(datagrams, ["abc", "def", "g"]);
}

#[test]
fn error_of_a_lone_datagram_shares_it() {
    let datagram = Bytes::from(b"abc".to_vec());
    let mut client = DatagramClientState::new(Refusing, peer());
    client.handle_datagram(peer(), datagram.clone());

    let error = client.poll_packet().unwrap().unwrap_err();

    assert_eq!(error.datagram().as_ptr(), datagram.as_ptr());
}

#[test]
fn full_queue_drops_the_newest_and_counts_it() {
    let mut client = client_holding(1000);
    let mut accepted = 0;
    for i in 0..100_u8 {
        client.handle_datagram(peer(), vec![i; 100]);
        accepted += u64::from(client.stats().dropped == 0);
    }

    let stats = client.stats();
    let packets = poll_all(&mut client);

    assert!((5..10).contains(&accepted), "{accepted}");
    assert_eq!(stats.datagrams_in, 100);
    assert_eq!(stats.dropped, 100 - accepted);
    assert!(packets.iter().map(|packet| packet[0]).eq(0..accepted as u8));
}

#[test]
fn bound_of_the_queue_is_exact() {
    let bound = 1000;
    let accepts = |lengths: &[usize]| {
        let mut client = client_holding(bound);
        for &len in lengths {
            client.handle_datagram(peer(), vec![0; len]);
        }
        client.stats().dropped == 0
    };
    // What keeps track of one datagram is what the longest leaves.
    let alone = (0..=bound).rfind(|&len| accepts(&[len])).unwrap();
    let overhead = bound - alone;

    let fits = bound - 2 * overhead - 100;

    assert!(overhead > 0);
    assert!(accepts(&[100, fits]));
    assert!(!accepts(&[100, fits + 1]));
}

#[test]
fn datagram_that_fills_the_queue_is_not_copied() {
    for len in 800..1000 {
        let mut client = client_holding(1000);
        let datagram = vec![0; len];
        let start = datagram.as_ptr();

        client.handle_datagram(peer(), datagram);

        let packet = client.poll_packet().transpose().unwrap();
        assert!(
            packet.is_none_or(|packet| packet.as_ptr() == start),
            "{len}"
        );
    }
}

#[test]
fn room_comes_back_when_packets_are_taken() {
    let mut client = client_holding(1000);
    for _ in 0..100 {
        client.handle_datagram(peer(), vec![1; 800]);
        client.handle_datagram(peer(), vec![2; 800]);

        assert_eq!(poll_all(&mut client), [vec![1; 800]]);
    }

    assert_eq!(client.stats().dropped, 100);
}

#[test]
#[cfg_attr(miri, ignore = "too many datagrams")]
fn flood_of_zero_length_datagrams_is_bounded() {
    let mut client = client_holding(1000);

    for _ in 0..2000 {
        client.handle_datagram(peer(), Bytes::new());
    }

    let dropped = client.stats().dropped;
    let kept = poll_all(&mut client).len() as u64;
    assert!((1..100).contains(&kept), "{kept}");
    assert_eq!(kept + dropped, 2000);
}

#[test]
fn batch_without_room_is_taken_in_part() {
    let mut client = client_holding(1000);
    let batch: Bytes = (0..250_u8).flat_map(|i| [i; 10]).collect();

    client.handle_datagrams(peer(), batch, 10);

    let stats = client.stats();
    let packets = poll_all(&mut client);
    assert!((85..100).contains(&packets.len()), "{}", packets.len());
    assert!(
        packets
            .iter()
            .zip(0..)
            .all(|(packet, i)| *packet == vec![i; 10])
    );
    assert_eq!(stats.dropped as usize, 250 - packets.len());
    assert_eq!((stats.datagrams_in, stats.bytes_in), (250, 2500));
}

#[test]
fn batch_whose_last_datagram_has_no_room_loses_that_alone() {
    let mut client = client_holding(1000);
    let mut len = 1000;
    // The longest batch that fits, a datagram short of the next.
    while {
        client.handle_datagrams(peer(), vec![0; len].into(), len - 1);
        poll_all(&mut client).len() < 2
    } {
        len -= 1;
    }

    client.handle_datagrams(peer(), vec![0; len + 1].into(), len);

    let dropped = client.stats().dropped;
    let lengths: Vec<_> = poll_all(&mut client).iter().map(Bytes::len).collect();
    assert_eq!(lengths, [len]);
    client.handle_datagrams(peer(), vec![0; len + 1].into(), len);
    assert_eq!(client.stats().dropped, dropped + 1);
}

#[test]
fn part_of_a_batch_does_not_pin_the_rest() {
    let batch = Bytes::from(vec![7; 5000]);
    let mut client = client_holding(1000);

    client.handle_datagrams(peer(), batch.clone(), 10);

    assert!(batch.is_unique());
    assert!(!poll_all(&mut client).is_empty());
}

#[test]
fn half_taken_batch_counts_as_a_whole() {
    let mut client = client_holding(1000);
    client.handle_datagrams(peer(), vec![1; 800].into(), 200);
    for _ in 0..3 {
        client.poll_packet().unwrap().unwrap();
    }

    client.handle_datagram(peer(), vec![2; 600]);
    assert_eq!(client.stats().dropped, 1);
    client.poll_packet().unwrap().unwrap();
    client.handle_datagram(peer(), vec![3; 600]);

    assert_eq!(client.stats().dropped, 1);
    assert_eq!(poll_all(&mut client), [vec![3; 600]]);
}

#[test]
fn datagram_longer_than_the_queue_is_dropped_whole() {
    for stride in [0, 2000] {
        let mut client = client_holding(1000);

        client.handle_datagrams(peer(), vec![0; 2000].into(), stride);

        assert_eq!(client.stats().dropped, 1, "{stride}");
        assert!(client.poll_packet().is_none(), "{stride}");
    }
}

#[test]
fn batch_without_room_for_one_is_dropped_whole() {
    let mut client = client_holding(1000);

    client.handle_datagrams(peer(), vec![0; 5000].into(), 2000);

    assert_eq!(client.stats().dropped, 3);
    assert!(client.incoming_mut().is_empty());
}

#[test]
fn queue_without_any_room_drops_everything() {
    for bytes in [0, 1, 10] {
        let mut client = client_holding(bytes);

        client.handle_datagram(peer(), Bytes::new());
        client.handle_datagram(peer(), &b"abc"[..]);
        client.handle_datagrams(peer(), Bytes::from_static(b"abcdef"), 2);

        assert!(client.poll_packet().is_none(), "{bytes}");
        assert_eq!(client.stats().dropped, 5, "{bytes}");
    }
}

#[test]
fn queue_without_limit_takes_everything() {
    let mut client = client_holding(usize::MAX);

    client.handle_datagrams(peer(), vec![0; 4 << 20].into(), 1 << 10);

    assert_eq!(poll_all(&mut client).len(), 4 << 10);
}

#[test]
fn default_queue_holds_fifteen_of_the_longest_datagrams() {
    let mut client = DatagramClientState::new(Raw, peer());

    for _ in 0..17 {
        client.handle_datagram(peer(), vec![0; 65_507]);
    }

    assert_eq!(client.stats().dropped, 2);
    assert_eq!(poll_all(&mut client).len(), 15);
}

#[test]
fn received_datagrams_may_be_longer_than_those_that_are_sent() {
    let config = ClientConfig::new().max_datagram_size(3);
    let mut client = DatagramClientState::with_config(Raw, peer(), config);

    client.handle_datagram(peer(), &b"abcdef"[..]);

    assert_eq!(poll_all(&mut client), ["abcdef"]);
}

#[test]
fn ignored_datagrams_take_no_room() {
    let mut client = client_holding(1000);
    let stranger = "192.0.2.1:8".parse().unwrap();

    client.handle_datagram(stranger, vec![1; 800]);
    client.handle_datagram(stranger, vec![1; 2000]);
    client.handle_datagram(peer(), vec![2; 800]);

    assert_eq!(client.stats().dropped, 0);
    assert_eq!(client.stats().ignored, 2);
    assert_eq!(poll_all(&mut client), [vec![2; 800]]);
}

#[test]
fn truncated_datagram_is_counted_and_never_parsed() {
    let mut client = DatagramClientState::new(Raw, peer());

    client.incoming_mut().handle_truncated(1500);

    let stats = client.stats();
    assert_eq!((stats.datagrams_in, stats.bytes_in), (1, 1500));
    assert_eq!(stats.dropped, 1);
    assert!(client.poll_packet().is_none());
}

#[test]
fn queue_tells_whether_it_is_empty() {
    let mut client = DatagramClientState::new(Raw, peer());
    assert!(client.incoming_mut().is_empty());

    client.handle_datagrams(peer(), Bytes::from_static(b"abc"), 2);
    assert!(!client.incoming_mut().is_empty());
    client.poll_packet().unwrap().unwrap();
    assert!(!client.incoming_mut().is_empty());
    client.poll_packet().unwrap().unwrap();

    assert!(client.incoming_mut().is_empty());
    client.handle_datagram(peer(), Bytes::new());
    assert!(!client.incoming_mut().is_empty());
}

#[test]
fn pump_hands_in_through_the_queue_itself() {
    let mut client = DatagramClientState::new(Raw, peer());

    client.incoming_mut().handle_datagram(peer(), &b"a"[..]);
    let batch = Bytes::from_static(b"bc");
    client.incoming_mut().handle_datagrams(peer(), batch, 1);

    assert_eq!(poll_all(&mut client), ["a", "b", "c"]);
}

#[test]
fn protocol_with_a_queue_receives_like_a_client() {
    let mut incoming = Incoming::new(peer(), &ClientConfig::new());
    let mut receiver = (&Raw, &mut incoming);

    let lone = receiver.receive(peer(), b"a");
    receiver.incoming_mut().handle_datagram(peer(), &b"b"[..]);
    let queued = receiver.poll_packet();

    assert_eq!(lone.unwrap().unwrap(), "a");
    assert_eq!(queued.unwrap().unwrap(), "b");
    assert!(receiver.poll_packet().is_none());
}

/// Sends bytes and takes none.
struct Refusing;

impl DatagramProtocol for Refusing {
    type Sent = [u8];
    type Received = Bytes;

    fn make_datagram(&self, packet: &[u8], datagram: &mut BytesMut) -> Result<(), SerializeError> {
        datagram.extend_from_slice(packet);
        Ok(())
    }

    fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<Bytes, PacketError> {
        Err(DeserializeError::new("refused").into())
    }
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn client_holding(incoming_bytes: usize) -> DatagramClientState<Raw> {
    let config = ClientConfig::new().incoming_bytes(incoming_bytes);
    DatagramClientState::with_config(Raw, peer(), config)
}

#[track_caller]
fn poll_all(client: &mut DatagramClientState<Raw>) -> Vec<Bytes> {
    std::iter::from_fn(|| client.poll_packet())
        .map(Result::unwrap)
        .collect()
}
