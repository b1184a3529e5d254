//! The sending half of the pump.

use std::{
    io,
    sync::atomic::{AtomicU16, Ordering::Relaxed},
};

use datagram_protocol_core::Outgoing;

use crate::{
    ConnectedUdpSocket, Descriptor, Progress, SendError, SendPacketsError, descriptor::sock_ref,
    errno::Cause, sys,
};

/// How often a datagram is tried: an error may be a pending one, about an earlier datagram, and
/// there may be another behind it.
const TRIES: usize = 3;

/// The most segments that every kernel with `UDP_SEGMENT` takes (`UDP_MAX_SEGMENTS` before Linux
/// 6.9).
const SAFE_SEGMENTS: usize = 64;

/// What segmentation offload may be asked for on this socket. It only ever shrinks.
#[derive(Debug)]
pub(crate) struct Segmentation {
    /// Datagrams in one transmit; 1 means that offload is off.
    max_segments: AtomicU16,
    /// Bytes in one of its datagrams.
    max_segment_size: AtomicU16,
}

impl Segmentation {
    pub(crate) const fn new(offload: bool) -> Self {
        Self {
            max_segments: AtomicU16::new(if offload { sys::MAX_SEGMENTS as u16 } else { 1 }),
            // What the segment option, a `u16`, can say.
            max_segment_size: AtomicU16::new(u16::MAX),
        }
    }

    pub(crate) fn max_segments(&self) -> usize {
        self.max_segments.load(Relaxed).into()
    }

    fn turn_off(&self) {
        self.max_segments.store(1, Relaxed);
    }

    /// Draws the conclusion from a refused run of `segments` datagrams of `size` bytes.
    /// `max_unfragmented` is the longest datagram that leaves in one piece.
    fn learn(
        &self,
        segments: usize,
        size: usize,
        max_unfragmented: impl FnOnce() -> Option<usize>,
    ) {
        if segments > SAFE_SEGMENTS {
            self.max_segments.store(SAFE_SEGMENTS as u16, Relaxed);
            return;
        }
        match max_unfragmented() {
            Some(max) if size > max => {
                // Fits: it is less than the length of a segment.
                let max = u16::try_from(max).unwrap_or(u16::MAX);
                self.max_segment_size.store(max, Relaxed);
            }
            _ => self.turn_off(),
        }
    }
}

/// What became of one transmit.
enum Outcome {
    Sent,
    /// It left, after this error about an earlier one.
    SentAfter(io::Error),
    WouldBlock,
    /// Refused for good.
    Refused(io::Error),
    /// A run that was refused. Its datagrams may leave one by one.
    RunRefused(io::Error),
}

impl<S: Descriptor> ConnectedUdpSocket<S> {
    /// Sends what is queued, until the queue is empty or the socket would block. Never waits.
    ///
    /// A run of datagrams leaves in one system call where the system can do that; one that it
    /// refuses is sent again datagram by datagram. A datagram that cannot be sent is taken off the
    /// queue and counted as dropped.
    ///
    /// # Errors
    ///
    /// Stops at the first error, with the number of datagrams sent by this call; the rest stays
    /// queued. [`NotSent`](SendError::NotSent) is about the next datagram, which was dropped.
    /// [`Unreachable`](SendError::Unreachable) is about one sent before; where the peer is on this
    /// host, the system is asked for such an error once a call, after sending.
    pub fn flush(&self, outgoing: &mut Outgoing) -> Result<Progress, SendPacketsError> {
        self.flush_part(outgoing, false)
    }

    /// Sends what is queued, as [`flush`](Self::flush) does. With `more` to follow at once, does not ask
    /// the system for an error about what was sent: that is a system call of its own.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn flush_part(
        &self,
        outgoing: &mut Outgoing,
        more: bool,
    ) -> Result<Progress, SendPacketsError> {
        let asks = self.is_peer_on_this_host && !more;
        self.flush_through(outgoing, asks, |contents, segment| {
            sys::send(&self.io, contents, segment)
        })
    }

    /// Flushes through `send`, which sends its bytes as datagrams of the length that it is given, or
    /// as one datagram. `asks` for an error after sending.
    #[inline]
    fn flush_through(
        &self,
        outgoing: &mut Outgoing,
        asks: bool,
        send: impl Fn(&[u8], Option<usize>) -> io::Result<()>,
    ) -> Result<Progress, SendPacketsError> {
        self.reception.sending();
        let mut sent = 0;
        // Datagrams of a refused run that are still to be sent one by one.
        let mut one_by_one = 0_usize;
        // An error about an earlier datagram, reported once the next has left.
        let mut pending = None;
        let progress = loop {
            let max_segments = match one_by_one {
                0 => self.segments_for(outgoing),
                _ => 1,
            };
            let Some(transmit) = outgoing.poll_transmit(max_segments) else {
                break Progress::Done;
            };
            let segments = transmit.datagrams().len();
            let segment = transmit.segment_size();
            let outcome = attempt(&mut pending, segment.is_some(), || {
                send(transmit.contents(), segment)
            });
            match outcome {
                Outcome::Sent => {
                    transmit.sent();
                    sent += segments;
                    one_by_one = one_by_one.saturating_sub(segments);
                }
                Outcome::SentAfter(error) => {
                    transmit.sent();
                    let error = SendError::Unreachable(self.explain(error));
                    return Err(SendPacketsError::new(sent + segments, error));
                }
                Outcome::WouldBlock => break Progress::WouldBlock,
                Outcome::RunRefused(error) => {
                    drop(transmit);
                    self.learn_from(&error, segments, segment);
                    one_by_one = segments;
                }
                Outcome::Refused(error) => {
                    transmit.discard_first();
                    let error = SendError::NotSent(self.explain(error));
                    return Err(SendPacketsError::new(sent, error));
                }
            }
        };
        if sent > 0
            && asks
            && let Some(error) = self.take_error().ok().flatten()
        {
            let error = SendError::Unreachable(self.explain(error));
            return Err(SendPacketsError::new(sent, error));
        }
        Ok(progress)
    }

    /// Takes the socket's pending error (`SO_ERROR`, socket(7)), if there is one.
    ///
    /// # Errors
    ///
    /// The socket is dead.
    pub fn take_error(&self) -> io::Result<Option<io::Error>> {
        sock_ref(&self.io).take_error()
    }

    /// How many datagrams the next transmit may have.
    fn segments_for(&self, outgoing: &mut Outgoing) -> usize {
        let max_segments = self.segmentation.max_segments();
        let max_size = usize::from(self.segmentation.max_segment_size.load(Relaxed));
        let fits = max_segments > 1
            && outgoing
                .poll_transmit(max_segments)
                .and_then(|transmit| transmit.segment_size())
                .is_some_and(|size| size <= max_size);
        if fits { max_segments } else { 1 }
    }

    /// Learns what the system says about runs. Anything else may pass.
    fn learn_from(&self, error: &io::Error, segments: usize, segment: Option<usize>) {
        match run_refusal(error) {
            Some(RunRefusal::Length) => {
                self.segmentation
                    .learn(segments, segment.unwrap_or_default(), || {
                        sys::max_unfragmented(&self.io, self.addresses.remote)
                    });
            }
            Some(RunRefusal::Checksum) => self.segmentation.turn_off(),
            None => {}
        }
    }
}

/// What the system has against a run, as such.
#[cfg_attr(windows, expect(dead_code, reason = "no run is ever sent"))]
enum RunRefusal {
    /// The card cannot compute the checksums.
    Checksum,
    /// There are too many segments, or too long ones.
    Length,
}

#[cfg(unix)]
fn run_refusal(error: &io::Error) -> Option<RunRefusal> {
    use nix::errno::Errno;

    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::EIO) => Some(RunRefusal::Checksum),
        Some(Errno::EINVAL | Errno::EMSGSIZE) => Some(RunRefusal::Length),
        _ => None,
    }
}

/// No run is ever sent.
#[cfg(windows)]
const fn run_refusal(_error: &io::Error) -> Option<RunRefusal> {
    None
}

/// Sends, trying again where the error may be about an earlier datagram: such a pending error makes
/// the next send fail although that datagram is innocent. It is kept in `pending` until it is
/// reported. A run that is refused as such is not tried again, unless it is called too long: so may an
/// earlier datagram have been, and then the run leaves the next time.
fn attempt(
    pending: &mut Option<io::Error>,
    is_run: bool,
    send: impl Fn() -> io::Result<()>,
) -> Outcome {
    let mut tries = 0;
    let mut doubted = None;
    loop {
        let Err(error) = send() else {
            let earlier = pending.take().or(doubted);
            return earlier.map_or(Outcome::Sent, Outcome::SentAfter);
        };
        match Cause::of(&error) {
            Cause::Interrupted => {}
            // An error that was taken from the socket must not be forgotten.
            Cause::WouldBlock => {
                let earlier = pending.take().or(doubted);
                return earlier.map_or(Outcome::WouldBlock, Outcome::Refused);
            }
            Cause::NoBuffers => {
                return Outcome::Refused(pending.take().or(doubted).unwrap_or(error));
            }
            Cause::Dead => return Outcome::Refused(error),
            Cause::TooLong if is_run && doubted.is_none() => doubted = Some(error),
            cause if is_run && run_refusal(&error).is_some() => {
                if cause != Cause::TooLong {
                    // It is something else that is wrong with the run.
                    *pending = pending.take().or(doubted);
                }
                return Outcome::RunRefused(error);
            }
            cause @ (Cause::Icmp | Cause::TooLong | Cause::Other) => {
                tries += 1;
                if tries < TRIES {
                    *pending = Some(error);
                } else if is_run {
                    if cause == Cause::Other {
                        // About the run, which its datagrams need not be guilty of.
                        *pending = None;
                    }
                    return Outcome::RunRefused(error);
                } else {
                    return Outcome::Refused(error);
                }
            }
        }
    }
}

#[cfg(all(test, unix))]
mod faults;

#[cfg(all(test, unix))]
mod tests {
    use std::cell::RefCell;

    use nix::errno::Errno;

    use super::*;

    #[track_caller]
    fn outcome_of(results: &[Result<(), Errno>]) -> (Outcome, usize) {
        let left = RefCell::new(results.iter());
        let outcome = attempt(&mut None, false, || {
            Ok((*left.borrow_mut().next().expect("no further attempt"))?)
        });
        let attempts = results.len() - left.borrow().len();
        (outcome, attempts)
    }

    #[test]
    fn pending_error_is_reported_and_the_datagram_sent() {
        let (outcome, attempts) = outcome_of(&[Err(Errno::ECONNREFUSED), Ok(())]);

        assert!(matches!(outcome, Outcome::SentAfter(error)
            if error.kind() == io::ErrorKind::ConnectionRefused));
        assert_eq!(attempts, 2);
    }

    #[test]
    fn third_failure_is_final_and_the_last_error_reported() {
        let (outcome, attempts) = outcome_of(&[
            Err(Errno::ECONNREFUSED),
            Err(Errno::ECONNREFUSED),
            Err(Errno::EHOSTUNREACH),
            Ok(()),
        ]);

        assert!(matches!(outcome, Outcome::Refused(error)
            if error.kind() == io::ErrorKind::HostUnreachable));
        assert_eq!(attempts, 3);
    }

    /// What becomes of a run, and what is still to be reported then.
    #[track_caller]
    fn outcome_of_run(results: &[Result<(), Errno>]) -> (Outcome, Option<Errno>) {
        let left = RefCell::new(results.iter());
        let mut pending = None;
        let outcome = attempt(&mut pending, true, || {
            Ok((*left.borrow_mut().next().expect("no further attempt"))?)
        });
        assert_eq!(left.borrow().len(), 0, "too few attempts");
        let pending = pending.and_then(|error| error.raw_os_error());
        (outcome, pending.map(Errno::from_raw))
    }

    #[test]
    fn run_called_too_long_is_refused_only_if_it_is_so_again() {
        let (outcome, pending) = outcome_of_run(&[Err(Errno::EMSGSIZE), Ok(())]);
        assert!(matches!(outcome, Outcome::SentAfter(_)));
        assert_eq!(pending, None);

        let (outcome, pending) = outcome_of_run(&[Err(Errno::EMSGSIZE); 2]);
        assert!(matches!(outcome, Outcome::RunRefused(_)));
        assert_eq!(pending, None);

        // Before Linux 6.14 a run that is too long for the link is invalid.
        let (outcome, pending) = outcome_of_run(&[Err(Errno::EMSGSIZE), Err(Errno::EINVAL)]);
        assert!(matches!(outcome, Outcome::RunRefused(error)
            if error.kind() == io::ErrorKind::InvalidInput));
        assert_eq!(pending, Some(Errno::EMSGSIZE));
    }

    #[test]
    fn run_that_goes_on_failing_is_refused_as_such() {
        let (outcome, pending) = outcome_of_run(&[Err(Errno::EPERM); 3]);
        assert!(matches!(outcome, Outcome::RunRefused(_)));
        assert_eq!(pending, None);

        let (outcome, pending) = outcome_of_run(&[Err(Errno::ECONNREFUSED); 3]);
        assert!(matches!(outcome, Outcome::RunRefused(_)));
        assert_eq!(pending, Some(Errno::ECONNREFUSED));

        for errno in [Errno::ENOBUFS, Errno::EBADF] {
            let (outcome, _) = outcome_of_run(&[Err(errno)]);
            assert!(matches!(outcome, Outcome::Refused(_)));
        }
    }

    #[test]
    fn run_called_too_long_that_finds_no_room_reports_that() {
        for errno in [Errno::EAGAIN, Errno::ENOBUFS] {
            let (outcome, _) = outcome_of_run(&[Err(Errno::EMSGSIZE), Err(errno)]);
            assert!(matches!(outcome, Outcome::Refused(error)
                if error.raw_os_error() == Some(Errno::EMSGSIZE as i32)));
        }
    }

    #[test]
    fn pending_error_is_not_lost_to_full_buffers() {
        let (outcome, _) = outcome_of(&[Err(Errno::ECONNREFUSED), Err(Errno::ENOBUFS)]);

        assert!(matches!(outcome, Outcome::Refused(error)
            if error.kind() == io::ErrorKind::ConnectionRefused));
    }

    #[test]
    fn interruption_is_no_attempt() {
        let (outcome, attempts) = outcome_of(
            &[Err(Errno::EINTR); 9]
                .into_iter()
                .chain([Ok(())])
                .collect::<Vec<_>>(),
        );

        assert!(matches!(outcome, Outcome::Sent));
        assert_eq!(attempts, 10);
    }

    #[test]
    fn full_buffers_and_dead_sockets_are_not_tried_again() {
        for errno in [Errno::ENOBUFS, Errno::EBADF, Errno::EPIPE] {
            let (outcome, attempts) = outcome_of(&[Err(errno), Ok(())]);

            assert!(matches!(outcome, Outcome::Refused(_)));
            assert_eq!(attempts, 1);
        }
    }

    /// The sending half of the table of system errors: what becomes of a datagram whose first send
    /// fails with each, and whose second would succeed.
    #[test]
    fn first_failure_is_final_only_where_it_is_about_this_datagram() {
        use Errno::*;

        for errno in [
            ECONNREFUSED,
            ECONNRESET,
            ENETUNREACH,
            EHOSTUNREACH,
            ENETDOWN,
            EHOSTDOWN,
            ENOPROTOOPT,
            EOPNOTSUPP,
            EPROTO,
            EACCES,
            EMSGSIZE,
            EPERM,
            EINVAL,
            ENOMEM,
            EIO,
        ] {
            let (outcome, _) = outcome_of(&[Err(errno), Ok(())]);
            let is_sent_after = matches!(outcome, Outcome::SentAfter(error)
                if error.raw_os_error() == Some(errno as i32));
            assert!(is_sent_after, "{errno}");

            let (outcome, _) = outcome_of(&[Err(errno); 3]);
            assert!(matches!(outcome, Outcome::Refused(_)), "{errno}");
        }
        for errno in [ENOBUFS, EBADF, ENOTSOCK, ENOTCONN, EPIPE] {
            let (outcome, _) = outcome_of(&[Err(errno), Ok(())]);
            assert!(matches!(outcome, Outcome::Refused(_)), "{errno}");
        }
        let (outcome, _) = outcome_of(&[Err(EAGAIN), Ok(())]);
        assert!(matches!(outcome, Outcome::WouldBlock));
        let (outcome, _) = outcome_of(&[Err(ECONNREFUSED), Err(EAGAIN)]);
        assert!(matches!(outcome, Outcome::Refused(error)
            if error.kind() == io::ErrorKind::ConnectionRefused));
    }

    #[test]
    fn refused_run_teaches_the_first_limit_that_explains_it() {
        let segmentation = Segmentation {
            max_segments: AtomicU16::new(128),
            max_segment_size: AtomicU16::new(65_535),
        };

        segmentation.learn(100, 2000, || panic!("the count explains it"));
        assert_eq!(segmentation.max_segments(), 64);

        segmentation.learn(30, 2000, || Some(1472));
        assert_eq!(segmentation.max_segment_size.load(Relaxed), 1472);
        assert_eq!(segmentation.max_segments(), 64);

        segmentation.learn(30, 1472, || Some(1472));
        assert_eq!(segmentation.max_segments(), 1);
    }
}
