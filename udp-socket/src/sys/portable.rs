//! Everywhere: one `send` or `recv` for each datagram.

use std::{
    io::{self, Read},
    net::{SocketAddr, UdpSocket},
};

use super::{Arrival, Ask};
use crate::{
    descriptor::{Descriptor, sock_ref},
    icmp::IcmpError,
};

/// No segmentation: each datagram is a transmit of its own.
pub(crate) const MAX_SEGMENTS: usize = 1;

/// Sends `contents` as one datagram. There are no segments, since `MAX_SEGMENTS` is 1.
pub(crate) fn send(
    socket: &impl Descriptor,
    contents: &[u8],
    _segment: Option<usize>,
) -> io::Result<()> {
    sock_ref(socket).send(contents)?;
    Ok(())
}

pub(crate) fn receive(
    socket: &impl Descriptor,
    buffer: &mut [u8],
    ask: Ask,
    source: &mut SocketAddr,
) -> io::Result<Arrival> {
    let len = if ask.source {
        // Asked only until the socket is first found empty, so the duplicate does not cost much.
        let socket = UdpSocket::from(sock_ref(socket).try_clone()?);
        let (len, address) = socket.recv_from(buffer)?;
        *source = address;
        len
    } else {
        (&*sock_ref(socket)).read(buffer)?
    };
    Ok(Arrival {
        len,
        full_len: len,
        stride: 0,
        overflow: None,
    })
}

pub(crate) const fn count_overflow(_socket: &impl Descriptor) {}

pub(crate) fn enable_gro(_socket: &impl Descriptor) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

pub(crate) fn may_be_glued(_socket: &impl Descriptor) -> bool {
    false
}

pub(crate) fn has_segmentation(_socket: &impl Descriptor) -> bool {
    false
}

pub(crate) fn enable_error_queue(_socket: &impl Descriptor, _remote: SocketAddr) -> io::Result<()> {
    Err(io::Error::new(
        io::ErrorKind::Unsupported,
        "this system does not tell what ICMP says",
    ))
}

pub(crate) const fn take_queued_error(_socket: &impl Descriptor) -> Option<IcmpError> {
    None
}

pub(crate) fn max_unfragmented(_socket: &impl Descriptor, _remote: SocketAddr) -> Option<usize> {
    None
}
