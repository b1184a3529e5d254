//! Iteration over what arrives.

use std::{fmt, iter::FusedIterator, time::Duration};

use datagram_protocol_core::{DatagramProtocol, TimeoutBudget};
use datagram_udp_socket::RecvError;

use crate::{UdpNetworkClient, deadline::Deadline};

/// The packets that arrive, made by
/// [`iter_received_packets`](UdpNetworkClient::iter_received_packets).
pub struct ReceivedPackets<'a, P: DatagramProtocol> {
    client: &'a UdpNetworkClient<P>,
    budget: TimeoutBudget,
    has_ended: bool,
}

impl<'a, P: DatagramProtocol> ReceivedPackets<'a, P> {
    pub(crate) fn new(client: &'a UdpNetworkClient<P>, timeout: Option<Duration>) -> Self {
        Self {
            client,
            budget: TimeoutBudget::new(timeout),
            has_ended: false,
        }
    }
}

impl<P: DatagramProtocol> Iterator for ReceivedPackets<'_, P> {
    type Item = Result<P::Received, RecvError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let mut deadline = Deadline::after(self.budget.remaining());
        let packet = self.client.recv_until(&mut deadline);
        self.budget.spend(deadline.elapsed());
        match packet {
            Err(RecvError::TimedOut | RecvError::Closed(_)) => {
                self.has_ended = true;
                None
            }
            Err(error) => {
                self.has_ended = error.is_fatal();
                Some(Err(error))
            }
            Ok(packet) => Some(Ok(packet)),
        }
    }
}

impl<P: DatagramProtocol> FusedIterator for ReceivedPackets<'_, P> {}

impl<P: DatagramProtocol> fmt::Debug for ReceivedPackets<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedPackets")
            .field("client", &self.client)
            .field("budget", &self.budget)
            .field("has_ended", &self.has_ended)
            .finish()
    }
}
