//! One send operation.

use core::{fmt, iter::FusedIterator, net::SocketAddr, num::NonZeroU32};

use crate::{Outgoing, config::saturated, run::Run};

/// One send operation: one or more datagrams lying end to end, with the address to send them to.
///
/// It stands at the front of the outgoing queue and leaves it only through [`sent`](Self::sent),
/// [`sent_first`](Self::sent_first) or [`discard_first`](Self::discard_first). Dropping it, say
/// because the socket would block, leaves everything queued.
#[must_use = "a transmit that is not sent stays queued"]
pub struct Transmit<'a> {
    queue: &'a mut Outgoing,
    run: Run,
}

impl<'a> Transmit<'a> {
    pub(crate) const fn new(queue: &'a mut Outgoing, run: Run) -> Self {
        Self { queue, run }
    }

    /// Takes all of it off the queue, as sent.
    #[inline]
    pub fn sent(self) {
        self.queue.remove_sent(self.run);
    }

    /// Takes its first `datagrams` (at most all) off the queue, as sent.
    pub fn sent_first(self, datagrams: usize) {
        if let Some(part) = self.first(datagrams) {
            self.queue.remove_sent(part);
        }
    }

    /// Takes its first datagram off the queue unsent, and counts it as dropped.
    pub fn discard_first(self) {
        if let Some(part) = self.first(1) {
            self.queue.remove_dropped(part);
        }
    }

    /// Returns where the datagrams go.
    #[must_use]
    pub const fn destination(&self) -> SocketAddr {
        self.queue.destination()
    }

    /// Returns the bytes of all its datagrams, end to end; empty for a lone empty datagram.
    #[must_use]
    #[inline]
    pub fn contents(&self) -> &[u8] {
        self.queue.front(self.run.len())
    }

    /// Returns the length in bytes of every datagram but the last, which may be shorter.
    ///
    /// `None` for a lone datagram, which needs no segmentation. The value suits Linux's
    /// `UDP_SEGMENT` (udp(7)) as it is.
    #[must_use]
    #[inline]
    pub const fn segment_size(&self) -> Option<usize> {
        match self.run.datagrams() {
            1 => None,
            _ => Some(self.run.segment() as usize),
        }
    }

    /// Returns the datagrams one by one, for senders without segmentation offload.
    #[must_use]
    pub fn datagrams(&self) -> Datagrams<'_> {
        Datagrams {
            rest: self.contents(),
            segment: self.run.segment() as usize,
            left: self.run.datagrams() as usize,
        }
    }

    fn first(&self, datagrams: usize) -> Option<Run> {
        let datagrams = NonZeroU32::new(saturated(datagrams))?;
        Some(self.run.first(datagrams))
    }
}

impl fmt::Debug for Transmit<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transmit")
            .field("destination", &self.destination())
            .field("len", &self.run.len())
            .field("segment_size", &self.segment_size())
            .finish_non_exhaustive()
    }
}

/// The datagrams of a [`Transmit`], in order.
#[derive(Debug, Clone)]
pub struct Datagrams<'a> {
    rest: &'a [u8],
    segment: usize,
    left: usize,
}

impl<'a> Iterator for Datagrams<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.left = self.left.checked_sub(1)?;
        let (datagram, rest) = self.rest.split_at(self.segment.min(self.rest.len()));
        self.rest = rest;
        Some(datagram)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl ExactSizeIterator for Datagrams<'_> {}
impl FusedIterator for Datagrams<'_> {}
