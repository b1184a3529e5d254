//! DNS against dnsmasq. Packets are the messages of `hickory-proto`.

use bytes::BytesMut;
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, Raw, SerializeError,
};
use datagram_tests::{Client, Driver};
use hickory_proto::{
    op::{Edns, Message, MessageType, Query, ResponseCode},
    rr::{Name, RecordType},
};

use crate::process::Process;

pub(crate) fn looks_up_records_of_many_types<D: Driver>() {
    let (_server, client) = connected::<D>();
    let records: &[(&str, RecordType, &[&str])] = &[
        ("host.example.test.", RecordType::A, &["192.0.2.1"]),
        ("host.example.test.", RecordType::AAAA, &["2001:db8::1"]),
        (
            "multi.example.test.",
            RecordType::A,
            &["192.0.2.11", "192.0.2.12", "192.0.2.13"],
        ),
        (
            "alias.example.test.",
            RecordType::A,
            &["192.0.2.1", "host.example.test."],
        ),
        ("txt.example.test.", RecordType::TXT, &["hello world"]),
        ("example.test.", RecordType::MX, &["10 mail.example.test."]),
        (
            "_sip._udp.example.test.",
            RecordType::SRV,
            &[
                "10 20 5060 host.example.test.",
                "20 0 5061 v4.example.test.",
            ],
        ),
        (
            "1.2.0.192.in-addr.arpa.",
            RecordType::PTR,
            &["host.example.test."],
        ),
    ];
    for &(name, record_type, expected) in records {
        let query = query(name, record_type);

        client.send_packet(&query).unwrap();
        let answer = client.recv();

        assert_eq!(answer.metadata.id, query.metadata.id);
        assert_eq!(answer.metadata.message_type, MessageType::Response);
        assert_eq!(answer.queries, query.queries);
        let mut data: Vec<String> = answer
            .answers
            .iter()
            .map(|record| record.data.to_string())
            .collect();
        data.sort();
        assert_eq!(data, expected, "{name} {record_type}");
    }
}

pub(crate) fn tells_failures_apart<D: Driver>() {
    let (_server, client) = connected::<D>();
    let outcomes = [
        ("nothing.example.test.", ResponseCode::NXDomain),
        ("elsewhere.test.", ResponseCode::Refused),
        ("v6.example.test.", ResponseCode::NoError),
    ];
    let queries = outcomes.map(|(name, _)| query(name, RecordType::A));

    assert_eq!(client.send_packets(&queries).unwrap(), queries.len());
    for ((name, code), query) in outcomes.into_iter().zip(&queries) {
        let answer = client.recv();
        assert_eq!(answer.metadata.id, query.metadata.id, "{name}");
        assert_eq!(answer.metadata.response_code, code, "{name}");
        assert!(answer.answers.is_empty(), "{name}");
    }
}

pub(crate) fn truncates_without_edns<D: Driver>() {
    let (_server, client) = connected::<D>();
    let short = query("big.example.test.", RecordType::TXT);
    let mut long = short.clone();
    let mut edns = Edns::new();
    edns.set_max_payload(4096);
    long.set_edns(edns);

    client.send_packet(&short).unwrap();
    let truncated = client.recv();
    client.send_packet(&long).unwrap();
    let whole = client.recv();

    assert!(truncated.metadata.truncation);
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 8);
}

/// The shortest message there is has only a header.
pub(crate) fn empty_message_is_answered<D: Driver>() {
    let (server, client) = connected::<D>();
    let raw = D::Client::connect(server.address(), Raw).unwrap();

    raw.send_packet(&[0; 12]).unwrap();
    let answer = raw.recv();
    let nothing = Message::query();
    client.send_packet(&nothing).unwrap();

    assert_eq!(&answer[..4], b"\0\0\x80\x85");
    assert_eq!(client.recv().metadata.id, nothing.metadata.id);
}

fn connected<D: Driver>() -> (Process, D::Client<Dns>) {
    let server = Process::script("start-dnsmasq.sh", &[0; 12]);
    let client = D::Client::connect(server.address(), Dns).unwrap();
    (server, client)
}

fn query(name: &str, record_type: RecordType) -> Message {
    let name = Name::from_ascii(name).unwrap();
    let mut message = Message::query();
    message.add_query(Query::query(name, record_type));
    message
}

#[derive(Debug, Clone, Copy)]
struct Dns;

impl DatagramProtocol for Dns {
    type Sent = Message;
    type Received = Message;

    fn make_datagram(
        &self,
        packet: &Message,
        datagram: &mut BytesMut,
    ) -> Result<(), SerializeError> {
        datagram.extend_from_slice(&packet.to_vec().map_err(SerializeError::new)?);
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Message, PacketError> {
        Message::from_vec(&datagram).map_err(|error| DeserializeError::new(error).into())
    }
}
