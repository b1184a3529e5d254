//! Sends typed JSON packets to a UDP peer and prints what comes back.
//!
//! Without arguments it talks to an echo peer of its own on loopback, which also shows a timeout and
//! an invalid datagram. `--to HOST:PORT` talks to a peer of yours, which should answer each datagram
//! with one.

use std::{env, error::Error, io, iter, net::UdpSocket, thread, time::Duration};

use datagram_driver_mio::{RecvError, UdpNetworkClient};
use datagram_protocol_core::json::Json;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Message {
    id: u32,
    text: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let address = match &arguments[..] {
        [] => start_echo_peer()?,
        [flag, address] if flag == "--to" => address.clone(),
        _ => return Err("usage: quickstart [--to HOST:PORT]".into()),
    };

    let client = UdpNetworkClient::connect(address, Json::<Message, Message>::new())?;
    println!(
        "{} talks to {}",
        client.local_address()?,
        client.remote_address()?
    );

    for (id, text) in (1..).zip(["hello", "are you there?", "garbage, please", "goodbye"]) {
        let text = text.to_owned();
        let message = Message { id, text };
        client.send_packet(&message)?;
        println!("sent      {message:?}");
        match client.recv_packet_timeout(Duration::from_secs(1)) {
            Ok(reply) => println!("received  {reply:?}"),
            Err(RecvError::TimedOut) => println!("nothing   within a second"),
            Err(RecvError::Parse(error)) => {
                println!("garbage   {:?}: {}", error.datagram(), cause_of(&error));
            }
            Err(error) => return Err(error.into()),
        }
    }

    client.close();
    println!("{:?}", client.stats());
    Ok(())
}

fn cause_of(error: &dyn Error) -> String {
    let causes = iter::successors(Some(error), |error| (*error).source());
    causes
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Echoes every datagram, but ignores a question and answers a request for garbage with garbage.
fn start_echo_peer() -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 65_535];
        loop {
            let (len, source) = socket.recv_from(&mut buffer)?;
            let text = String::from_utf8_lossy(&buffer[..len]);
            if text.contains("garbage") {
                socket.send_to(b"{ not JSON", source)?;
            } else if !text.contains('?') {
                socket.send_to(&buffer[..len], source)?;
            }
        }
    });
    Ok(address)
}
