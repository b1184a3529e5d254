//! The names and signatures that programs outside this repository compile against. A change that
//! breaks this file breaks them.

#![expect(
    clippy::let_underscore_must_use,
    reason = "the types are the test, not the values"
)]

use std::{
    borrow::Borrow,
    error::Error,
    io,
    net::{IpAddr, SocketAddr, UdpSocket},
    sync::Arc,
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use datagram_driver_mio::{ReceivedPackets, UdpNetworkClient};
use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::{
    ClientClosedError, ClientConfig, Converted, Datagram, DatagramClientState, DatagramProtocol,
    DatagramProtocolParseError, DeserializeError, Incoming, Line, Outgoing, PacketConversionError,
    PacketConverter, PacketError, Raw, ReceiverState, SendPacketError, SenderState, SerializeError,
    StapledConverter, Stats, TimeoutBudget, Transmit, json::Json,
};
use datagram_udp_socket::{
    AddressFamily, ConnectOptions, ConnectedUdpSocket, RecvError, RemoteAddress, SendError,
    SendPacketsError, SocketProxy,
};

const fn is_error<E: Error + Send + Sync + 'static>() {}
const fn is_shared<T: Send + Sync>() {}

#[test]
fn errors_are_errors() {
    is_error::<SerializeError>();
    is_error::<DeserializeError>();
    is_error::<PacketConversionError>();
    is_error::<PacketError>();
    is_error::<DatagramProtocolParseError>();
    is_error::<ClientClosedError>();
    is_error::<SendPacketError>();
    is_error::<SendError>();
    is_error::<SendPacketsError>();
    is_error::<RecvError>();
    is_shared::<UdpNetworkClient<Raw>>();
    is_shared::<AsyncUdpNetworkClient<Raw>>();
}

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "that it compiles is the test")]
fn the_core<P: DatagramProtocol + Clone>(
    protocol: P,
    address: SocketAddr,
    packet: &P::Sent,
) -> Result<(), Box<dyn Error>> {
    let config = ClientConfig::new().max_datagram_size(1200);
    let mut state = DatagramClientState::new(protocol.clone(), address);
    let _: SocketAddr = state.remote_address();
    let _: Result<(), SendPacketError> = state.send_packet(packet);
    let _: Option<Result<P::Received, DatagramProtocolParseError>> = state.poll_packet();
    state.close();
    let _: (bool, bool) = (state.is_closing(), state.is_closed());
    state.handle_datagram(address, vec![1, 2, 3]);
    state.handle_datagram(address, &b"static"[..]);
    state.handle_datagrams(address, Bytes::new(), 0);
    let _: Stats = state.stats();
    let _: &mut Outgoing = state.outgoing_mut();
    let _: &mut Incoming = state.incoming_mut();
    while let Some(transmit) = state.poll_transmit(64) {
        let _: (SocketAddr, &[u8], Option<usize>) = (
            transmit.destination(),
            transmit.contents(),
            transmit.segment_size(),
        );
        for datagram in transmit.datagrams() {
            let _: &[u8] = datagram;
        }
        match 1 {
            0 => transmit.sent(),
            1 => transmit.sent_first(2),
            _ => Transmit::discard_first(transmit),
        }
    }
    let state = DatagramClientState::with_config(protocol, address, config);
    let (mut sender, mut receiver): (SenderState<P>, ReceiverState<P>) = state.split();
    sender.send_packet(packet)?;
    let _: (&mut Outgoing, &mut Incoming) = (sender.outgoing_mut(), receiver.incoming_mut());
    Ok(())
}

struct Doubled;

impl PacketConverter for Doubled {
    type Sent = u32;
    type Received = u32;
    type SentDto = u32;
    type ReceivedDto = u32;

    fn convert_to_dto_packet(&self, packet: &u32) -> Result<u32, PacketConversionError> {
        Ok(packet * 2)
    }

    fn create_from_dto_packet(&self, packet: u32) -> Result<u32, PacketConversionError> {
        Ok(packet / 2)
    }
}

#[test]
fn protocols_are_objects_and_compose() {
    type Numbers = dyn DatagramProtocol<Sent = u32, Received = u32>;
    let converter = StapledConverter::new(Doubled, Doubled);
    let protocol: Arc<Numbers> = Arc::new(Converted::new(Json::<u32, u32>::new(), converter));
    let by_reference: &Numbers = &*protocol;
    let mut datagram = BytesMut::new();

    by_reference.make_datagram(&21, &mut datagram).unwrap();
    let bytes = datagram.freeze();
    let received = Datagram::from(&bytes);

    assert_eq!(received.to_bytes(), "42");
    assert_eq!(protocol.build_packet_from_datagram(received).unwrap(), 21);
    assert_eq!(
        TimeoutBudget::new(Duration::ZERO).remaining(),
        Some(Duration::ZERO)
    );
}

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "that it compiles is the test")]
fn the_drivers<P: DatagramProtocol + Clone>(
    protocol: P,
    packet: &P::Sent,
    address: SocketAddr,
    socket: UdpSocket,
) -> Result<(), Box<dyn Error>> {
    for address in [
        RemoteAddress::from(address),
        (IpAddr::from([127, 0, 0, 1]), 1).into(),
        ("localhost", 1).into(),
        ("localhost".to_owned(), 1).into(),
        "localhost:1".into(),
        "localhost:1".to_owned().into(),
        vec![address].into(),
    ] {
        drop(UdpNetworkClient::connect(address, protocol.clone())?);
    }
    let options = ConnectOptions::new()
        .local_address(address)
        .family(AddressFamily::Any)
        .reuse_port(false)
        .dont_fragment(false)
        .offload(false)
        .client_config(ClientConfig::new());
    let client = UdpNetworkClient::connect_with(address, protocol.clone(), &options)?;
    let _: io::Result<UdpNetworkClient<P>> =
        UdpNetworkClient::from_socket(socket.try_clone()?, protocol.clone());
    let _: io::Result<UdpNetworkClient<P>> =
        UdpNetworkClient::from_socket_with(socket.try_clone()?, protocol.clone(), &options);
    let _: Result<(), SendError> = client.send_packet(packet);
    let _: Result<(), SendError> = client.send_packet_timeout(packet, Duration::ZERO);
    let _: Result<usize, SendPacketsError> = client.send_packets([packet]);
    let _: Result<P::Received, RecvError> = client.recv_packet();
    let _: Result<P::Received, RecvError> = client.recv_packet_timeout(Duration::ZERO);
    let _: ReceivedPackets<'_, P> = client.iter_received_packets(Duration::ZERO);
    let _: ReceivedPackets<'_, P> = client.iter_received_packets(None);
    client.close();
    let _: bool = client.is_closed();
    let _: io::Result<SocketAddr> = client.local_address();
    let _: io::Result<SocketAddr> = client.remote_address();
    let _: Result<SocketProxy<'_>, ClientClosedError> = client.socket();
    let _: Stats = client.clone().stats();

    let connected = ConnectedUdpSocket::connect(&[address], &options)?;
    let mut state = DatagramClientState::new(protocol, address);
    let _sent = connected.flush(state.outgoing_mut())?;
    let _filled = connected.fill(state.incoming_mut())?;
    let _: io::Result<Option<io::Error>> = connected.take_error();
    Ok(())
}

/// Never called: that it compiles is the test.
#[expect(dead_code, reason = "that it compiles is the test")]
async fn the_async_driver<P: DatagramProtocol + Clone, T: Borrow<P::Sent>>(
    protocol: P,
    packet: T,
    address: SocketAddr,
    socket: UdpSocket,
) -> Result<(), Box<dyn Error>> {
    use futures_util::{SinkExt, StreamExt};

    let options = ConnectOptions::new();
    let _: AsyncUdpNetworkClient<P> = AsyncUdpNetworkClient::new(address, protocol.clone());
    let client = AsyncUdpNetworkClient::new_with(address, protocol.clone(), &options);
    let _: io::Result<()> = client.wait_connected().await;
    let _: io::Result<AsyncUdpNetworkClient<P>> =
        AsyncUdpNetworkClient::connect("localhost:1", protocol.clone()).await;
    let _: io::Result<AsyncUdpNetworkClient<P>> =
        AsyncUdpNetworkClient::from_socket(socket, protocol);
    let _: (bool, bool) = (client.is_connected(), client.is_closing());
    let _: Result<(), SendError> = client.send_packet(packet.borrow()).await;
    let _: Result<usize, SendPacketsError> = client.send_packets([packet.borrow()]).await;
    let _: Result<P::Received, RecvError> = client.recv_packet().await;
    let mut packets = client.iter_received_packets(Duration::ZERO);
    let _: Option<Result<P::Received, RecvError>> = packets.next().await;
    client.sink().send(packet).await?;
    let _: (io::Result<SocketAddr>, io::Result<SocketAddr>) =
        (client.local_address(), client.remote_address());
    let _: io::Result<SocketProxy<'_>> = client.socket();
    let _: Stats = client.clone().stats();
    client.close().await;
    Ok(())
}

#[test]
fn unit_protocols_are_values() {
    let _: (Raw, Raw, Line) = (Raw, Raw::new(), Line::new());
}
