//! This project's async client.

use std::net::UdpSocket;

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_udp_socket::ConnectOptions;

use crate::linux::{
    Result,
    contender::{Contender, RUNTIME, Talk},
    packet::Packet,
};

#[derive(Debug)]
pub(crate) struct TokioDriver<P: Packet>(AsyncUdpNetworkClient<P::Protocol>);

impl<P: Packet> TokioDriver<P> {
    pub(crate) fn new(socket: UdpSocket, options: &ConnectOptions) -> Result<Self> {
        let client = AsyncUdpNetworkClient::from_socket_with(socket, P::protocol(), options)?;
        RUNTIME.block_on(client.wait_connected())?;
        Ok(Self(client))
    }
}

impl<P: Packet> Contender<P> for TokioDriver<P> {
    fn send_each(&mut self, packets: &[P]) -> Result {
        RUNTIME.block_on(async {
            for packet in packets {
                self.0.send_packet(packet).await?;
            }
            Ok(())
        })
    }

    fn send_burst(&mut self, packets: &[P]) -> Result {
        RUNTIME.block_on(self.0.send_packets(packets))?;
        Ok(())
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        RUNTIME.block_on(async {
            for _ in 0..count {
                received.push(self.0.recv_packet().await?);
            }
            Ok(())
        })
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        RUNTIME.block_on(async {
            for request in requests {
                talk.sending();
                self.0.send_packet(request).await?;
                talk.sent()?;
                talk.received(self.0.recv_packet().await?)?;
            }
            Ok(())
        })
    }
}
