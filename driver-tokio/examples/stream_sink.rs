//! The client as a `Stream` and a `Sink`, with the combinators of the futures crates.

use std::{error::Error, time::Duration};

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::Line;
use futures_util::{SinkExt, StreamExt, TryStreamExt, future, stream};
use tokio::net::UdpSocket;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let peer = UdpSocket::bind("127.0.0.1:0").await?;
    let client = AsyncUdpNetworkClient::connect(peer.local_addr()?, Line::new()).await?;
    peer.connect(client.local_address()?).await?;
    tokio::spawn(async move {
        let mut buffer = [0; 1000];
        while let Ok(len) = peer.recv(&mut buffer).await {
            if peer.send(&buffer[..len]).await.is_err() {
                break;
            }
        }
    });

    // Everything that a stream yields goes into the sink, and leaves in as few system calls as the
    // system allows. The packets may be owned or borrowed.
    let mut sink = client.sink();
    let mut countdown = stream::iter((1..=10).rev()).map(|n| Ok(format!("{n:02} ...")));
    sink.send_all(&mut countdown).await?;
    sink.send("lift-off".to_owned()).await?;

    // What comes back is a stream of results. It ends after half a second of waiting.
    let lines = client
        .iter_received_packets(Duration::from_millis(500))
        .try_filter(|line| future::ready(!line.starts_with("07")))
        .map_ok(|line| line.to_uppercase())
        .try_collect::<Vec<_>>()
        .await?;
    println!("{lines:#?}");
    Ok(())
}
