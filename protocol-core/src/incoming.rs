//! The queue between the network and `poll_packet`: bytes and lengths, no packets.

use alloc::collections::VecDeque;
use core::net::SocketAddr;

use bytes::Bytes;

use crate::{ClientConfig, Datagram, DatagramProtocol, DatagramProtocolParseError, Stats};

/// What a chunk takes in the queue besides its bytes.
const CHUNK_OVERHEAD: usize = size_of::<Chunk>();

/// Chunks that an empty queue may keep room for: 128 KiB of them, as much as the outgoing queue
/// keeps.
const KEPT_CHUNKS: usize = (128 << 10) / CHUNK_OVERHEAD;

/// The incoming half of a client below its protocol: datagrams that wait to be parsed.
///
/// It is free of the protocol's type, so that one pump serves all clients. A driver sees it through
/// [`incoming_mut`](crate::DatagramClientState::incoming_mut).
#[derive(Debug)]
pub struct Incoming {
    remote_address: SocketAddr,
    /// Bound of the queue in bytes, `CHUNK_OVERHEAD` for each chunk included.
    limit: usize,
    chunks: VecDeque<Chunk>,
    /// Bytes that `chunks` keep alive. A chunk counts as a whole until its last datagram is taken.
    held: usize,
    stats: Stats,
}

/// One or more datagrams in one buffer, those in front of `position` already taken.
#[derive(Debug)]
struct Chunk {
    contents: Bytes,
    /// Bytes from one datagram's start to the next; at least 1. The last may be shorter.
    stride: usize,
    position: usize,
    /// Whether the buffer belongs to somebody who wants it back soon.
    lent: bool,
}

impl Chunk {
    fn is_batch(&self) -> bool {
        self.stride < self.contents.len()
    }

    /// Where the next datagram ends.
    fn end(&self) -> usize {
        self.contents.len().min(self.position + self.stride)
    }

    fn datagram(&self, start: usize, end: usize) -> Datagram<'_> {
        Datagram::within(
            &self.contents[start..end],
            (!self.lent).then_some(&self.contents),
        )
    }
}

impl Incoming {
    pub(crate) fn new(remote_address: SocketAddr, config: &ClientConfig) -> Self {
        Self {
            remote_address,
            limit: config.incoming_bytes,
            chunks: VecDeque::new(),
            held: 0,
            stats: Stats::default(),
        }
    }

    pub(crate) const fn set_remote_address(&mut self, remote_address: SocketAddr) {
        self.remote_address = remote_address;
    }

    /// Takes in one datagram from `source`. See
    /// [`DatagramClientState::handle_datagram`](crate::DatagramClientState::handle_datagram).
    pub fn handle_datagram(&mut self, source: SocketAddr, datagram: impl Into<Bytes>) {
        self.accept(source, datagram.into(), 0, false);
    }

    /// Takes in datagrams of one length from `source`, end to end. See
    /// [`DatagramClientState::handle_datagrams`](crate::DatagramClientState::handle_datagrams).
    pub fn handle_datagrams(&mut self, source: SocketAddr, contents: Bytes, stride: usize) {
        self.accept(source, contents, stride, false);
    }

    /// Like [`handle_datagrams`](Self::handle_datagrams), for contents that lie in a larger buffer
    /// which the caller uses again once the queue has let go of it.
    ///
    /// What a packet or an error keeps beyond the call that parses it is copied out, so that it
    /// never pins the buffer. Suits short contents; long ones are better shared than copied.
    pub fn handle_lent(&mut self, source: SocketAddr, contents: Bytes, stride: usize) {
        self.accept(source, contents, stride, true);
    }

    /// Counts a datagram that arrived with only `len` of its bytes and cannot be used.
    pub const fn handle_truncated(&mut self, len: usize) {
        self.count_in(1, len);
        self.count_dropped(1);
    }

    /// Counts `datagrams` that the system dropped for want of room, before anybody could receive them.
    pub const fn handle_overflow(&mut self, datagrams: usize) {
        self.stats.dropped_by_system = self.stats.dropped_by_system.wrapping_add(datagrams as u64);
    }

    /// Returns the only address from which datagrams are taken.
    #[must_use]
    pub const fn remote_address(&self) -> SocketAddr {
        self.remote_address
    }

    /// Tells whether no datagram is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// Returns the counters of this half; those of what went out are zero.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.stats
    }

    /// Takes the next datagram off the queue and parses it. It is off the queue before the protocol
    /// sees it, so that one which makes the protocol panic is not met again.
    #[inline]
    pub(crate) fn poll_packet<P: DatagramProtocol>(
        &mut self,
        protocol: &P,
    ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        let chunk = self.chunks.front_mut()?;
        let (start, end) = (chunk.position, chunk.end());
        chunk.position = end;
        let finished;
        let chunk = if end == chunk.contents.len() {
            self.held -= CHUNK_OVERHEAD + end;
            finished = self.chunks.pop_front()?;
            if self.chunks.capacity() > KEPT_CHUNKS && self.chunks.is_empty() {
                // Gives memory back that one burst set aside.
                self.chunks = VecDeque::new();
            }
            &finished
        } else {
            chunk
        };
        let datagram = chunk.datagram(start, end);
        // Counted beforehand and taken back, so that a panic counts as well.
        self.stats.parse_errors += 1;
        match protocol.build_packet_from_datagram(datagram) {
            Ok(packet) => {
                self.stats.parse_errors -= 1;
                Some(Ok(packet))
            }
            Err(error) => {
                // An error is kept and passed on; it shall not pin the batch it came with.
                let datagram = if chunk.is_batch() {
                    Bytes::copy_from_slice(&datagram)
                } else {
                    datagram.to_bytes()
                };
                Some(Err(DatagramProtocolParseError::new(error, datagram)))
            }
        }
    }

    /// Queues what fits of `contents`, if it comes from the right source.
    fn accept(&mut self, source: SocketAddr, mut contents: Bytes, stride: usize, lent: bool) {
        let len = contents.len();
        // Without a stride that divides it, or when empty, it is one datagram.
        let (stride, datagrams) = if stride == 0 || stride >= len {
            (len.max(1), 1)
        } else {
            (stride, len.div_ceil(stride))
        };
        self.count_in(datagrams, len);
        if !is_same_peer(source, self.remote_address) {
            self.stats.ignored = self.stats.ignored.wrapping_add(datagrams as u64);
            return;
        }
        let Some(room) = self.limit.checked_sub(self.held + CHUNK_OVERHEAD) else {
            self.count_dropped(datagrams);
            return;
        };
        if len > room {
            // None of a lone datagram, which is as long as its stride.
            let fitting = room / stride;
            self.count_dropped(datagrams - fitting);
            if fitting == 0 {
                return;
            }
            // A slice would keep all of the buffer alive, more than there is room for.
            contents = Bytes::copy_from_slice(&contents[..fitting * stride]);
        }
        self.held += CHUNK_OVERHEAD + contents.len();
        self.chunks.push_back(Chunk {
            contents,
            stride,
            position: 0,
            lent,
        });
    }

    const fn count_in(&mut self, datagrams: usize, bytes: usize) {
        self.stats.datagrams_in = self.stats.datagrams_in.wrapping_add(datagrams as u64);
        self.stats.bytes_in = self.stats.bytes_in.wrapping_add(bytes as u64);
    }

    const fn count_dropped(&mut self, datagrams: usize) {
        self.stats.dropped = self.stats.dropped.wrapping_add(datagrams as u64);
    }
}

/// Compares canonical IP address and port; scope ids only where both are set, flow labels never.
fn is_same_peer(a: SocketAddr, b: SocketAddr) -> bool {
    if a.port() != b.port() || a.ip().to_canonical() != b.ip().to_canonical() {
        return false;
    }
    match (scope_id(a), scope_id(b)) {
        (0, _) | (_, 0) => true,
        (a, b) => a == b,
    }
}

/// The scope id of an IPv6 address; 0 means unset.
const fn scope_id(address: SocketAddr) -> u32 {
    match address {
        SocketAddr::V4(_) => 0,
        SocketAddr::V6(address) => address.scope_id(),
    }
}
