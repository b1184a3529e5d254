//! Sends typed JSON packets to a UDP peer from a tokio task and prints what comes back.
//!
//! Without arguments it talks to an echo peer of its own on loopback, which also shows a timeout and
//! an invalid datagram. `--to HOST:PORT` talks to a peer of yours, which should answer each datagram
//! with one.

use std::{env, error::Error, io, time::Duration};

use datagram_driver_tokio::{AsyncUdpNetworkClient, RecvError};
use datagram_protocol_core::json::Json;
use serde::{Deserialize, Serialize};
use tokio::{net::UdpSocket, time::timeout};

#[derive(Debug, Serialize, Deserialize)]
struct Message {
    id: u32,
    text: String,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let address = match &arguments[..] {
        [] => start_echo_peer().await?,
        [flag, address] if flag == "--to" => address.clone(),
        _ => return Err("usage: async_quickstart [--to HOST:PORT]".into()),
    };

    let client = AsyncUdpNetworkClient::connect(address, Json::<Message, Message>::new()).await?;
    println!(
        "{} talks to {}",
        client.local_address()?,
        client.remote_address()?
    );

    for (id, text) in (1..).zip(["hello", "are you there?", "garbage, please", "goodbye"]) {
        let text = text.to_owned();
        let message = Message { id, text };
        client.send_packet(&message).await?;
        println!("sent      {message:?}");
        match timeout(Duration::from_secs(1), client.recv_packet()).await {
            Ok(Ok(reply)) => println!("received  {reply:?}"),
            Ok(Err(RecvError::Parse(error))) => {
                println!("garbage   {:?}: {:?}", error.datagram(), error.error());
            }
            Ok(Err(error)) => return Err(error.into()),
            Err(_elapsed) => println!("nothing   within a second"),
        }
    }

    println!("{:?}", client.stats());
    client.close().await;
    Ok(())
}

/// Echoes every datagram, but ignores a question and answers a request for garbage with garbage.
async fn start_echo_peer() -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0").await?;
    let address = socket.local_addr()?.to_string();
    tokio::spawn(async move {
        let mut buffer = [0; 65_535];
        while let Ok((len, source)) = socket.recv_from(&mut buffer).await {
            let text = String::from_utf8_lossy(&buffer[..len]);
            let is_garbage = text.contains("garbage");
            let reply = if is_garbage {
                b"{ not JSON"
            } else {
                &buffer[..len]
            };
            if !text.contains('?') && socket.send_to(reply, source).await.is_err() {
                break;
            }
        }
    });
    Ok(address)
}
