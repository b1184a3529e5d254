//! The system calls of segmentation offload, as bare as nix has them (udp(7)).

use std::{
    io::{IoSlice, IoSliceMut},
    net::UdpSocket,
    os::fd::AsRawFd,
    sync::LazyLock,
};

use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, recvmsg, sendmsg, setsockopt,
    sockopt::UdpGroSegment,
};

use super::{Result, packet::Packet};

/// Bytes in a receive buffer: the longest that the system glues together is 65,535.
pub(crate) const BUFFER_SIZE: usize = 1 << 16;

/// Bytes in the longest run: 65,535 less the headers of IPv4 and UDP.
const MAX_RUN: usize = 65_507;

/// Datagrams in a run: 128 since Linux 6.9, 64 before.
static MAX_SEGMENTS: LazyLock<usize> = LazyLock::new(|| {
    let takes_128 = || {
        let far = UdpSocket::bind("127.0.0.1:0")?;
        let near = UdpSocket::bind("127.0.0.1:0")?;
        near.connect(far.local_addr()?)?;
        send_run(&near, &[0; 128], 1)
    };
    if takes_128().is_ok() { 128 } else { 64 }
});

/// Datagrams of `len` bytes that one system call takes.
pub(crate) fn max_datagrams(len: usize) -> usize {
    (MAX_RUN / len).min(*MAX_SEGMENTS)
}

/// Sends `contents` as datagrams of `segment` bytes.
#[inline]
pub(crate) fn send_run(socket: &UdpSocket, contents: &[u8], segment: usize) -> Result {
    sendmsg::<()>(
        socket.as_raw_fd(),
        &[IoSlice::new(contents)],
        &[ControlMessage::UdpGsoSegments(&(segment as u16))],
        MsgFlags::empty(),
        None,
    )?;
    Ok(())
}

/// Encodes all packets into one buffer and sends that, in as few calls as possible.
pub(crate) fn send_packets<P: Packet>(
    socket: &UdpSocket,
    buffer: &mut Vec<u8>,
    packets: &[P],
) -> Result {
    let len = P::LEN.ok_or("only datagrams of one length can leave in one call")?;
    for run in packets.chunks(max_datagrams(len)) {
        buffer.clear();
        for packet in run {
            packet.encode(buffer);
        }
        send_run(socket, buffer, len)?;
    }
    Ok(())
}

pub(crate) fn enable_gro(socket: &UdpSocket) -> Result {
    Ok(setsockopt(socket, UdpGroSegment, &true)?)
}

/// Room for the one control message that arrives, aligned as it is.
#[derive(Debug)]
#[repr(align(8))]
pub(crate) struct ControlBuffer([u8; 64]);

impl ControlBuffer {
    pub(crate) const fn new() -> Self {
        Self([0; 64])
    }
}

/// Receives into `buffer` what one system call brings. Returns its length, and the length of each
/// datagram in it but the last.
#[inline]
pub(crate) fn recv_run(
    socket: &UdpSocket,
    buffer: &mut [u8],
    control: &mut ControlBuffer,
) -> Result<(usize, usize)> {
    let mut parts = [IoSliceMut::new(buffer)];
    let message = recvmsg::<()>(
        socket.as_raw_fd(),
        &mut parts,
        Some(&mut control.0),
        MsgFlags::empty(),
    )?;
    let mut stride = message.bytes;
    for control in message.cmsgs()? {
        if let ControlMessageOwned::UdpGroSegments(segment) = control {
            stride = segment as usize;
        }
    }
    Ok((message.bytes, stride))
}

/// Decodes datagrams that lie end to end.
#[inline]
pub(crate) fn decode_run<P: Packet>(
    contents: &[u8],
    stride: usize,
    packets: &mut Vec<P>,
) -> Result {
    for datagram in contents.chunks(stride.max(1)) {
        packets.push(P::decode(datagram).ok_or("a datagram is no packet")?);
    }
    Ok(())
}
