//! Asks a DNS server and prints the answers like `dig +short`.
//!
//! Without arguments it asks a server of its own on loopback. `--to HOST:PORT NAME [TYPE]` asks yours.

use std::{env, error::Error, io, net::UdpSocket, thread, time::Duration};

use bytes::BytesMut;
use datagram_driver_mio::{RecvError, UdpNetworkClient};
use datagram_protocol_core::{
    Datagram, DatagramProtocol, DeserializeError, PacketError, SerializeError,
};
use hickory_proto::{
    op::{Message, Query},
    rr::{Name, RData, Record, rdata::A},
};

/// One DNS message a datagram.
#[derive(Debug)]
struct Dns;

impl DatagramProtocol for Dns {
    type Sent = Message;
    type Received = Message;

    fn make_datagram(&self, packet: &Message, to: &mut BytesMut) -> Result<(), SerializeError> {
        to.extend_from_slice(&packet.to_vec().map_err(SerializeError::new)?);
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Message, PacketError> {
        Message::from_vec(&datagram).map_err(|error| DeserializeError::new(error).into())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    let (server, name, record_type) = match arguments[..] {
        [] => (start_server()?, "host.example.test", "A"),
        ["--to", server, name] => (server.to_owned(), name, "A"),
        ["--to", server, name, record_type] => (server.to_owned(), name, record_type),
        _ => return Err("usage: dns_lookup [--to HOST:PORT NAME [TYPE]]".into()),
    };
    let mut query = Message::query();
    query.metadata.recursion_desired = true;
    query.add_query(Query::query(Name::from_ascii(name)?, record_type.parse()?));

    let client = UdpNetworkClient::connect(server, Dns)?;
    for _attempt in 0..3 {
        client.send_packet(&query)?;
        match client.recv_packet_timeout(Duration::from_secs(1)) {
            Ok(answer) if answer.metadata.id == query.metadata.id => {
                for record in answer.answers {
                    println!("{}", record.data);
                }
                return Ok(());
            }
            Ok(_) | Err(RecvError::TimedOut | RecvError::Parse(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err("no answer".into())
}

/// Knows one address for every name.
fn start_server() -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    thread::spawn(move || -> Result<(), Box<dyn Error + Send + Sync>> {
        let mut buffer = [0; 512];
        let (len, source) = socket.recv_from(&mut buffer)?;
        let mut message = Message::from_vec(&buffer[..len])?.into_response();
        let name = message.queries[0].name().clone();
        message.add_answer(Record::from_rdata(name, 60, RData::A(A::new(192, 0, 2, 1))));
        socket.send_to(&message.to_vec()?, source)?;
        Ok(())
    });
    Ok(address)
}
