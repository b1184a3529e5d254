//! A protocol that does as it is told, so that the model knows what it did.

use std::{
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::{Bytes, BytesMut};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError,
};

use super::calls::Script;

/// What becomes of a received datagram.
pub enum Verdict {
    Packet,
    Error,
    Panic,
}

impl Verdict {
    pub fn on(datagram: &[u8]) -> Self {
        match datagram.first() {
            Some(1..=100) => Self::Error,
            Some(101..=130) => Self::Panic,
            _ => Self::Packet,
        }
    }
}

/// Does as it is told, and counts what it parses.
#[derive(Clone)]
pub struct Scripted(pub Arc<AtomicU64>);

impl DatagramProtocol for Scripted {
    type Sent = Script;
    type Received = Bytes;

    fn make_datagram(&self, packet: &Script, out: &mut BytesMut) -> Result<(), SerializeError> {
        match packet {
            Script::Append(contents) => out.extend_from_slice(&contents.to_vec()),
            Script::Fail(contents) => {
                out.extend_from_slice(&contents.to_vec());
                return Err(SerializeError::new("told to"));
            }
            Script::Panic(contents) => {
                out.extend_from_slice(&contents.to_vec());
                // Without the message that `panic!` prints.
                resume_unwind(Box::new("told to"));
            }
            Script::Shorten(by, contents) => {
                out.truncate(out.len().saturating_sub((*by).into()));
                out.extend_from_slice(&contents.to_vec());
            }
            Script::Replace(contents) => *out = BytesMut::from(&contents.to_vec()[..]),
            Script::ShortenAndPanic(by) => {
                out.truncate(out.len().saturating_sub((*by).into()));
                resume_unwind(Box::new("told to"));
            }
        }
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Bytes, PacketError> {
        self.0.fetch_add(1, Relaxed);
        match Verdict::on(&datagram) {
            Verdict::Packet => Ok(datagram.to_bytes()),
            Verdict::Error => Err(DeserializeError::new("told to").into()),
            Verdict::Panic => resume_unwind(Box::new("told to")),
        }
    }
}
