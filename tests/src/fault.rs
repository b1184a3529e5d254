//! Faults made with real system calls, on a client's own descriptor.

use std::{
    mem::ManuallyDrop,
    os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::socket::{MsgFlags, send},
};

use crate::DEADLINE;

/// Puts a duplicate of `with` in the place of `descriptor`, which is thereby closed under the feet
/// of its owner. The number stays taken, so that no other thread can get it.
#[track_caller]
pub fn replace_descriptor(descriptor: BorrowedFd<'_>, with: impl AsFd) {
    // SAFETY: dup2(2) never leaves the number unused, and it is not dropped here.
    #[expect(
        unsafe_code,
        reason = "nix wants an `OwnedFd`, and the owner is hidden"
    )]
    let target = unsafe { OwnedFd::from_raw_fd(descriptor.as_raw_fd()) };
    let mut target = ManuallyDrop::new(target);
    nix::unistd::dup2(with, &mut target).expect("both are open");
}

/// Sends `datagram` behind the back of the client whose socket this is, to a peer that is not there,
/// and waits until the refusal is pending on the socket.
#[track_caller]
pub fn refuse_quietly(descriptor: BorrowedFd<'_>, datagram: &[u8]) {
    send(descriptor.as_raw_fd(), datagram, MsgFlags::empty()).expect("nothing is pending yet");
    wait_until_ready(descriptor, PollFlags::POLLERR);
}

/// Waits until poll(2) says so.
#[track_caller]
pub fn wait_until_ready(descriptor: BorrowedFd<'_>, events: PollFlags) {
    let timeout = PollTimeout::try_from(DEADLINE).expect("it is short enough");
    let mut polled = [PollFd::new(descriptor, events)];
    let ready = poll(&mut polled, timeout).expect("it is open");
    assert_eq!(ready, 1, "not ready in time: {events:?}");
}
