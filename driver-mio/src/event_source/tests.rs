//! The event source over a pump that fails on demand.

use std::collections::VecDeque;

use datagram_protocol_core::{ClientConfig, Raw};

use super::*;

/// A socket that takes what it is told to.
#[derive(Default)]
struct Wire {
    /// What becomes of the next datagrams; after these, the socket would block.
    fates: VecDeque<Fate>,
    sent: Vec<Vec<u8>>,
}

#[derive(Clone, Copy)]
enum Fate {
    Sent,
    Refused,
    /// Sent, and an error about an earlier one is met.
    CameBack,
}

impl Wire {
    fn pump(&mut self, outgoing: &mut Outgoing) -> Result<Progress, SendPacketsError> {
        let mut sent = 0;
        while let Some(transmit) = outgoing.poll_transmit(1) {
            let Some(fate) = self.fates.pop_front() else {
                return Ok(Progress::WouldBlock);
            };
            if matches!(fate, Fate::Refused) {
                transmit.discard_first();
                let error = SendError::NotSent(io::ErrorKind::PermissionDenied.into());
                return Err(SendPacketsError::new(sent, error));
            }
            self.sent.push(transmit.contents().to_vec());
            transmit.sent();
            sent += 1;
            if matches!(fate, Fate::CameBack) {
                let error = SendError::Unreachable(io::ErrorKind::ConnectionRefused.into());
                return Err(SendPacketsError::new(sent, error));
            }
        }
        Ok(Progress::Done)
    }
}

fn client(outgoing_bytes: usize) -> Client<Raw> {
    Client::new(DatagramClientState::with_config(
        Raw,
        ([127, 0, 0, 1], 7).into(),
        ClientConfig::new().outgoing_bytes(outgoing_bytes),
    ))
}

#[track_caller]
fn send(client: &mut Client<Raw>, wire: &mut Wire, packet: &[u8]) {
    client
        .send(packet, |outgoing| wire.pump(outgoing))
        .expect("it is sent or queued");
}

fn flush(client: &mut Client<Raw>, wire: &mut Wire) -> Result<(), SendError> {
    client.flush(|outgoing| wire.pump(outgoing))
}

#[test]
fn packets_stay_queued_in_order_while_the_socket_would_block() {
    let mut client = client(1000);
    let mut wire = Wire::default();

    send(&mut client, &mut wire, b"a");
    send(&mut client, &mut wire, b"bc");
    flush(&mut client, &mut wire).unwrap();
    assert!(client.wants_write());
    wire.fates.push_back(Fate::Sent);
    flush(&mut client, &mut wire).unwrap();
    assert!(client.wants_write());
    wire.fates.extend([Fate::Sent; 9]);
    send(&mut client, &mut wire, b"d");

    assert!(!client.wants_write());
    assert_eq!(wire.sent, [&b"a"[..], b"bc", b"d"]);
}

#[test]
fn full_queue_would_block_until_the_socket_takes_something() {
    let mut client = client(1000);
    let mut wire = Wire::default();
    let packet = [7; 600];
    send(&mut client, &mut wire, &packet);

    let error = client
        .send(&packet, |outgoing| wire.pump(outgoing))
        .unwrap_err();
    assert!(matches!(&error, SendError::NotSent(error)
        if error.kind() == io::ErrorKind::WouldBlock));
    assert!(client.wants_write());
    wire.fates.push_back(Fate::Sent);
    send(&mut client, &mut wire, &packet);

    assert_eq!(wire.sent.len(), 1);
    assert!(client.wants_write());
    assert_eq!(client.state.stats().dropped, 0);
}

#[test]
fn full_queue_that_meets_an_error_leaves_it_to_flush() {
    let mut client = client(1000);
    let mut wire = Wire::default();
    let packet = [7; 600];
    send(&mut client, &mut wire, &packet);

    wire.fates.extend([Fate::Refused, Fate::Sent]);
    send(&mut client, &mut wire, &packet);

    assert!(wire.sent.is_empty());
    let error = flush(&mut client, &mut wire).unwrap_err();
    assert!(matches!(error, SendError::NotSent(_)), "{error:?}");
    flush(&mut client, &mut wire).unwrap();
    assert_eq!(wire.sent.len(), 1);
    assert!(!client.wants_write());
}

#[test]
fn error_about_the_packet_itself_is_reported_at_once() {
    for (fate, was_sent) in [(Fate::Refused, false), (Fate::CameBack, true)] {
        let mut client = client(1000);
        let mut wire = Wire::default();
        send(&mut client, &mut wire, b"earlier");

        wire.fates.extend([Fate::Sent, fate]);
        let error = client
            .send(b"itself", |outgoing| wire.pump(outgoing))
            .unwrap_err();

        assert_eq!(error.was_sent(), was_sent);
        assert!(!client.wants_write());
        flush(&mut client, &mut wire).unwrap();
    }
}

#[test]
fn error_about_an_earlier_packet_is_left_to_flush_and_costs_no_other() {
    for (fate, sent) in [
        (Fate::Refused, &[&b"later"[..]][..]),
        (Fate::CameBack, &[b"earlier", b"later"]),
    ] {
        let mut client = client(1000);
        let mut wire = Wire::default();
        send(&mut client, &mut wire, b"earlier");

        wire.fates.push_back(fate);
        send(&mut client, &mut wire, b"later");
        assert!(client.wants_write());
        wire.fates.push_back(Fate::Sent);

        flush(&mut client, &mut wire).unwrap_err();
        flush(&mut client, &mut wire).unwrap();
        assert!(!client.wants_write());
        assert_eq!(wire.sent, sent);
    }
}

#[test]
fn closed_client_flushes_what_is_queued_and_reports_what_it_met() {
    let mut client = client(1000);
    let mut wire = Wire::default();
    for packet in [&b"a"[..], b"bc", b"def"] {
        send(&mut client, &mut wire, packet);
    }

    wire.fates.extend([Fate::Sent, Fate::Refused]);
    client.close(|outgoing| wire.pump(outgoing));
    client.close(|_| panic!("closed already"));
    let error = client
        .send(b"late", |outgoing| wire.pump(outgoing))
        .unwrap_err();

    assert!(matches!(error, SendError::Closed(_)), "{error:?}");
    assert!(client.wants_write());
    flush(&mut client, &mut wire).unwrap_err();
    flush(&mut client, &mut wire).unwrap();
    assert!(client.wants_write());
    wire.fates.push_back(Fate::Sent);
    flush(&mut client, &mut wire).unwrap();
    assert!(!client.wants_write());
    assert_eq!(wire.sent, [&b"a"[..], b"def"]);
}

/// Random calls on a socket of random moods.
#[test]
fn every_packet_is_sent_once_or_reported_once() {
    let (mut refused, mut lost_in_all) = (0, 0);
    for seed in 1..300_u64 {
        let mut random = seed;
        let mut below = move |limit: u64| {
            // The multiplier and increment of Knuth's MMIX.
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (random >> 33) % limit
        };
        let mut client = client(200);
        let mut wire = Wire::default();
        let (mut accepted, mut lost) = (Vec::new(), 0);
        let mut flushed = |client: &mut Client<Raw>, wire: &mut Wire| {
            while let Err(error) = flush(client, wire) {
                lost += usize::from(!error.was_sent());
            }
        };

        for number in 0..200_u64 {
            for _ in 0..below(3) {
                wire.fates.push_back(match below(6) {
                    0 => Fate::Refused,
                    1 => Fate::CameBack,
                    _ => Fate::Sent,
                });
            }
            if below(4) == 0 {
                flushed(&mut client, &mut wire);
            }
            let packet = number.to_le_bytes();
            match client.send(&packet, |outgoing| wire.pump(outgoing)) {
                Ok(()) => accepted.push(packet.to_vec()),
                Err(error) if error.was_sent() => accepted.push(packet.to_vec()),
                Err(_) => refused += 1,
            }
        }
        client.close(|outgoing| wire.pump(outgoing));
        while client.wants_write() {
            wire.fates.push_back(Fate::Sent);
            flushed(&mut client, &mut wire);
        }

        let mut rest = accepted.iter();
        let in_order = wire
            .sent
            .iter()
            .all(|sent| rest.any(|packet| packet == sent));
        assert!(in_order, "seed {seed}");
        assert_eq!(accepted.len(), wire.sent.len() + lost, "seed {seed}");
        lost_in_all += lost;
    }
    assert!(refused > 0 && lost_in_all > 0);
}
