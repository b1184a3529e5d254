//! What differs per platform. `options` are the socket options that socket2 does not cover. Of the
//! other two files one is built; both show the same items:
//!
//! - `MAX_SEGMENTS`: how many datagrams one send takes at most, as a first guess;
//! - `send`: one datagram, or a run of them;
//! - `receive`: one datagram, or several glued together; changes the source that it is given only on
//!   request;
//! - `enable_gro`, `may_be_glued`: glued receives; `has_segmentation`: runs;
//! - `count_overflow`: datagrams dropped for a full receive buffer, to be counted;
//! - `enable_error_queue`, `take_queued_error`: what ICMP said, in detail;
//! - `max_unfragmented`: the longest datagram that leaves in one piece.
//!
//! `--cfg datagram_portable` builds the portable file on Linux too, where the tests run it.

#[cfg(all(target_os = "linux", not(datagram_portable)))]
mod linux;
pub(crate) mod options;
#[cfg(not(all(target_os = "linux", not(datagram_portable))))]
mod portable;

#[cfg(all(target_os = "linux", not(datagram_portable)))]
pub(crate) use linux::*;
#[cfg(not(all(target_os = "linux", not(datagram_portable))))]
pub(crate) use portable::*;

/// What a receive brought.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrival {
    /// Bytes written to the buffer.
    pub(crate) len: usize,
    /// Bytes there were, more than `len` if the datagram was truncated.
    pub(crate) full_len: usize,
    /// Bytes from one datagram's start to the next; 0 for a lone one.
    pub(crate) stride: usize,
    /// Datagrams that the system has dropped so far, modulo 2^32, if it told.
    pub(crate) overflow: Option<u32>,
}

/// What a receive has to find out besides the bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ask {
    pub(crate) source: bool,
    pub(crate) stride: bool,
    pub(crate) overflow: bool,
}
