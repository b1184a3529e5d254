//! The receiving half of the pump.

use std::{
    io,
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
};

use bytes::Bytes;
use datagram_protocol_core::{Incoming, Receive};

use crate::{
    Attempt, ConnectedUdpSocket, Descriptor, Progress, RecvError,
    buffer::{BUFFER_SIZE, Buffer},
    errno::Cause,
    sys::{self, Arrival, Ask},
};

/// Receives in a row, with nothing sent and no empty socket in between, that make a burst. Glued
/// receives cost a third more each (`recvmsg` instead of `recv`), so they have to pay off.
const BURST: u32 = 8;

/// Receives in a row between one question about dropped datagrams and the next. To ask costs as much
/// as gluing does; the first time is at the end of the first burst.
const OVERFLOW_EVERY: u32 = 64;

/// Contents from here on are shared with what keeps them, shorter ones copied: a kept datagram, or
/// batch of them, pins a buffer of at most four times its size.
const SHARED_FROM: usize = BUFFER_SIZE / 4;

/// Errors in a row after which a socket that is given up is taken to have nothing else. One is pending at
/// a time, and few come in between.
const MOST_ERRORS: usize = 8;

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
    /// `is_swept` if nothing can have come before the connect.
    pub(crate) const fn new(offload: bool, is_glued: bool, is_swept: bool) -> Self {
        Self {
            is_swept: AtomicBool::new(is_swept),
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

    /// What the next receive has to find out.
    fn ask(&self) -> Ask {
        Ask {
            source: !self.is_swept.load(Relaxed),
            stride: self.is_glued.load(Relaxed),
            overflow: self.in_a_row.load(Relaxed) % OVERFLOW_EVERY == BURST - 1,
        }
    }

    /// Takes note of how many datagrams the system has dropped; returns how many are new.
    fn overflow_since(&self, overflow: u32) -> u32 {
        overflow.wrapping_sub(self.overflow.swap(overflow, Relaxed))
    }

    /// Counts a receive; tells whether it is time to switch gluing on.
    fn received(&self) -> bool {
        // Only a receiver counts, under its lock, so this need not be one step.
        let in_a_row = self.in_a_row.load(Relaxed).wrapping_add(1);
        self.in_a_row.store(in_a_row, Relaxed);
        in_a_row >= BURST && self.may_glue.load(Relaxed)
    }
}

/// What the system gave.
enum Received {
    /// `len` bytes in the buffer, one datagram if `stride` is 0.
    Contents {
        len: usize,
        stride: usize,
    },
    WouldBlock,
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

    /// Takes the next packet: off the queue or, if that is empty, out of the socket. Never waits.
    ///
    /// As [`fill`](Self::fill) and [`poll_packet`](Receive::poll_packet), and faster: a lone datagram
    /// is parsed where it was received.
    ///
    /// # Errors
    ///
    /// [`Parse`](RecvError::Parse), or as for `fill`.
    #[inline]
    pub fn receive<R: Receive>(&self, receiver: &mut R) -> Result<Attempt<R::Packet>, RecvError> {
        if let Some(packet) = receiver.poll_packet() {
            return Ok(Attempt::Ready(packet?));
        }
        // Strangers' datagrams hide no other. There is an end of them: since the connect, the system
        // lets no more of them in.
        loop {
            let ignored = receiver.incoming_mut().stats().ignored;
            let (mut buffer, mut source) = (Buffer::take(), self.addresses.remote);
            let packet =
                match self.receive_once(receiver.incoming_mut(), buffer.bytes(), &mut source)? {
                    Received::WouldBlock => return Ok(Attempt::WouldBlock),
                    Received::Contents { len, stride: 0 } if len < SHARED_FROM => {
                        receiver.receive(source, &buffer.bytes()[..len])
                    }
                    Received::Contents { len, stride } => {
                        hand_over(receiver.incoming_mut(), source, buffer.share(len), stride);
                        receiver.poll_packet()
                    }
                };
            match packet {
                Some(packet) => return Ok(Attempt::Ready(packet?)),
                None if receiver.incoming_mut().stats().ignored == ignored => {
                    return Ok(Attempt::Again);
                }
                None => {}
            }
        }
    }

    /// Receives into the incoming queue all that is there, or until that queue is full or the socket brings
    /// nothing but errors: before the socket is given up. Never waits.
    pub fn drain(&self, incoming: &mut Incoming) {
        let dropped = incoming.stats().dropped;
        let mut errors = 0;
        while incoming.stats().dropped == dropped && errors < MOST_ERRORS {
            let (mut buffer, mut source) = (Buffer::take(), self.addresses.remote);
            match self.receive_once(incoming, buffer.bytes(), &mut source) {
                Ok(Received::WouldBlock) => return,
                Ok(Received::Contents { len, stride }) => {
                    // What the queue holds for long must not pin the buffer.
                    let contents = Bytes::copy_from_slice(&buffer.bytes()[..len]);
                    incoming.handle_datagrams(source, contents, stride);
                    errors = 0;
                }
                // Errors of a path that is no longer used.
                Err(error) if error.is_fatal() => return,
                Err(_) => errors += 1,
            }
        }
    }

    /// Fills with datagrams of at most `capacity` bytes.
    fn fill_up_to(&self, incoming: &mut Incoming, capacity: usize) -> Result<Progress, RecvError> {
        if !incoming.is_empty() {
            return Ok(Progress::Done);
        }
        // As above, strangers hide nobody.
        loop {
            let ignored = incoming.stats().ignored;
            let (mut buffer, mut source) = (Buffer::take(), self.addresses.remote);
            match self.receive_once(incoming, &mut buffer.bytes()[..capacity], &mut source)? {
                Received::WouldBlock => return Ok(Progress::WouldBlock),
                Received::Contents { len, stride } => {
                    hand_over(incoming, source, buffer.share(len), stride);
                }
            }
            if incoming.stats().ignored == ignored {
                return Ok(Progress::Done);
            }
        }
    }

    /// Receives once into `buffer`; changes `source`, which starts as the peer, if somebody else may have
    /// sent that. Datagrams go into no queue here; what else there is to count does.
    fn receive_once(
        &self,
        incoming: &mut Incoming,
        buffer: &mut [u8],
        source: &mut SocketAddr,
    ) -> Result<Received, RecvError> {
        let ask = self.reception.ask();
        let arrival = match uninterrupted(|| sys::receive(&self.io, buffer, ask, source)) {
            Ok(arrival) => arrival,
            Err(error) if Cause::of(&error) == Cause::WouldBlock => {
                self.reception.found_empty();
                return match self.leftover_error() {
                    Some(error) => Err(RecvError::from_system(error)),
                    None => Ok(Received::WouldBlock),
                };
            }
            Err(error) => return Err(RecvError::from_system(self.explain(error))),
        };
        let Arrival {
            len,
            full_len,
            stride,
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
        if full_len > len {
            incoming.handle_truncated(full_len);
            return Err(RecvError::Truncated {
                contents: Bytes::copy_from_slice(&buffer[..len]),
                size: full_len,
            });
        }
        Ok(Received::Contents { len, stride })
    }
}

/// Queues contents that are to be parsed soon.
fn hand_over(incoming: &mut Incoming, source: SocketAddr, contents: Bytes, stride: usize) {
    if contents.len() < SHARED_FROM {
        incoming.handle_lent(source, contents, stride);
    } else {
        incoming.handle_datagrams(source, contents, stride);
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
    fn interrupted_receive_is_tried_again() {
        let mut results = [
            Err(io::ErrorKind::Interrupted.into()),
            Err(io::ErrorKind::Interrupted.into()),
            Ok(7),
        ]
        .into_iter();

        let received = uninterrupted(|| results.next().expect("no further attempt"));

        assert_eq!(received.unwrap(), 7);
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
