//! This project's blocking client.

use std::net::UdpSocket;

use datagram_driver_mio::UdpNetworkClient;
use datagram_udp_socket::ConnectOptions;

use crate::linux::{
    Result,
    contender::{Contender, Talk},
    packet::Packet,
};

#[derive(Debug)]
pub(crate) struct MioDriver<P: Packet>(UdpNetworkClient<P::Protocol>);

impl<P: Packet> MioDriver<P> {
    pub(crate) fn new(socket: UdpSocket, options: &ConnectOptions) -> Result<Self> {
        let client = UdpNetworkClient::from_socket_with(socket, P::protocol(), options)?;
        Ok(Self(client))
    }
}

impl<P: Packet> Contender<P> for MioDriver<P> {
    fn send_each(&mut self, packets: &[P]) -> Result {
        for packet in packets {
            self.0.send_packet(packet)?;
        }
        Ok(())
    }

    fn send_burst(&mut self, packets: &[P]) -> Result {
        self.0.send_packets(packets)?;
        Ok(())
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        for _ in 0..count {
            received.push(self.0.recv_packet()?);
        }
        Ok(())
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        for request in requests {
            talk.sending();
            self.0.send_packet(request)?;
            talk.sent()?;
            talk.received(self.0.recv_packet()?)?;
        }
        Ok(())
    }
}
