//! Asking the socket for what it keeps of ICMP messages.

use std::io;

use crate::{ConnectedUdpSocket, Descriptor, IcmpError, errno::Cause, sys};

impl<S: Descriptor> ConnectedUdpSocket<S> {
    /// Adds the details to `error`, if the socket keeps them. Of several, the last that the system
    /// has made this very error of; those before it are gone, as they are without details.
    pub(crate) fn explain(&self, error: io::Error) -> io::Error {
        if !self.keeps_errors || !matches!(Cause::of(&error), Cause::Icmp | Cause::TooLong) {
            return error;
        }
        let code = error.raw_os_error();
        match self.last_kept(|kept| kept.source.raw_os_error() == code) {
            Some(details) => io::Error::new(error.kind(), details),
            None => error,
        }
    }

    /// Returns what the socket keeps although nothing is pending any more: as long as it is there, an
    /// event loop sees an error. What this host said itself was reported to the sender.
    pub(crate) fn leftover_error(&self) -> Option<io::Error> {
        if !self.keeps_errors {
            return None;
        }
        let details = self.last_kept(|kept| kept.reported_by.is_some())?;
        Some(io::Error::new(details.source.kind(), details))
    }

    /// Takes everything that is kept, and returns the last that `fits`.
    fn last_kept(&self, fits: impl Fn(&IcmpError) -> bool) -> Option<IcmpError> {
        let mut last = None;
        while let Some(kept) = sys::take_queued_error(&self.io) {
            if fits(&kept) {
                last = Some(kept);
            }
        }
        last
    }
}
