//! `Outgoing`: encoding that fails, panics or destroys, size limits, bounds, taking back.
#![expect(clippy::unwrap_used, reason = "helpers of tests may unwrap, too")]

use std::{
    fmt::Write as _,
    net::SocketAddr,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
};

use bytes::{Buf, BytesMut};
use datagram_protocol_core::{
    ClientConfig, Datagram, DatagramClientState, DatagramProtocol, PacketError, Raw,
    SendPacketError, SerializeError,
};

#[test]
fn failed_encode_leaves_the_queue_unchanged() {
    for queue in queues() {
        let mut client = client_with(&queue);

        let error = client
            .send_packet(&move |datagram: &mut BytesMut| {
                datagram.extend_from_slice(b"partial");
                Err(SerializeError::new("half way"))
            })
            .unwrap_err();

        assert!(matches!(error, SendPacketError::Serialize(_)), "{error:?}");
        assert_eq!(client.stats().dropped, 0);
        assert_eq!(client.outgoing_mut().len(), queue.len());
        assert_eq!(send_all(&mut client), queue);
    }
}

#[test]
fn failed_encode_gives_the_cause_of_the_protocol() {
    let mut client = client_with(&["abc".into()]);

    let error = client
        .send_packet(&|_: &mut BytesMut| Err(SerializeError::new("my cause")))
        .unwrap_err();

    let source = std::error::Error::source(&error).unwrap();
    assert_eq!(source.to_string(), "my cause");
}

#[test]
fn panicking_encode_leaves_the_queue_unchanged() {
    for queue in queues() {
        let mut client = client_with(&queue);

        let outcome = catch_unwind(AssertUnwindSafe(|| {
            client.send_packet(&move |datagram: &mut BytesMut| {
                datagram.extend_from_slice(b"partial");
                resume_unwind(Box::new("panic"))
            })
        }));

        outcome.unwrap_err();
        assert_eq!(client.stats().dropped, 0);
        assert_eq!(client.outgoing_mut().len(), queue.len());
        client.send_packet(&put("next")).unwrap();
        assert_eq!(
            send_all(&mut client),
            [&queue[..], &["next".into()]].concat()
        );
    }
}

#[test]
fn over_long_encode_leaves_the_queue_unchanged() {
    for queue in queues() {
        let config = ClientConfig::new().max_datagram_size(100);
        let mut client = client_with_config(&queue, config);

        for size in [101, 65_508, 3 << 20] {
            let error = client.send_packet(&fill(size)).unwrap_err();

            let SendPacketError::TooLarge { size: found, max } = error else {
                panic!("{error:?}");
            };
            assert_eq!((found, max), (size, 100));
        }
        assert_eq!(client.stats().dropped, 0);
        assert_eq!(send_all(&mut client), queue);
    }
}

#[test]
fn queue_has_a_full_run_when_another_like_the_last_is_too_much() {
    // Towards IPv4 a run has at most 65,507 bytes.
    for (sizes, is_full) in [
        (&[][..], false),
        (&[0; 1000], false),
        (&[65_507], true),
        (&[32_753], false),
        (&[32_754], true),
        // Thirteen times 5,039 is 65,507.
        (&[5039; 12], false),
        (&[5039; 13], true),
        (&[1200; 53], false),
        (&[1200; 54], true),
        // What is queued in front counts as well.
        (&[30_000, 40_000], true),
        (&[1000, 65_000], true),
        (&[32_000, 31_000], true),
        (&[32_000, 0], false),
    ] {
        let mut client = client_holding(1 << 20);
        for &size in sizes {
            client.send_packet(&fill(size)).unwrap();
        }

        assert_eq!(client.outgoing_mut().has_full_run(), is_full, "{sizes:?}");
    }
}

#[test]
fn packet_after_a_failed_one_joins_the_run_before_it() {
    let mut client = client_with(&["abc".into()]);

    client
        .send_packet(&move |datagram: &mut BytesMut| {
            datagram.extend_from_slice(b"x");
            Err(SerializeError::new("half way"))
        })
        .unwrap_err();
    client.send_packet(&put("def")).unwrap();

    let transmit = client.poll_transmit(64).unwrap();
    assert_eq!(transmit.contents(), b"abcdef");
    assert_eq!(transmit.segment_size(), Some(3));
}

#[test]
fn protocol_finds_what_is_queued_and_appends() {
    let mut client = client_with(&[]);
    client
        .send_packet(&move |datagram: &mut BytesMut| {
            assert!(datagram.is_empty());
            datagram.write_str("abc").map_err(SerializeError::new)
        })
        .unwrap();

    assert_eq!(send_all(&mut client), ["abc"]);
}

#[test]
#[cfg_attr(miri, ignore = "too many cases")]
fn protocol_that_destroys_what_is_queued_gets_an_error_and_it_is_counted() {
    let mut failed = String::new();
    for queue in queues() {
        let bytes = queue.concat().len();
        for (breach, destroy) in breaches() {
            for end in [End::Ok, End::Err, End::Panic] {
                let mut client = client_with(&queue);

                let outcome = catch_unwind(AssertUnwindSafe(|| {
                    client.send_packet(&move |datagram: &mut BytesMut| {
                        destroy(datagram);
                        match end {
                            End::Ok => Ok(()),
                            End::Err => Err(SerializeError::new("as well")),
                            End::Panic => resume_unwind(Box::new("panic")),
                        }
                    })
                }));

                let told = match &outcome {
                    Ok(Err(SendPacketError::Serialize(_))) => end != End::Panic,
                    Ok(Ok(())) => bytes == 0 && end == End::Ok,
                    Ok(Err(_)) => false,
                    Err(_) => end == End::Panic,
                };
                let dropped = client.stats().dropped as usize;
                let kept = client.outgoing_mut().len();
                client.send_packet(&put("next")).unwrap();
                client.send_packet(&put("last")).unwrap();
                let sent = send_all(&mut client);
                let counted = if bytes > 0 {
                    dropped == queue.len() && kept == 0 && sent == ["next", "last"]
                } else {
                    // Nothing could be destroyed but empty datagrams, and a new one may be queued.
                    let new = usize::from(matches!(outcome, Ok(Ok(()))));
                    dropped + kept == queue.len() + new
                        && sent.ends_with(&["next".into(), "last".into()])
                };
                if !told || !counted {
                    writeln!(
                        failed,
                        "{breach}, {end:?}, queue {queue:?}: {outcome:?}, dropped {dropped}, kept {kept}, sent {sent:?}"
                    )
                    .unwrap();
                }
            }
        }
    }

    assert!(failed.is_empty(), "{failed}");
}

#[test]
#[cfg_attr(miri, ignore = "too many cases")]
fn protocol_that_clears_is_caught_whatever_the_bytes() {
    let mut failed = Vec::new();
    for queued in 0..=255_u8 {
        for written in 0..=255_u8 {
            for len in [1, 2, 8] {
                let mut client = DatagramClientState::new(Scripted, peer());
                client.send_packet(&append(&[queued; 8][..len])).unwrap();

                let outcome = client.send_packet(&move |datagram: &mut BytesMut| {
                    datagram.clear();
                    datagram.extend_from_slice(&[written; 8][..len]);
                    Ok(())
                });

                if outcome.is_ok() || client.stats().dropped != 1 {
                    failed.push((queued, written, len));
                }
            }
        }
    }

    assert!(
        failed.is_empty(),
        "{} failed: {:?}",
        failed.len(),
        failed.first()
    );
}

#[test]
#[cfg_attr(miri, ignore = "too many cases")]
fn protocol_that_cuts_off_the_front_is_caught_whatever_the_bytes() {
    let mut failed = Vec::new();
    for queued in 0..=255_u8 {
        for written in 0..=255_u8 {
            for cut in 1..=8 {
                let mut client = DatagramClientState::new(Scripted, peer());
                client.send_packet(&append(&[queued; 20])).unwrap();

                let outcome = client.send_packet(&move |datagram: &mut BytesMut| {
                    datagram.advance(cut);
                    datagram.extend_from_slice(&[written; 20]);
                    Ok(())
                });

                if outcome.is_ok() || client.stats().dropped != 1 {
                    failed.push((queued, written, cut));
                }
            }
        }
    }

    assert!(
        failed.is_empty(),
        "{} failed: {:?}",
        failed.len(),
        failed.first()
    );
}

#[test]
fn protocol_that_rebuilds_the_buffer_as_it_was_does_no_harm() {
    for queue in queues() {
        let mut client = client_with(&queue);

        client
            .send_packet(&move |datagram: &mut BytesMut| {
                let mut rebuilt = BytesMut::with_capacity(datagram.len() + 1000);
                rebuilt.extend_from_slice(datagram);
                rebuilt.extend_from_slice(b"new");
                *datagram = rebuilt;
                Ok(())
            })
            .unwrap();
        client.send_packet(&put("next")).unwrap();

        let expected = [&queue[..], &["new".into(), "next".into()]].concat();
        assert_eq!(send_all(&mut client), expected);
        assert_eq!(client.stats().dropped, 0);
    }
}

#[test]
fn protocol_that_keeps_a_part_of_the_buffer_does_no_harm() {
    let mut client = client_with(&["abc".into()]);

    client
        .send_packet(&move |datagram: &mut BytesMut| {
            let end = datagram.len();
            let mut tail = datagram.split_off(end);
            tail.extend_from_slice(b"defg");
            datagram.unsplit(tail);
            Ok(())
        })
        .unwrap();
    client.send_packet(&put("h")).unwrap();

    assert_eq!(send_all(&mut client), ["abc", "defg", "h"]);
}

#[test]
fn longest_datagram_depends_on_the_address_family() {
    for (remote, longest) in [
        ("192.0.2.1:7", 65_507),
        ("[::ffff:192.0.2.1]:7", 65_507),
        ("[2001:db8::1]:7", 65_527),
        ("[::192.0.2.1]:7", 65_527),
    ] {
        for config in [
            ClientConfig::new(),
            ClientConfig::new().max_datagram_size(1 << 20),
        ] {
            let remote = remote.parse().unwrap();
            let mut client = DatagramClientState::with_config(Scripted, remote, config);

            client.send_packet(&fill(longest)).unwrap();
            let error = client.send_packet(&fill(longest + 1)).unwrap_err();

            let SendPacketError::TooLarge { size, max } = error else {
                panic!("{error:?}");
            };
            assert_eq!((size, max), (longest + 1, longest), "{remote}");
            let transmit = client.poll_transmit(64).unwrap();
            assert_eq!(transmit.contents().len(), longest, "{remote}");
        }
    }
}

#[test]
fn lower_datagram_size_is_kept() {
    for limit in [0, 1, 500, 65_506] {
        let config = ClientConfig::new().max_datagram_size(limit);
        let mut client = DatagramClientState::with_config(Scripted, peer(), config);

        client.send_packet(&fill(limit)).unwrap();
        let error = client.send_packet(&fill(limit + 1)).unwrap_err();

        let SendPacketError::TooLarge { size, max } = error else {
            panic!("{error:?}");
        };
        assert_eq!((size, max), (limit + 1, limit));
        assert_eq!(client.outgoing_mut().len(), 1);
    }
}

#[test]
fn full_queue_refuses_and_keeps_what_it_has() {
    let mut client = client_holding(1000);
    let mut accepted = 0;
    let error = loop {
        match client.send_packet(&fill(100)) {
            Ok(()) => accepted += 1,
            Err(error) => break error,
        }
    };

    assert!(matches!(error, SendPacketError::QueueFull), "{error:?}");
    assert!((8..=10).contains(&accepted), "{accepted}");
    assert_eq!(client.outgoing_mut().len(), accepted);
    assert_eq!(client.stats().dropped, 0);
    assert_eq!(send_all(&mut client), vec!["x".repeat(100); accepted]);
}

#[test]
fn bound_of_the_queue_is_exact() {
    let bound = 1000;
    let mut client = client_holding(bound);
    let error = client.send_packet(&fill(bound + 1)).unwrap_err();
    let SendPacketError::TooLarge { max: alone, .. } = error else {
        panic!("{error:?}");
    };
    // What keeps track of two datagrams that share no run, each longer than the one before.
    let overhead = 2 * (bound - alone);
    client.send_packet(&fill(100)).unwrap();

    let fits = bound - overhead - 100;
    let error = client.send_packet(&fill(fits + 1)).unwrap_err();
    client.send_packet(&fill(fits)).unwrap();

    assert!(matches!(error, SendPacketError::QueueFull), "{error:?}");
    assert_eq!(client.outgoing_mut().len(), 2);
}

#[test]
fn longest_datagram_behind_another_is_not_too_large() {
    for bound in [1000, 65_520] {
        let mut client = client_holding(bound);
        client.send_packet(&put("abc")).unwrap();
        let error = client.send_packet(&fill(70_001)).unwrap_err();
        let SendPacketError::TooLarge { max, .. } = error else {
            panic!("{error:?}");
        };

        let error = client.send_packet(&fill(max)).unwrap_err();

        assert!(matches!(error, SendPacketError::QueueFull), "{error:?}");
        send_all(&mut client);
        client.send_packet(&fill(max)).unwrap();
    }
}

#[test]
fn queue_full_passes_once_transmits_are_taken() {
    let mut client = client_holding(1000);
    for _ in 0..100 {
        client.send_packet(&fill(700)).unwrap();
        let error = client.send_packet(&fill(701)).unwrap_err();
        assert!(matches!(error, SendPacketError::QueueFull), "{error:?}");

        client.poll_transmit(1).unwrap().sent();
        client.send_packet(&fill(701)).unwrap();
        client.poll_transmit(1).unwrap().discard_first();
        client.send_packet(&fill(702)).unwrap();
        client.outgoing_mut().take_back(1);
    }
}

#[test]
fn too_large_never_passes() {
    let mut client = client_holding(1000);
    client.send_packet(&fill(10)).unwrap();

    for _ in 0..3 {
        let error = client.send_packet(&fill(1001)).unwrap_err();
        assert!(
            matches!(error, SendPacketError::TooLarge { .. }),
            "{error:?}"
        );
        send_all(&mut client);
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many cases")]
fn size_limit_of_a_small_queue_is_what_fits_alone() {
    for bound in [0, 5, 12, 40, 100, 1000, 65_519] {
        let mut client = client_holding(bound);
        let error = client.send_packet(&fill(70_000)).unwrap_err();
        let SendPacketError::TooLarge { size: 70_000, max } = error else {
            panic!("{error:?}");
        };

        assert!(
            max <= bound && max + 20 >= bound.min(65_507),
            "{bound}: {max}"
        );
        for _ in 0..3 {
            client.send_packet(&fill(max)).unwrap();
            let error = client.send_packet(&fill(max + 1)).unwrap_err();
            assert!(
                matches!(
                    error,
                    SendPacketError::TooLarge { .. } | SendPacketError::QueueFull
                ),
                "{bound}: {error:?}"
            );
            assert_eq!(send_all(&mut client), ["x".repeat(max)], "{bound}");
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too many datagrams")]
fn flood_of_zero_length_datagrams_is_bounded() {
    let mut client = client_holding(1000);

    let accepted = (0..10_000)
        .take_while(|_| client.send_packet(&fill(0)).is_ok())
        .count();

    assert!((10..=100).contains(&accepted), "{accepted}");
    let error = client.send_packet(&fill(0)).unwrap_err();
    assert!(matches!(error, SendPacketError::QueueFull), "{error:?}");
    assert_eq!(send_all(&mut client), vec![""; accepted]);
    client.send_packet(&fill(0)).unwrap();
}

#[test]
fn datagrams_that_share_a_run_cost_their_bytes_alone() {
    let mut client = client_holding(1000);

    let accepted = (0..10_000)
        .take_while(|_| client.send_packet(&fill(1)).is_ok())
        .count();

    assert!((900..=1000).contains(&accepted), "{accepted}");
}

#[test]
fn datagrams_that_share_no_run_cost_more_than_their_bytes() {
    let mut client = client_holding(1000);

    let accepted = (0..10_000)
        .take_while(|i| client.send_packet(&fill(1 + i % 2)).is_ok())
        .count();

    assert!((50..=150).contains(&accepted), "{accepted}");
}

#[test]
fn full_queue_does_not_ask_the_protocol() {
    let mut client = client_holding(100);
    (0..1000).for_each(|_| drop(client.send_packet(&fill(0))));

    let error = client
        .send_packet(&|_: &mut BytesMut| panic!("asked"))
        .unwrap_err();

    assert!(matches!(error, SendPacketError::QueueFull), "{error:?}");
}

#[test]
fn default_queue_holds_sixteen_of_the_longest_datagrams_towards_ipv4() {
    let mut client = DatagramClientState::new(Scripted, peer());

    let accepted = (0..100)
        .take_while(|_| client.send_packet(&fill(65_507)).is_ok())
        .count();

    assert_eq!(accepted, 16);
}

#[test]
fn take_back_takes_the_newest() {
    let queue: Vec<String> = ["abc", "def", "g", "", "", "hij", "hij"]
        .map(String::from)
        .into();
    for n in 0..=queue.len() + 2 {
        let mut client = client_with(&queue);
        let kept = queue.len().saturating_sub(n);

        client.outgoing_mut().take_back(n);

        assert_eq!(client.outgoing_mut().len(), kept, "{n}");
        assert_eq!(client.outgoing_mut().is_empty(), kept == 0, "{n}");
        let stats = client.stats();
        assert_eq!((stats.dropped, stats.datagrams_out), (0, 0), "{n}");
        client.send_packet(&put("next")).unwrap();
        let expected = [&queue[..kept], &["next".into()]].concat();
        assert_eq!(send_all(&mut client), expected, "{n}");
    }
}

#[test]
fn take_back_of_more_than_all_takes_all() {
    let mut client = client_with(&["abc".into(), "de".into()]);

    client.outgoing_mut().take_back(usize::MAX);

    assert!(client.outgoing_mut().is_empty());
    assert!(client.poll_transmit(64).is_none());
}

#[test]
fn run_goes_on_after_its_tail_was_taken_back() {
    let mut client = client_with(&["abc".into(), "def".into(), "g".into()]);
    client.poll_transmit(1).unwrap().sent();

    client.outgoing_mut().take_back(1);
    client.send_packet(&put("hij")).unwrap();

    let transmit = client.poll_transmit(64).unwrap();
    assert_eq!(transmit.contents(), b"defhij");
    assert_eq!(transmit.segment_size(), Some(3));
}

#[test]
fn length_of_the_queue_counts_datagrams() {
    let mut client = client_with(&["abc".into(), "def".into(), String::new()]);
    assert_eq!(client.outgoing_mut().len(), 3);
    assert!(!client.outgoing_mut().is_empty());

    client.poll_transmit(64).unwrap().sent_first(1);
    assert_eq!(client.outgoing_mut().len(), 2);
    client.poll_transmit(64).unwrap().discard_first();
    assert_eq!(client.outgoing_mut().len(), 1);
    assert!(!client.outgoing_mut().is_empty());
    client.poll_transmit(64).unwrap().sent();

    assert_eq!(client.outgoing_mut().len(), 0);
    assert!(client.outgoing_mut().is_empty());
}

#[test]
fn pump_polls_the_queue_itself() {
    let mut client = DatagramClientState::new(Raw, peer());
    client.send_packet(b"abc").unwrap();
    client.send_packet(b"def").unwrap();

    let transmit = client.outgoing_mut().poll_transmit(0).unwrap();
    assert_eq!(transmit.contents(), b"abc");
    transmit.sent();

    assert_eq!(client.outgoing_mut().stats().datagrams_out, 1);
    assert_eq!(client.stats().datagrams_out, 1);
}

/// How an encoder ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    Ok,
    Err,
    Panic,
}

/// Packets are what to do with the buffer.
struct Scripted;

type Script = dyn Fn(&mut BytesMut) -> Result<(), SerializeError>;

impl DatagramProtocol for Scripted {
    type Sent = Script;
    type Received = ();

    fn make_datagram(&self, packet: &Script, out: &mut BytesMut) -> Result<(), SerializeError> {
        packet(out)
    }

    fn build_packet_from_datagram(&self, _: Datagram<'_>) -> Result<(), PacketError> {
        Ok(())
    }
}

fn append(bytes: &[u8]) -> impl Fn(&mut BytesMut) -> Result<(), SerializeError> + 'static {
    let bytes = bytes.to_vec();
    move |datagram| {
        datagram.extend_from_slice(&bytes);
        Ok(())
    }
}

fn put(text: &str) -> impl Fn(&mut BytesMut) -> Result<(), SerializeError> + 'static {
    append(text.as_bytes())
}

fn fill(len: usize) -> impl Fn(&mut BytesMut) -> Result<(), SerializeError> + 'static {
    move |datagram| {
        datagram.resize(datagram.len() + len, b'x');
        Ok(())
    }
}

/// Queues around the sizes at which keeping watch over them could change.
fn queues() -> Vec<Vec<String>> {
    let many = (0..100).map(|i| format!("datagram number {i:03}"));
    let mixed = ["", "abc", "abc", "", "de", "f", ""].map(String::from);
    vec![
        vec![],
        vec![String::new()],
        vec![String::new(); 3],
        vec!["a".into()],
        vec![String::new(), "a".into(), String::new()],
        vec!["abcdefg".into()],
        vec!["abc".into(), "defg".into()],
        vec!["abcdefgh".into()],
        vec!["abcdefgh".into(), "i".into()],
        mixed.into(),
        many.collect(),
    ]
}

type Breach = (&'static str, fn(&mut BytesMut));

/// What a protocol might do to the buffer; each harms what is queued, unless that has no bytes.
fn breaches() -> Vec<Breach> {
    fn cut(datagram: &mut BytesMut, by: usize) {
        datagram.truncate(datagram.len().saturating_sub(by));
    }
    fn flip(datagram: &mut BytesMut, from_end: usize) {
        let len = datagram.len();
        if let Some(byte) = datagram.get_mut(len - from_end.min(len)) {
            *byte ^= 1;
        }
    }
    vec![
        ("clear", |datagram| datagram.clear()),
        ("truncate by one", |datagram| cut(datagram, 1)),
        ("truncate to half", |datagram| {
            datagram.truncate(datagram.len() / 2);
        }),
        ("truncate by one, write one", |datagram| {
            cut(datagram, 1);
            datagram.extend_from_slice(b"Z");
        }),
        ("truncate by one, write more", |datagram| {
            cut(datagram, 1);
            datagram.extend_from_slice(b"ZZZZZZZZZ");
        }),
        ("clear, write shorter", |datagram| {
            let len = datagram.len();
            datagram.clear();
            datagram.resize(len.saturating_sub(1), b'Z');
        }),
        ("clear, write as much", |datagram| {
            let len = datagram.len();
            datagram.clear();
            datagram.resize(len, b'Z');
        }),
        ("clear, write longer", |datagram| {
            let len = datagram.len();
            datagram.clear();
            datagram.resize(len + 50, b'Z');
        }),
        ("take", |datagram| drop(std::mem::take(datagram))),
        ("take, write longer", |datagram| {
            let len = std::mem::take(datagram).len();
            datagram.resize(len + 50, b'Z');
        }),
        ("split", |datagram| drop(datagram.split())),
        ("split, write longer", |datagram| {
            let len = datagram.split().len();
            datagram.resize(len + 50, b'Z');
        }),
        ("split off one, write longer", |datagram| {
            let end = datagram.len().saturating_sub(1);
            drop(datagram.split_off(end));
            datagram.extend_from_slice(b"ZZZZ");
        }),
        ("split to half, write longer", |datagram| {
            let half = datagram.len().div_ceil(2);
            drop(datagram.split_to(half));
            datagram.resize(datagram.len() + half + 50, b'Z');
        }),
        ("advance by one, write longer", |datagram| {
            datagram.advance(datagram.len().min(1));
            datagram.extend_from_slice(b"ZZZZ");
        }),
        ("advance over all, write longer", |datagram| {
            let len = datagram.len();
            datagram.advance(len);
            datagram.resize(len + 50, b'Z');
        }),
        ("overwrite the last byte", |datagram| flip(datagram, 1)),
        ("overwrite a late byte", |datagram| flip(datagram, 5)),
        ("overwrite the eighth last byte", |datagram| {
            flip(datagram, 8);
        }),
        ("replace by a bigger buffer", |datagram| {
            let len = datagram.len();
            *datagram = BytesMut::zeroed(len + 1000);
        }),
        ("replace by a bigger buffer of text", |datagram| {
            *datagram = BytesMut::from(&vec![b'Z'; datagram.len() + 1000][..]);
        }),
    ]
}

fn peer() -> SocketAddr {
    "192.0.2.1:7".parse().unwrap()
}

fn client_holding(outgoing_bytes: usize) -> DatagramClientState<Scripted> {
    client_with_config(&[], ClientConfig::new().outgoing_bytes(outgoing_bytes))
}

#[track_caller]
fn client_with(queue: &[String]) -> DatagramClientState<Scripted> {
    client_with_config(queue, ClientConfig::new())
}

#[track_caller]
fn client_with_config(queue: &[String], config: ClientConfig) -> DatagramClientState<Scripted> {
    let mut client = DatagramClientState::with_config(Scripted, peer(), config);
    for text in queue {
        client.send_packet(&put(text)).unwrap();
    }
    client
}

fn send_all(client: &mut DatagramClientState<Scripted>) -> Vec<String> {
    let mut sent = Vec::new();
    while let Some(transmit) = client.poll_transmit(64) {
        let texts = transmit.datagrams().map(String::from_utf8_lossy);
        sent.extend(texts.map(String::from));
        transmit.sent();
    }
    sent
}
