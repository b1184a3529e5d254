//! The queue between `send_packet` and the network: bytes and lengths, no packets.

use core::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
};

use bytes::{Buf, BytesMut};

use crate::{
    ClientClosedError, ClientConfig, DatagramProtocol, SendPacketError, SerializeError, Stats,
    Transmit, config::saturated, run::Run, runs::Runs,
};

/// The longest UDP payload towards IPv4, in bytes: 65,535 less the headers of IPv4 (20, RFC 791)
/// and UDP (8, RFC 768).
const MAX_PAYLOAD_V4: u32 = 65_507;
/// The same towards IPv6, whose length field leaves out its own header (RFC 8200).
const MAX_PAYLOAD_V6: u32 = 65_527;

/// Bytes set aside that an empty queue may keep for the next datagrams: a burst of 128 that each fill
/// an Ethernet frame, in a buffer that grows by doubling.
const KEPT_CAPACITY: usize = 256 << 10;
/// The same for what keeps track of them, in runs.
const KEPT_RUNS: usize = (128 << 10) / RUN_OVERHEAD;

/// What a datagram that starts a run takes in the queue besides its bytes.
const RUN_OVERHEAD: usize = size_of::<Run>();

/// The outgoing half of a client below its protocol: datagrams waiting to be sent, end to end in
/// one buffer, ready for segmentation offload.
///
/// It is free of the protocol's type, so that one pump serves all clients. A driver sees it through
/// [`outgoing_mut`](crate::DatagramClientState::outgoing_mut).
#[derive(Debug)]
pub struct Outgoing {
    destination: SocketAddr,
    /// Longest datagram, in bytes, that the configuration allows.
    max_configured: u32,
    /// Longest datagram, in bytes, and longest run.
    max_datagram: u32,
    max_run: u32,
    /// Bound of the queue in bytes, `RUN_OVERHEAD` for each run included; 0 once closing.
    limit: u32,
    /// Exactly the bytes of `runs`.
    contents: BytesMut,
    /// Whether `contents` starts somewhere behind the front of its buffer.
    is_advanced: bool,
    runs: Runs,
    /// Datagrams in `runs`.
    len: u32,
    /// See [`Stats`], as the two below.
    datagrams_out: u64,
    bytes_out: u64,
    dropped: u64,
}

impl Outgoing {
    /// Starts empty, for a driver that keeps the protocol elsewhere. Any other gets it from a
    /// [`DatagramClientState`](crate::DatagramClientState).
    #[must_use]
    pub fn new(destination: SocketAddr, config: &ClientConfig) -> Self {
        let mut queue = Self {
            destination,
            max_configured: saturated(
                config
                    .max_datagram_size
                    .min(config.outgoing_bytes.saturating_sub(RUN_OVERHEAD)),
            ),
            max_datagram: 0,
            max_run: 0,
            // An empty datagram fits into any empty queue.
            limit: saturated(config.outgoing_bytes.max(RUN_OVERHEAD)),
            contents: BytesMut::new(),
            is_advanced: false,
            runs: Runs::new(),
            len: 0,
            datagrams_out: 0,
            bytes_out: 0,
            dropped: 0,
        };
        queue.set_destination(destination);
        queue
    }

    /// See
    /// [`DatagramClientState::set_remote_address`](crate::DatagramClientState::set_remote_address).
    pub fn set_destination(&mut self, destination: SocketAddr) {
        self.destination = destination;
        self.max_run = match destination.ip().to_canonical() {
            IpAddr::V4(_) => MAX_PAYLOAD_V4,
            IpAddr::V6(_) => MAX_PAYLOAD_V6,
        };
        self.max_datagram = self.max_configured.min(self.max_run);
    }

    /// Returns the next transmit: the datagrams at the front that can leave in one operation, at
    /// most `max_segments` of them (0 counts as 1). `None` when nothing is queued.
    ///
    /// Nothing leaves the queue until the transmit says so.
    #[must_use = "what is queued is sent by nobody else"]
    #[inline]
    pub fn poll_transmit(&mut self, max_segments: usize) -> Option<Transmit<'_>> {
        let max_segments = NonZeroU32::new(saturated(max_segments)).unwrap_or(NonZeroU32::MIN);
        let run = self.runs.front()?.first(max_segments);
        Some(Transmit::new(self, run))
    }

    /// See [`DatagramClientState::send_packet`](crate::DatagramClientState::send_packet). All packets
    /// are to be of the same `protocol`.
    ///
    /// # Errors
    ///
    /// The same.
    #[inline]
    pub fn send_packet<P: DatagramProtocol>(
        &mut self,
        protocol: &P,
        packet: &P::Sent,
    ) -> Result<(), SendPacketError> {
        self.push_with(|datagram| protocol.make_datagram(packet, datagram))
    }

    /// Takes the last `datagrams` (at most all) off the queue again, for a caller that gives up
    /// sending them. They are not counted.
    pub fn take_back(&mut self, datagrams: usize) {
        let mut left = saturated(datagrams).min(self.len);
        self.len -= left;
        while left > 0 {
            let Some(run) = self.runs.pop_back() else {
                break;
            };
            let taken = run.datagrams().min(left);
            let kept_run = NonZeroU32::new(run.datagrams() - taken).map(|kept| run.first(kept));
            let kept_len = kept_run.map_or(0, |kept_run| kept_run.len());
            self.contents
                .truncate(self.contents.len() - (run.len() - kept_len) as usize);
            if let Some(kept_run) = kept_run {
                self.runs.push_back(kept_run);
            }
            left -= taken;
        }
        self.release_excess();
    }

    /// Returns the address that every datagram goes to.
    #[must_use]
    pub const fn destination(&self) -> SocketAddr {
        self.destination
    }

    /// Returns the number of datagrams queued.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len as usize
    }

    /// Tells whether no datagram is queued.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Tells whether as much is queued as one transmit can have: with one more datagram as long as
    /// those of the last run, it would be more. A good moment to send.
    #[must_use]
    #[inline]
    pub fn has_full_run(&self) -> bool {
        let (len, max) = (self.contents.len(), self.max_run as usize);
        // No datagram is longer than all together, so that half of the room suffices for one more.
        len > max / 2
            && self
                .runs
                .back()
                .is_some_and(|run| len + run.segment() as usize > max)
    }

    /// Returns the counters of this half; those of what came in are zero.
    #[must_use]
    pub const fn stats(&self) -> Stats {
        Stats {
            datagrams_out: self.datagrams_out,
            bytes_out: self.bytes_out,
            dropped: self.dropped,
            ..Stats::NOTHING
        }
    }

    pub(crate) const fn close(&mut self) {
        self.limit = 0;
    }

    pub(crate) const fn is_closing(&self) -> bool {
        self.limit == 0
    }

    /// Queues the datagram that `encode` appends. Whatever `encode` does, panicking included, the
    /// queue holds afterwards what it held before, or nothing if `encode` destroyed it.
    #[inline(always)]
    fn push_with(
        &mut self,
        encode: impl FnOnce(&mut BytesMut) -> Result<(), SerializeError>,
    ) -> Result<(), SendPacketError> {
        let Some(room) = self.room() else {
            return Err(self.refuse());
        };
        let mut draft = Draft::begin(self);
        encode(draft.contents())?;
        let (queue, size) = draft.finish()?;
        if size > queue.max_datagram as usize || size > room {
            return Err(queue.refuse_last(size));
        }
        queue.commit(size);
        Ok(())
    }

    /// Longest datagram that may still be queued; `None` if there is no room for any, or once closing.
    #[inline]
    fn room(&self) -> Option<usize> {
        let runs = self.runs.len() + 1;
        (self.limit as usize).checked_sub(self.contents.len() + runs * RUN_OVERHEAD)
    }

    #[cold]
    fn refuse(&self) -> SendPacketError {
        if self.is_closing() {
            return ClientClosedError::new().into();
        }
        SendPacketError::QueueFull
    }

    /// Takes a datagram off again that has no place here.
    #[cold]
    fn refuse_last(&mut self, size: usize) -> SendPacketError {
        self.contents.truncate(self.contents.len() - size);
        self.release_excess();
        let max = self.max_datagram as usize;
        if size > max {
            return SendPacketError::TooLarge { size, max };
        }
        SendPacketError::QueueFull
    }

    /// Counts the last `size` bytes of the contents in, as a datagram.
    #[inline(always)]
    fn commit(&mut self, size: usize) {
        // Fits: `size` is at most `max_datagram`, which is at most `MAX_PAYLOAD_V6`.
        self.runs.push(size as u32, self.max_run);
        self.len += 1;
        // Far more than growing by doubling takes: an encoder reserved it and did not use it.
        let capacity = self.contents.capacity();
        if capacity > 4 * KEPT_CAPACITY && capacity / 4 > self.limit as usize {
            self.release_excess();
        }
    }

    /// Throws away what is queued, because a protocol has destroyed it.
    #[cold]
    fn give_up(&mut self) -> SerializeError {
        self.count_dropped(self.len);
        self.len = 0;
        self.runs.clear();
        self.contents.clear();
        self.release_excess();
        SerializeError::new("the protocol changed datagrams that were queued before")
    }

    /// The bytes of the first `len`, for a transmit.
    #[inline]
    pub(crate) fn front(&self, len: u32) -> &[u8] {
        &self.contents[..len as usize]
    }

    /// Takes `part`, the first datagrams of the first run, off as sent.
    #[inline]
    pub(crate) fn remove_sent(&mut self, part: Run) {
        let (datagrams, bytes) = (part.datagrams().into(), part.len().into());
        self.datagrams_out = self.datagrams_out.wrapping_add(datagrams);
        self.bytes_out = self.bytes_out.wrapping_add(bytes);
        self.remove_front(part);
    }

    /// Takes `part`, the first datagrams of the first run, off as dropped.
    pub(crate) fn remove_dropped(&mut self, part: Run) {
        self.count_dropped(part.datagrams());
        self.remove_front(part);
    }

    #[inline]
    fn remove_front(&mut self, part: Run) {
        self.runs.remove_front(part.datagrams());
        self.len -= part.datagrams();
        if self.len == 0 {
            // Cheaper than moving the start along.
            self.contents.clear();
            self.release_all();
        } else {
            self.contents.advance(part.len() as usize);
            self.is_advanced = true;
        }
    }

    fn count_dropped(&mut self, datagrams: u32) {
        self.dropped = self.dropped.wrapping_add(datagrams.into());
    }

    /// Gives memory back that one burst set aside, once the queue is empty.
    #[inline]
    fn release_all(&mut self) {
        if self.is_advanced {
            // Makes the buffer start at its front again: it would grow otherwise, and then be given
            // up, as soon as what is next is longer than what is left of it. Only then does the
            // capacity show all of it.
            let _is_at_the_front = self.contents.try_reclaim(self.contents.capacity() + 1);
            self.is_advanced = false;
        }
        if self.contents.capacity() > KEPT_CAPACITY {
            self.contents = BytesMut::new();
        }
        self.runs.release_beyond(KEPT_RUNS);
    }

    /// Gives memory back that an encoder that went astray set aside, or what was taken back.
    fn release_excess(&mut self) {
        if self.is_empty() {
            self.release_all();
        } else if self.contents.capacity() > KEPT_CAPACITY.max(4 * self.contents.len()) {
            self.contents = BytesMut::from(&self.contents[..]);
        }
    }
}

/// A datagram that is being encoded behind those in the queue.
///
/// The protocol gets the whole buffer and has promised to append only. So that a broken promise
/// never sends a wrong byte, the last bytes before the draft are changed while the protocol runs:
/// one that cleared, shortened, moved or rewrote them cannot have left the change behind. Only one
/// that overwrites earlier bytes in place, one by one, goes unnoticed: to see that would take a pass
/// over the whole queue for each packet.
struct Draft<'a> {
    /// Present until the draft is finished.
    queue: Option<&'a mut Outgoing>,
    start: usize,
    /// Bytes in front of the queued ones, there while the protocol runs.
    padding: usize,
    guarded: u64,
}

impl<'a> Draft<'a> {
    #[inline(always)]
    fn begin(queue: &'a mut Outgoing) -> Self {
        let padding = pad(&mut queue.contents);
        let start = queue.contents.len();
        let guarded = guard(&mut queue.contents);
        Self {
            queue: Some(queue),
            start,
            padding,
            guarded,
        }
    }

    #[inline(always)]
    fn contents(&mut self) -> &mut BytesMut {
        &mut self.queue.as_mut().expect("it is not finished").contents
    }

    /// Ends the encoding. Returns the length of the new datagram.
    #[inline(always)]
    fn finish(mut self) -> Result<(&'a mut Outgoing, usize), SerializeError> {
        let queue = self.queue.take().expect("it is not finished");
        let intact = queue
            .contents
            .get_mut(..self.start)
            .is_some_and(|before| unguard(before, self.guarded));
        if !intact {
            return Err(queue.give_up());
        }
        let size = queue.contents.len() - self.start;
        if self.padding > 0 {
            queue.contents.advance(self.padding);
            queue.is_advanced = true;
        }
        Ok((queue, size))
    }
}

impl Drop for Draft<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            // The protocol failed or panicked; what it destroyed is gone and counted all the same.
            let draft = Self {
                queue: Some(queue),
                ..*self
            };
            abandon(draft);
        }
    }
}

/// Takes the draft off again.
#[cold]
fn abandon(draft: Draft<'_>) {
    if let Ok((queue, size)) = draft.finish() {
        queue.contents.truncate(queue.contents.len() - size);
        queue.release_excess();
    }
}

/// Bytes that a guard changes.
const GUARD_LEN: usize = size_of::<u64>();

/// What a guard changes them by. All bytes differ, so that a shifted guard is none, and all have
/// their highest bit set, so that no text becomes other text.
const GUARD: u64 = u64::from_ne_bytes([0xa5, 0x93, 0xca, 0xe7, 0xb8, 0xd1, 0x8c, 0xf6]);

/// Puts bytes in front of `contents` if they are too few for a guard; fewer could be matched by
/// chance. Returns how many. Nothing is done to no contents: there is nothing to guard.
#[inline]
fn pad(contents: &mut BytesMut) -> usize {
    if (1..GUARD_LEN).contains(&contents.len()) {
        return pad_short(contents);
    }
    0
}

#[cold]
fn pad_short(contents: &mut BytesMut) -> usize {
    let len = contents.len();
    let mut padded = [0; 2 * GUARD_LEN];
    let padded = &mut padded[..GUARD_LEN + len];
    padded[GUARD_LEN..].copy_from_slice(contents);
    contents.clear();
    contents.extend_from_slice(padded);
    GUARD_LEN
}

/// Changes the last bytes of `before`, if there are any. Returns what they were.
#[inline]
fn guard(before: &mut [u8]) -> u64 {
    before.last_chunk_mut().map_or(0, |tail| {
        let original = u64::from_ne_bytes(*tail);
        *tail = (original ^ GUARD).to_ne_bytes();
        original
    })
}

/// Undoes [`guard`]. Returns whether the change was still there.
#[inline]
fn unguard(before: &mut [u8], original: u64) -> bool {
    before.last_chunk_mut().is_none_or(|tail| {
        let intact = u64::from_ne_bytes(*tail) == original ^ GUARD;
        *tail = original.to_ne_bytes();
        intact
    })
}
