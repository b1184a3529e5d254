//! The receiving half of the pump.

use std::{
    io,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use bytes::Bytes;
use datagram_protocol_core::Incoming;

use crate::{
    ConnectedUdpSocket, Descriptor, Progress, RecvError,
    buffer::{BUFFER_SIZE, with_buffer},
    errno::Cause,
    sys::{self, Arrival, Ask},
};

/// Receives in a row, with nothing sent and no empty socket in between, that make a burst. Glued
/// receives cost a third more each (`recvmsg` instead of `recv`), so they have to pay off.
const BURST: u32 = 8;

/// Contents from here on are shared with what keeps them, shorter ones copied: a kept datagram, or
/// batch of them, pins a buffer of at most four times its size.
const SHARED_FROM: usize = BUFFER_SIZE / 4;

/// Whether short contents may stay in the receive buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lease {
    /// They are parsed soon.
    Lent,
    /// They stay in the queue, and must not pin the buffer.
    Kept,
}

/// How this socket receives.
#[derive(Debug)]
pub(crate) struct Reception {
    /// Whether the socket was found empty since it was connected. Until then, there may be datagrams
    /// of strangers in it that came before the connect.
    is_swept: AtomicBool,
    /// Whether receives may be glued together. Never taken back: a datagram that was glued before
    /// would lose its stride.
    is_glued: AtomicBool,
    /// Whether gluing may be switched on.
    may_glue: AtomicBool,
    /// Receives in a row.
    in_a_row: AtomicU32,
    /// Datagrams that the system has dropped, as last heard.
    overflow: AtomicU32,
}

impl Reception {
    pub(crate) const fn new(offload: bool, is_glued: bool) -> Self {
        Self {
            is_swept: AtomicBool::new(false),
            is_glued: AtomicBool::new(is_glued),
            may_glue: AtomicBool::new(offload && !is_glued),
            in_a_row: AtomicU32::new(0),
            overflow: AtomicU32::new(0),
        }
    }

    /// Something is sent: what arrives next may be an answer rather than a burst.
    pub(crate) fn sending(&self) {
        self.in_a_row.store(0, Relaxed);
    }

    fn found_empty(&self) {
        self.is_swept.store(true, Relaxed);
        self.in_a_row.store(0, Relaxed);
    }

    /// What the next receive has to find out. Whether the system drops datagrams is asked once a
    /// burst, since asking costs.
    fn ask(&self) -> Ask {
        Ask {
            source: !self.is_swept.load(Relaxed),
            stride: self.is_glued.load(Relaxed),
            overflow: self.in_a_row.load(Relaxed) + 1 == BURST,
        }
    }

    /// Takes note of how many datagrams the system has dropped; returns how many are new.
    fn overflow_since(&self, overflow: u32) -> u32 {
        overflow.wrapping_sub(self.overflow.swap(overflow, Relaxed))
    }

    /// Counts a receive; tells whether it is time to switch gluing on.
    fn received(&self) -> bool {
        // Only a receiver counts, under its lock, so this need not be one step.
        let in_a_row = self.in_a_row.load(Relaxed) + 1;
        self.in_a_row.store(in_a_row % BURST, Relaxed);
        in_a_row == BURST && self.may_glue.load(Relaxed)
    }
}

impl<S: Descriptor> ConnectedUdpSocket<S> {
    /// Receives into the incoming queue, if that is empty: one datagram, or several that the system
    /// glued together. Never waits.
    ///
    /// Datagrams that reached the socket before it was connected are taken only from the peer;
    /// others are ignored and counted.
    ///
    /// # Errors
    ///
    /// [`Truncated`](RecvError::Truncated), [`Unreachable`](RecvError::Unreachable) or
    /// [`Io`](RecvError::Io). After each but a [fatal](RecvError::is_fatal) one, the next call goes
    /// on.
    pub fn fill(&self, incoming: &mut Incoming) -> Result<Progress, RecvError> {
        self.fill_up_to(incoming, BUFFER_SIZE)
    }

    /// Receives into the incoming queue all that is there, or until that queue is full: before the
    /// socket is given up. Never waits.
    pub fn drain(&self, incoming: &mut Incoming) {
        let dropped = incoming.stats().dropped;
        while incoming.stats().dropped == dropped {
            match self.fill_once(incoming, BUFFER_SIZE, Lease::Kept) {
                Ok(Progress::Done) => {}
                Ok(Progress::WouldBlock) => return,
                // Errors of a path that is no longer used.
                Err(error) if error.is_fatal() => return,
                Err(_) => {}
            }
        }
    }

    /// Fills with datagrams of at most `capacity` bytes.
    fn fill_up_to(&self, incoming: &mut Incoming, capacity: usize) -> Result<Progress, RecvError> {
        if !incoming.is_empty() {
            return Ok(Progress::Done);
        }
        // Strangers' datagrams hide no other. There is an end of them: since the connect, the system
        // lets no more of them in.
        loop {
            let ignored = incoming.stats().ignored;
            let progress = self.fill_once(incoming, capacity, Lease::Lent)?;
            if progress == Progress::WouldBlock || incoming.stats().ignored == ignored {
                return Ok(progress);
            }
        }
    }

    fn fill_once(
        &self,
        incoming: &mut Incoming,
        capacity: usize,
        lease: Lease,
    ) -> Result<Progress, RecvError> {
        let ask = self.reception.ask();
        let (arrival, mut buffer) = with_buffer(|buffer| {
            uninterrupted(|| sys::receive(&self.io, &mut buffer[..capacity], ask))
        });
        let arrival = match arrival {
            Ok(arrival) => arrival,
            Err(error) if Cause::of(&error) == Cause::WouldBlock => {
                self.reception.found_empty();
                return match self.leftover_error() {
                    Some(error) => Err(RecvError::from_system(error)),
                    None => Ok(Progress::WouldBlock),
                };
            }
            Err(error) => return Err(RecvError::from_system(self.explain(error))),
        };
        let Arrival {
            len,
            full_len,
            stride,
            source,
            overflow,
        } = arrival;
        if let Some(overflow) = overflow {
            incoming.handle_overflow(self.reception.overflow_since(overflow) as usize);
        }
        if self.reception.received() {
            // Where it fails there is no such thing, and no need to try again.
            self.reception.may_glue.store(false, Relaxed);
            let is_glued = sys::enable_gro(&self.io).is_ok();
            self.reception.is_glued.store(is_glued, Relaxed);
        }
        let source = source.unwrap_or(self.addresses.remote);
        if full_len > len {
            incoming.handle_truncated(full_len);
            return Err(RecvError::Truncated {
                contents: Bytes::copy_from_slice(&buffer[..len]),
                size: full_len,
            });
        }
        buffer.truncate(len);
        if len >= SHARED_FROM {
            incoming.handle_datagrams(source, buffer, stride);
        } else if lease == Lease::Lent {
            incoming.handle_lent(source, buffer, stride);
        } else {
            incoming.handle_datagrams(source, Bytes::copy_from_slice(&buffer), stride);
        }
        Ok(Progress::Done)
    }
}

fn uninterrupted<R>(mut receive: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match receive() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

#[cfg(all(test, target_os = "linux", not(datagram_portable)))]
mod tests {
    use std::{net::UdpSocket, thread};

    use datagram_protocol_core::{DatagramClientState, Raw};

    use super::*;
    use crate::ConnectOptions;

    #[track_caller]
    fn fill(
        socket: &ConnectedUdpSocket,
        client: &mut DatagramClientState<Raw>,
        capacity: usize,
    ) -> Result<(), RecvError> {
        loop {
            match socket.fill_up_to(client.incoming_mut(), capacity)? {
                Progress::Done => return Ok(()),
                Progress::WouldBlock => thread::yield_now(),
            }
        }
    }

    #[test]
    fn truncated_datagram_is_an_error_and_not_parsed() {
        let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
        let socket =
            ConnectedUdpSocket::connect(&[peer.local_addr().unwrap()], &ConnectOptions::new())
                .unwrap();
        let mut client = DatagramClientState::new(Raw, socket.remote_address());
        peer.connect(socket.local_address()).unwrap();
        peer.send(&[7; 100]).unwrap();
        peer.send(b"whole").unwrap();

        let error = fill(&socket, &mut client, 10).unwrap_err();
        fill(&socket, &mut client, 10).unwrap();

        let RecvError::Truncated { contents, size } = error else {
            panic!("{error:?}");
        };
        assert_eq!(contents[..], [7; 10]);
        assert_eq!(size, 100);
        assert_eq!(client.poll_packet().unwrap().unwrap(), &b"whole"[..]);
        assert_eq!(client.stats().datagrams_in, 2);
        assert_eq!(client.stats().dropped, 1);
    }
}
