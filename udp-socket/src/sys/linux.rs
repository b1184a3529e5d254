//! Linux: `UDP_SEGMENT` and `UDP_GRO` (udp(7)).

use std::{
    io::{self, IoSlice, IoSliceMut},
    net::SocketAddr,
    os::fd::AsRawFd,
};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, getsockopt, recv, recvmsg,
    send as send_datagram, sendmsg, setsockopt, sockopt::UdpGroSegment,
};
use rustix::net::sockopt::{ip_mtu, ipv6_mtu};

use super::{Arrival, Ask};
use crate::descriptor::Descriptor;

/// Datagrams in one `sendmsg`: `UDP_MAX_SEGMENTS` of include/linux/udp.h, which is 128 since Linux
/// 6.9 and 64 before. A kernel that takes only 64 refuses more with `EINVAL`.
pub(crate) const MAX_SEGMENTS: usize = 128;

/// Sends `contents` as datagrams of `segment` bytes, the last perhaps shorter, or as one datagram.
pub(crate) fn send(
    socket: &impl Descriptor,
    contents: &[u8],
    segment: Option<usize>,
) -> io::Result<()> {
    match segment {
        None => send_datagram(raw(socket), contents, MsgFlags::MSG_NOSIGNAL)?,
        Some(size) => sendmsg::<()>(
            raw(socket),
            &[IoSlice::new(contents)],
            // Fits: no datagram is longer than what a `u16` can say.
            &[ControlMessage::UdpGsoSegments(&(size as u16))],
            MsgFlags::MSG_NOSIGNAL,
            None,
        )?,
    };
    Ok(())
}

/// Room for control messages (cmsg(3)), aligned as they are: the stride, and what a user may have
/// asked for through socket options (timestamps, TOS, hop limit).
#[repr(align(8))]
struct ControlBuffer([u8; 256]);

/// Receives into `buffer`. `MSG_TRUNC` makes the kernel tell the full length (recv(2)).
pub(crate) fn receive(
    socket: &impl Descriptor,
    buffer: &mut [u8],
    ask: Ask,
) -> io::Result<Arrival> {
    let capacity = buffer.len();
    if !ask.source && !ask.stride {
        let full_len = recv(raw(socket), buffer, MsgFlags::MSG_TRUNC)?;
        return Ok(Arrival {
            len: full_len.min(capacity),
            full_len,
            stride: 0,
            source: None,
        });
    }
    let mut control = ControlBuffer([0; 256]);
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<SockaddrStorage>(
        raw(socket),
        &mut parts,
        Some(&mut control.0),
        MsgFlags::MSG_TRUNC,
    )?;
    let mut stride = 0;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::UdpGroSegments(segment) = control {
            stride = usize::try_from(segment).unwrap_or(0);
        }
    }
    Ok(Arrival {
        len: message.bytes.min(capacity),
        full_len: message.bytes,
        stride,
        source: if ask.source {
            message.address.as_ref().and_then(to_std)
        } else {
            None
        },
    })
}

pub(crate) fn enable_gro(socket: &impl Descriptor) -> io::Result<()> {
    setsockopt(&socket.as_fd(), UdpGroSegment, &true)?;
    Ok(())
}

pub(crate) fn is_gro_enabled(socket: &impl Descriptor) -> bool {
    getsockopt(&socket.as_fd(), UdpGroSegment).unwrap_or(false)
}

/// The path MTU less the headers of IP (20 bytes, RFC 791; 40 bytes, RFC 8200) and UDP (8 bytes, RFC
/// 768). `None` if the system does not tell.
pub(crate) fn max_unfragmented(socket: &impl Descriptor, remote: SocketAddr) -> Option<usize> {
    let (mtu, headers) = if remote.ip().to_canonical().is_ipv4() {
        (ip_mtu(socket.as_fd()).ok()?, 20 + 8)
    } else {
        (ipv6_mtu(socket.as_fd()).ok()?, 40 + 8)
    };
    Some((mtu as usize).saturating_sub(headers))
}

fn raw(socket: &impl Descriptor) -> i32 {
    socket.as_fd().as_raw_fd()
}

fn to_std(address: &SockaddrStorage) -> Option<SocketAddr> {
    if let Some(address) = address.as_sockaddr_in() {
        return Some(SocketAddr::V4((*address).into()));
    }
    let address = address.as_sockaddr_in6()?;
    Some(SocketAddr::V6((*address).into()))
}
