//! What a client has seen so far.

/// Counters of a client, a snapshot. They only ever grow, and wrap at 2^64.
///
/// Every datagram that came in is in exactly one place: it was delivered as a packet, or counted in
/// [`parse_errors`](Self::parse_errors), [`ignored`](Self::ignored) or [`dropped`](Self::dropped),
/// or is still queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Datagrams that arrived, whatever became of them.
    pub datagrams_in: u64,
    /// Bytes in them.
    pub bytes_in: u64,
    /// Datagrams that were sent.
    pub datagrams_out: u64,
    /// Bytes in them.
    pub bytes_out: u64,
    /// Datagrams that were no packet, a panicking protocol included.
    pub parse_errors: u64,
    /// Datagrams from another source than the remote address.
    pub ignored: u64,
    /// Datagrams lost on this side: arrived truncated or when the incoming queue was full, or taken
    /// off the outgoing queue unsent.
    pub dropped: u64,
    /// Datagrams that arrived at this host and that the system dropped, mostly because the socket's
    /// receive buffer was full (`SO_RXQ_OVFL`, socket(7)). They are in no other counter. As of the
    /// last receive that asked; 0 where the system does not tell.
    pub dropped_by_system: u64,
}

impl Stats {
    /// What a client has seen that has seen nothing.
    pub(crate) const NOTHING: Self = Self {
        datagrams_in: 0,
        bytes_in: 0,
        datagrams_out: 0,
        bytes_out: 0,
        parse_errors: 0,
        ignored: 0,
        dropped: 0,
        dropped_by_system: 0,
    };

    /// Adds the counters of the other half of a client.
    #[must_use]
    pub const fn merged_with(self, other: Self) -> Self {
        Self {
            datagrams_in: self.datagrams_in.wrapping_add(other.datagrams_in),
            bytes_in: self.bytes_in.wrapping_add(other.bytes_in),
            datagrams_out: self.datagrams_out.wrapping_add(other.datagrams_out),
            bytes_out: self.bytes_out.wrapping_add(other.bytes_out),
            parse_errors: self.parse_errors.wrapping_add(other.parse_errors),
            ignored: self.ignored.wrapping_add(other.ignored),
            dropped: self.dropped.wrapping_add(other.dropped),
            dropped_by_system: self.dropped_by_system.wrapping_add(other.dropped_by_system),
        }
    }
}
