//! The limits of a client.

/// The limits of a client, built by value: `ClientConfig::new().incoming_bytes(1 << 16)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientConfig {
    pub(crate) max_datagram_size: usize,
    pub(crate) outgoing_bytes: usize,
    pub(crate) incoming_bytes: usize,
}

impl ClientConfig {
    /// Bytes that each queue may hold unless told otherwise: 1 MiB, about sixteen of the longest
    /// datagrams.
    pub const DEFAULT_QUEUE_BYTES: usize = 1 << 20;

    /// The defaults: the longest datagram that UDP allows, and 1 MiB for each queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            max_datagram_size: usize::MAX,
            outgoing_bytes: Self::DEFAULT_QUEUE_BYTES,
            incoming_bytes: Self::DEFAULT_QUEUE_BYTES,
        }
    }

    /// Lowers the length in bytes of the longest datagram that is sent.
    ///
    /// UDP's own limit stays in force: 65,507 bytes towards IPv4, which is 65,535 less 20 for the
    /// IP header and 8 for the UDP header (RFC 791, RFC 768), and 65,527 towards IPv6, where the
    /// length field does not count the IP header (RFC 8200). What is received is not limited by
    /// this.
    #[must_use]
    pub const fn max_datagram_size(mut self, bytes: usize) -> Self {
        self.max_datagram_size = bytes;
        self
    }

    /// Bounds the outgoing queue, in bytes: the datagrams and what it takes to keep track of them,
    /// so that empty datagrams count too; 4 GiB at most. At the bound, sending is
    /// [`QueueFull`](crate::SendPacketError::QueueFull).
    ///
    /// The buffer grows by doubling and is not shifted for each datagram that leaves, so the memory
    /// set aside can be up to four times the bytes queued. A datagram that could not be queued even
    /// alone is [`TooLarge`](crate::SendPacketError::TooLarge).
    #[must_use]
    pub const fn outgoing_bytes(mut self, bytes: usize) -> Self {
        self.outgoing_bytes = bytes;
        self
    }

    /// Bounds the incoming queue, in bytes: the buffers that it keeps alive and what it takes to
    /// keep track of them; 4 GiB at most. At the bound, the newest datagrams are dropped and counted.
    #[must_use]
    pub const fn incoming_bytes(mut self, bytes: usize) -> Self {
        self.incoming_bytes = bytes;
        self
    }
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// Numbers beyond what a `u32` holds mean no bound. It keeps the queues small.
#[inline]
pub(crate) fn saturated(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
