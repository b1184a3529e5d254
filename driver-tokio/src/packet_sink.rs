//! The client as a sink.

use std::{
    borrow::Borrow,
    collections::VecDeque,
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use datagram_protocol_core::{ClientClosedError, DatagramProtocol};
use datagram_udp_socket::SendError;
use futures_sink::Sink;

use crate::{
    AsyncUdpNetworkClient,
    client::{BUFFER_TRIES, LOT},
    link::Obstacle,
    turn::poll_turn,
    wait::Wait,
};

/// A sink of packets, made by [`sink`](AsyncUdpNetworkClient::sink).
///
/// It holds up to 128 packets until it is flushed, so that feeding many and flushing once sends them
/// as [`send_packets`](AsyncUdpNetworkClient::send_packets) does. Dropping it forgets those that it
/// holds. Closing it flushes it and leaves the client open.
///
/// # Errors
///
/// An error is about the packet at the front, which is then gone, and concerns no other: the next
/// flush goes on with what is behind it. Only after [`Closed`](SendError::Closed) all are gone.
#[must_use = "a sink does nothing unless fed and flushed"]
pub struct PacketSink<P: DatagramProtocol, T> {
    client: AsyncUdpNetworkClient<P>,
    packets: VecDeque<T>,
    wait: Wait,
    /// How often the packet at the front was tried while the system was out of buffers.
    tries: usize,
}

impl<P: DatagramProtocol, T> PacketSink<P, T> {
    pub(crate) fn new(client: AsyncUdpNetworkClient<P>) -> Self {
        Self {
            client,
            packets: VecDeque::new(),
            wait: Wait::default(),
            tries: 1,
        }
    }

    fn check_open(&mut self) -> Result<(), SendError> {
        if self.client.is_closing() {
            self.packets.clear();
            self.wait.cancel();
            return Err(ClientClosedError::new().into());
        }
        Ok(())
    }
}

impl<P: DatagramProtocol, T: Borrow<P::Sent>> Sink<T> for PacketSink<P, T> {
    type Error = SendError;

    fn poll_ready(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        self.check_open()?;
        if self.packets.len() < LOT {
            return Poll::Ready(Ok(()));
        }
        self.poll_flush(context)
    }

    fn start_send(mut self: Pin<&mut Self>, packet: T) -> Result<(), SendError> {
        self.check_open()?;
        self.packets.push_back(packet);
        Ok(())
    }

    fn poll_flush(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        let this = &mut *self;
        this.check_open()?;
        ready!(poll_turn(context, this.packets.len()));
        loop {
            let waited = ready!(this.wait.poll(context));
            this.check_open()?;
            waited.map_err(SendError::NotSent)?;
            if this.packets.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut sent = 0;
            let attempt = this
                .client
                .try_send(this.packets.iter().map(Borrow::borrow), &mut sent);
            let result = attempt.map_err(|error| {
                sent = error.sent;
                error.error
            });
            this.packets.drain(..sent);
            if sent > 0 {
                this.tries = 1;
            }
            let obstacle = match result {
                Ok(Ok(())) => None,
                Ok(Err(obstacle)) => Some(obstacle),
                Err(error) if error.is_out_of_buffers() && this.tries < BUFFER_TRIES => {
                    this.tries += 1;
                    Some(Obstacle::Busy)
                }
                Err(error) => {
                    // What was sent is off already; what was not is gone.
                    if !error.was_sent() {
                        this.packets.pop_front();
                    }
                    this.tries = 1;
                    this.check_open()?;
                    return Poll::Ready(Err(error));
                }
            };
            if let Some(obstacle) = obstacle {
                this.wait.start(this.client.overcome(obstacle));
            }
        }
    }

    fn poll_close(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.poll_flush(context)
    }
}

/// Nothing in it is ever pinned in place: what has to be is boxed.
impl<P: DatagramProtocol, T> Unpin for PacketSink<P, T> {}

impl<P: DatagramProtocol, T> fmt::Debug for PacketSink<P, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PacketSink")
            .field("client", &self.client)
            .field("held", &self.packets.len())
            .finish_non_exhaustive()
    }
}
