//! The queue between the network and `poll_packet`: bytes and lengths, no packets.

use core::{mem, net::SocketAddr};

use bytes::Bytes;

use crate::{
    ClientConfig, Datagram, DatagramProtocol, DatagramProtocolParseError, PacketError, Stats,
    config::saturated, lazy_queue::LazyQueue,
};

/// What a chunk takes in the queue besides its bytes.
const CHUNK_OVERHEAD: usize = size_of::<Chunk>();

/// Chunks that an empty queue may keep room for: 128 KiB of them, as much as the outgoing queue
/// keeps for its runs.
const KEPT_CHUNKS: usize = (128 << 10) / CHUNK_OVERHEAD;

/// The incoming half of a client below its protocol: datagrams that wait to be parsed.
///
/// It is free of the protocol's type, so that one pump serves all clients. A driver sees it through
/// [`incoming_mut`](crate::DatagramClientState::incoming_mut).
#[derive(Debug)]
pub struct Incoming {
    remote_address: SocketAddr,
    /// Bound of the queue in bytes, `CHUNK_OVERHEAD` for each chunk included.
    limit: u32,
    /// The chunk whose turn it is. Most queues have no other.
    front: Option<Chunk>,
    behind: LazyQueue<Chunk>,
    /// Bytes that the chunks keep alive. A chunk counts as a whole until its last datagram is taken.
    held: u32,
    /// See [`Stats`], as those below.
    datagrams_in: u64,
    bytes_in: u64,
    parse_errors: u64,
    ignored: u64,
    dropped: u64,
    dropped_by_system: u64,
}

/// One or more datagrams in one buffer, those in front of `position` already taken.
#[derive(Debug)]
struct Chunk {
    contents: Bytes,
    /// Bytes from one datagram's start to the next; at least 1. The last may be shorter.
    stride: u32,
    position: usize,
    /// Whether the buffer belongs to somebody who wants it back soon.
    lent: bool,
}

impl Chunk {
    #[inline]
    fn is_batch(&self) -> bool {
        (self.stride as usize) < self.contents.len()
    }

    /// Bytes that it takes of the queue.
    #[inline]
    fn held(&self) -> u32 {
        (CHUNK_OVERHEAD + self.contents.len()) as u32
    }

    /// Where the next datagram ends.
    #[inline]
    fn end(&self) -> usize {
        self.contents
            .len()
            .min(self.position + self.stride as usize)
    }
}

impl Incoming {
    /// Starts empty, for a driver that keeps the protocol elsewhere. Any other gets it from a
    /// [`DatagramClientState`](crate::DatagramClientState).
    #[must_use]
    pub fn new(remote_address: SocketAddr, config: &ClientConfig) -> Self {
        Self {
            remote_address,
            limit: saturated(config.incoming_bytes),
            front: None,
            behind: LazyQueue::new(),
            held: 0,
            datagrams_in: 0,
            bytes_in: 0,
            parse_errors: 0,
            ignored: 0,
            dropped: 0,
            dropped_by_system: 0,
        }
    }

    /// See
    /// [`DatagramClientState::set_remote_address`](crate::DatagramClientState::set_remote_address).
    pub const fn set_remote_address(&mut self, remote_address: SocketAddr) {
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
        self.dropped_by_system = self.dropped_by_system.wrapping_add(datagrams as u64);
    }

    /// Returns the only address from which datagrams are taken.
    #[must_use]
    pub const fn remote_address(&self) -> SocketAddr {
        self.remote_address
    }

    /// Tells whether no datagram is queued.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.front.is_none()
    }

    /// Returns the counters of this half; those of what went out are zero.
    #[must_use]
    #[inline]
    pub const fn stats(&self) -> Stats {
        Stats {
            datagrams_in: self.datagrams_in,
            bytes_in: self.bytes_in,
            parse_errors: self.parse_errors,
            ignored: self.ignored,
            dropped: self.dropped,
            dropped_by_system: self.dropped_by_system,
            ..Stats::NOTHING
        }
    }

    /// See [`DatagramClientState::poll_packet`](crate::DatagramClientState::poll_packet).
    // The datagram is off the queue before the protocol sees it, so that one which makes the protocol
    // panic is not met again.
    #[must_use = "the packet is off the queue"]
    #[inline]
    pub fn poll_packet<P: DatagramProtocol>(
        &mut self,
        protocol: &P,
    ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        let mut next = self.next()?;
        match protocol.build_packet_from_datagram(next.datagram()) {
            Ok(packet) => {
                next.is_packet = true;
                Some(Ok(packet))
            }
            Err(error) => Some(Err(next.parse_error(error))),
        }
    }

    /// Takes the next datagram off the queue.
    #[inline]
    fn next(&mut self) -> Option<Next<'_>> {
        let chunk = self.front.as_mut()?;
        let start = chunk.position;
        chunk.position = chunk.end();
        Some(Next {
            incoming: self,
            start,
            is_packet: false,
        })
    }

    /// See [`DatagramClientState::receive`](crate::DatagramClientState::receive).
    #[inline]
    pub fn receive<P: DatagramProtocol>(
        &mut self,
        protocol: &P,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        if !self.is_empty() || CHUNK_OVERHEAD + datagram.len() > self.limit as usize {
            self.handle_datagram(source, Bytes::copy_from_slice(datagram));
            return self.poll_packet(protocol);
        }
        self.count_in(1, datagram.len());
        if !is_same_peer(source, self.remote_address) {
            self.count_ignored(1);
            return None;
        }
        let failing = Failing(&mut self.parse_errors);
        match protocol.build_packet_from_datagram(datagram.into()) {
            Ok(packet) => {
                mem::forget(failing);
                Some(Ok(packet))
            }
            Err(error) => {
                let datagram = Bytes::copy_from_slice(datagram);
                Some(Err(DatagramProtocolParseError::new(error, datagram)))
            }
        }
    }

    /// Lets go of the first chunk.
    fn finish_front(&mut self) {
        if let Some(chunk) = self.front.take() {
            self.held -= chunk.held();
        }
        if !self.behind.is_empty() {
            self.advance();
        }
    }

    /// Puts the next chunk to the front.
    #[cold]
    fn advance(&mut self) {
        self.front = self.behind.pop_front();
        // Gives memory back that one burst set aside.
        self.behind.release_beyond(KEPT_CHUNKS);
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
            self.count_ignored(datagrams);
            return;
        }
        let free = (self.limit - self.held) as usize;
        let Some(room) = free.checked_sub(CHUNK_OVERHEAD) else {
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
        let chunk = Chunk {
            contents,
            // Fits: no stride that is longer than the room gets here.
            stride: stride as u32,
            position: 0,
            lent,
        };
        self.held += chunk.held();
        if self.front.is_none() {
            self.front = Some(chunk);
        } else {
            self.behind.push_back(chunk);
        }
    }

    #[inline]
    const fn count_in(&mut self, datagrams: usize, bytes: usize) {
        self.datagrams_in = self.datagrams_in.wrapping_add(datagrams as u64);
        self.bytes_in = self.bytes_in.wrapping_add(bytes as u64);
    }

    const fn count_parse_error(&mut self) {
        self.parse_errors = self.parse_errors.wrapping_add(1);
    }

    const fn count_ignored(&mut self, datagrams: usize) {
        self.ignored = self.ignored.wrapping_add(datagrams as u64);
    }

    const fn count_dropped(&mut self, datagrams: usize) {
        self.dropped = self.dropped.wrapping_add(datagrams as u64);
    }
}

/// A datagram that is off the queue and about to be parsed. Its bytes are there until it is dropped.
struct Next<'a> {
    incoming: &'a mut Incoming,
    start: usize,
    /// Whether it was a packet. If not, also because the protocol panics, it counts as an error.
    is_packet: bool,
}

impl Next<'_> {
    #[inline]
    fn chunk(&self) -> &Chunk {
        self.incoming
            .front
            .as_ref()
            .expect("the datagram lies in it")
    }

    #[inline]
    fn datagram(&self) -> Datagram<'_> {
        let chunk = self.chunk();
        Datagram::within(
            &chunk.contents[self.start..chunk.position],
            (!chunk.lent).then_some(&chunk.contents),
        )
    }

    /// An error is kept and passed on; it shall not pin the batch that its datagram came with.
    #[cold]
    fn parse_error(&self, error: PacketError) -> DatagramProtocolParseError {
        let datagram = self.datagram();
        let datagram = if self.chunk().is_batch() {
            Bytes::copy_from_slice(&datagram)
        } else {
            datagram.to_bytes()
        };
        DatagramProtocolParseError::new(error, datagram)
    }
}

impl Drop for Next<'_> {
    #[inline]
    fn drop(&mut self) {
        if !self.is_packet {
            self.incoming.count_parse_error();
        }
        let chunk = self.chunk();
        if chunk.position == chunk.contents.len() {
            self.incoming.finish_front();
        }
    }
}

/// Counts an error when it is dropped, also because the protocol panics.
struct Failing<'a>(&'a mut u64);

impl Drop for Failing<'_> {
    fn drop(&mut self) {
        *self.0 = self.0.wrapping_add(1);
    }
}

/// Compares canonical IP address and port; scope ids only where both are set, flow labels never.
#[inline]
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
