//! `tokio_util::udp::UdpFramed`: the usual way to typed packets over UDP. It always names the
//! destination, connected or not.

use std::{
    io,
    marker::PhantomData,
    net::{self, SocketAddr},
};

use bytes::BytesMut;
use futures_util::{SinkExt, StreamExt};
use tokio::net::UdpSocket;
use tokio_util::{
    codec::{Decoder, Encoder},
    udp::UdpFramed,
};

use crate::linux::{
    Result,
    contender::{Contender, RUNTIME, Talk},
    packet::Packet,
};

#[derive(Debug)]
pub(crate) struct Framed<P> {
    framed: UdpFramed<Codec<P>>,
    remote: SocketAddr,
}

#[derive(Debug)]
struct Codec<P>(PhantomData<P>);

impl<P: Packet> Encoder<&P> for Codec<P> {
    type Error = io::Error;

    fn encode(&mut self, packet: &P, datagram: &mut BytesMut) -> io::Result<()> {
        packet.encode(datagram);
        Ok(())
    }
}

impl<P: Packet> Decoder for Codec<P> {
    type Item = P;
    type Error = io::Error;

    fn decode(&mut self, datagram: &mut BytesMut) -> io::Result<Option<P>> {
        if datagram.is_empty() {
            return Ok(None);
        }
        let packet = P::decode(datagram);
        datagram.clear();
        packet
            .map(Some)
            .ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

impl<P: Packet> Framed<P> {
    pub(crate) fn new(socket: net::UdpSocket) -> Result<Self> {
        socket.set_nonblocking(true)?;
        let remote = socket.peer_addr()?;
        let _inside = RUNTIME.enter();
        Ok(Self {
            framed: UdpFramed::new(UdpSocket::from_std(socket)?, Codec(PhantomData)),
            remote,
        })
    }

    async fn recv(&mut self) -> Result<P> {
        let (packet, _source) = self.framed.next().await.ok_or("the stream ended")??;
        Ok(packet)
    }
}

impl<P: Packet> Contender<P> for Framed<P> {
    fn send_each(&mut self, packets: &[P]) -> Result {
        RUNTIME.block_on(async {
            for packet in packets {
                self.framed.send((packet, self.remote)).await?;
            }
            Ok(())
        })
    }

    fn send_burst(&mut self, packets: &[P]) -> Result {
        RUNTIME.block_on(async {
            for packet in packets {
                self.framed.feed((packet, self.remote)).await?;
            }
            SinkExt::<(&P, SocketAddr)>::flush(&mut self.framed).await?;
            Ok(())
        })
    }

    fn recv_burst(&mut self, count: usize, received: &mut Vec<P>) -> Result {
        RUNTIME.block_on(async {
            for _ in 0..count {
                received.push(self.recv().await?);
            }
            Ok(())
        })
    }

    fn converse(&mut self, requests: &[P], talk: &mut dyn Talk<P>) -> Result {
        RUNTIME.block_on(async {
            for request in requests {
                talk.sending();
                self.framed.send((request, self.remote)).await?;
                talk.sent()?;
                talk.received(self.recv().await?)?;
            }
            Ok(())
        })
    }
}
