//! What the pump needs of a socket: that it lends its descriptor.

use socket2::SockRef;

/// Lends a socket's descriptor. Whatever is `AsFd` (on Unix) or `AsSocket` (on Windows) does: the
/// sockets of std, mio and tokio among them.
#[cfg(unix)]
pub trait Descriptor: std::os::fd::AsFd {}
#[cfg(unix)]
impl<S: std::os::fd::AsFd> Descriptor for S {}

/// Lends a socket's descriptor. Whatever is `AsFd` (on Unix) or `AsSocket` (on Windows) does: the
/// sockets of std, mio and tokio among them.
#[cfg(windows)]
pub trait Descriptor: std::os::windows::io::AsSocket {}
#[cfg(windows)]
impl<S: std::os::windows::io::AsSocket> Descriptor for S {}

pub(crate) fn sock_ref(descriptor: &impl Descriptor) -> SockRef<'_> {
    SockRef::from(descriptor)
}
