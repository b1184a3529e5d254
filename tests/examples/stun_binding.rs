//! Asks a STUN server for the address that it sees, as one does behind a NAT.
//!
//! Without arguments it asks a server of its own on loopback. `--to HOST:PORT` asks yours.

use std::{env, error::Error, io, net::UdpSocket, thread, time::Duration};

use bytecodec::{DecodeExt, EncodeExt};
use bytes::BytesMut;
use datagram_driver_mio::UdpNetworkClient;
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError,
};
use stun_codec::{
    Message, MessageClass, MessageDecoder, MessageEncoder, TransactionId,
    rfc5389::{Attribute, attributes::XorMappedAddress, methods::BINDING},
};

type Packet = Message<Attribute>;

/// One STUN message a datagram.
#[derive(Debug)]
struct Stun;

impl DatagramProtocol for Stun {
    type Sent = Packet;
    type Received = Packet;

    fn make_datagram(&self, packet: &Packet, to: &mut BytesMut) -> Result<(), SerializeError> {
        let bytes = MessageEncoder::new().encode_into_bytes(packet.clone());
        to.extend_from_slice(&bytes.map_err(SerializeError::new)?);
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Packet, PacketError> {
        let message = MessageDecoder::new().decode_from_bytes(&datagram);
        let message = message.map_err(DeserializeError::new)?;
        message.map_err(|broken| DeserializeError::new(bytecodec::Error::from(broken)).into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let server = match &arguments[..] {
        [] => start_server()?,
        [flag, address] if flag == "--to" => address.clone(),
        _ => return Err("usage: stun_binding [--to HOST:PORT]".into()),
    };
    // A real client draws these bytes at random, so that nobody can guess them.
    let id = TransactionId::new(*b"not a secret");

    let client = UdpNetworkClient::connect(server, Stun)?;
    client.send_packet(&Message::new(MessageClass::Request, BINDING, id))?;
    let response = client.recv_packet_timeout(Duration::from_secs(3))?;

    if response.transaction_id() != id {
        return Err("an answer to somebody else's request".into());
    }
    let mapped: &XorMappedAddress = response.get_attribute().ok_or("no address")?;
    let local_address = client.local_address()?;
    println!("{local_address} is seen as {}", mapped.address());
    Ok(())
}

fn start_server() -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    thread::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut buffer = [0; 1500];
        let (len, source) = socket.recv_from(&mut buffer)?;
        let request = Stun.build_packet_from_datagram(buffer[..len].into())?;
        let id = request.transaction_id();
        let mut response = Message::new(MessageClass::SuccessResponse, BINDING, id);
        response.add_attribute(XorMappedAddress::new(source));
        let mut datagram = BytesMut::new();
        Stun.make_datagram(&response, &mut datagram)?;
        socket.send_to(&datagram, source)?;
        Ok(())
    });
    Ok(address)
}
