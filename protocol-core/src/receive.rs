//! What a driver needs of a state that receives.

use core::net::SocketAddr;

use crate::{
    DatagramClientState, DatagramProtocol, DatagramProtocolParseError, Incoming, ReceiverState,
};

/// A state that receives: the whole client, its receiving half, or a protocol with a queue. So that one
/// pump serves all of them; the methods are theirs.
pub trait Receive {
    /// What comes out.
    type Packet;

    /// See [`DatagramClientState::poll_packet`].
    fn poll_packet(&mut self) -> Option<Result<Self::Packet, DatagramProtocolParseError>>;

    /// See [`DatagramClientState::receive`].
    fn receive(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<Result<Self::Packet, DatagramProtocolParseError>>;

    /// See [`DatagramClientState::incoming_mut`].
    fn incoming_mut(&mut self) -> &mut Incoming;
}

macro_rules! delegate {
    ($state:ident) => {
        impl<P: DatagramProtocol> Receive for $state<P> {
            type Packet = P::Received;

            #[inline]
            fn poll_packet(&mut self) -> Option<Result<P::Received, DatagramProtocolParseError>> {
                self.poll_packet()
            }

            #[inline]
            fn receive(
                &mut self,
                source: SocketAddr,
                datagram: &[u8],
            ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
                self.receive(source, datagram)
            }

            #[inline]
            fn incoming_mut(&mut self) -> &mut Incoming {
                self.incoming_mut()
            }
        }
    };
}

delegate!(DatagramClientState);
delegate!(ReceiverState);

/// For a driver that keeps the protocol apart from the queue.
impl<P: DatagramProtocol> Receive for (&P, &mut Incoming) {
    type Packet = P::Received;

    #[inline]
    fn poll_packet(&mut self) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        self.1.poll_packet(self.0)
    }

    #[inline]
    fn receive(
        &mut self,
        source: SocketAddr,
        datagram: &[u8],
    ) -> Option<Result<P::Received, DatagramProtocolParseError>> {
        self.1.receive(self.0, source, datagram)
    }

    #[inline]
    fn incoming_mut(&mut self) -> &mut Incoming {
        self.1
    }
}
