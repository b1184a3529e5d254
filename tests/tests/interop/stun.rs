//! STUN against coturn. Packets are the messages of `stun_codec`.

use bytecodec::{DecodeExt, EncodeExt};
use bytes::BytesMut;
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError,
};
use datagram_tests::{Client, Driver};
use stun_codec::{
    Message, MessageClass, MessageDecoder, MessageEncoder, TransactionId,
    rfc5389::{
        Attribute,
        attributes::{
            ErrorCode, Fingerprint, MappedAddress, Software, UnknownAttributes, XorMappedAddress,
        },
        methods::BINDING,
    },
};

use crate::process::Process;

pub(crate) fn learns_its_own_address<D: Driver>() {
    let (_server, client) = connected::<D>();
    let local_address = client.local_address().unwrap();

    for id in 0..3 {
        client.send_packet(&request(id)).unwrap();
        let response = client.recv();

        assert_eq!(response.class(), MessageClass::SuccessResponse);
        assert_eq!(response.transaction_id(), request(id).transaction_id());
        let mapped: &XorMappedAddress = response.get_attribute().unwrap();
        assert_eq!(mapped.address(), local_address);
        let mapped: &MappedAddress = response.get_attribute().unwrap();
        assert_eq!(mapped.address(), local_address);
        let software: &Software = response.get_attribute().unwrap();
        assert!(software.description().starts_with("Coturn"));
    }
}

pub(crate) fn fingerprints_are_answered<D: Driver>() {
    let (_server, client) = connected::<D>();
    let mut with_fingerprint = request(1);
    let fingerprint = Fingerprint::new(&with_fingerprint).unwrap();
    with_fingerprint.add_attribute(fingerprint);

    client.send_packet(&with_fingerprint).unwrap();
    let response = client.recv();

    assert!(response.get_attribute::<Fingerprint>().is_some());
}

pub(crate) fn unknown_attribute_is_an_error_response<D: Driver>() {
    let (_server, client) = connected::<D>();
    let mut odd = request(1);
    // Requests have no business with it, and coturn wants to understand it.
    odd.add_attribute(UnknownAttributes::new(Vec::new()));

    client.send_packet(&odd).unwrap();
    let response = client.recv();

    assert_eq!(response.class(), MessageClass::ErrorResponse);
    let error: &ErrorCode = response.get_attribute().unwrap();
    assert_eq!(error.code(), 420);
}

fn connected<D: Driver>() -> (Process, D::Client<Stun>) {
    let probe = b"\x00\x01\x00\x00\x21\x12\xa4\x42a probe only";
    let server = Process::script("start-stun.sh", probe);
    let client = D::Client::connect(server.address(), Stun).unwrap();
    (server, client)
}

fn request(id: u8) -> Message<Attribute> {
    Message::new(MessageClass::Request, BINDING, TransactionId::new([id; 12]))
}

#[derive(Debug, Clone, Copy)]
struct Stun;

impl DatagramProtocol for Stun {
    type Sent = Message<Attribute>;
    type Received = Message<Attribute>;

    fn make_datagram(
        &self,
        packet: &Message<Attribute>,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        let bytes = MessageEncoder::new()
            .encode_into_bytes(packet.clone())
            .map_err(SerializeError::new)?;
        datagram.extend_from_slice(&bytes);
        Ok(())
    }

    fn build_packet_from_datagram(
        &self,
        datagram: Datagram<'_>,
    ) -> Result<Message<Attribute>, PacketError> {
        let broken = |error: bytecodec::Error| DeserializeError::new(error);
        let message = MessageDecoder::new()
            .decode_from_bytes(&datagram)
            .map_err(broken)?
            .map_err(|message| broken(message.into()))?;
        Ok(message)
    }
}
