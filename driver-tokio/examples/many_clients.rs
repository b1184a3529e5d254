//! A thousand clients, each a task of its own, against one echo peer. UDP loses datagrams, here when
//! the peer's receive buffer overflows, so each request is repeated until its answer arrives.

use std::{
    env,
    error::Error,
    time::{Duration, Instant},
};

use datagram_driver_tokio::AsyncUdpNetworkClient;
use datagram_protocol_core::json::Json;
use tokio::{net::UdpSocket, task::JoinSet, time::timeout};

const REQUESTS: u32 = 10;
const PATIENCE: Duration = Duration::from_millis(200);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let clients = env::args().nth(1).map_or(Ok(1000), |count| count.parse())?;
    let peer = UdpSocket::bind("127.0.0.1:0").await?;
    let address = peer.local_addr()?;
    tokio::spawn(async move {
        let mut buffer = [0; 1000];
        while let Ok((len, source)) = peer.recv_from(&mut buffer).await {
            if peer.send_to(&buffer[..len], source).await.is_err() {
                break;
            }
        }
    });

    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for id in 0..clients {
        tasks.spawn(async move {
            // The first send connects.
            let client = AsyncUdpNetworkClient::new(address, Json::<[u32; 2]>::new());
            let mut tries = 0;
            for number in 0..REQUESTS {
                let request = [id, number];
                let mut answer = None;
                while answer != Some(request) {
                    client.send_packet(&request).await?;
                    tries += 1;
                    answer = match timeout(PATIENCE, client.recv_packet()).await {
                        Ok(packet) => Some(packet?),
                        Err(_elapsed) => None,
                    };
                }
            }
            Ok::<_, Box<dyn Error + Send + Sync>>(tries)
        });
    }
    let mut tries = 0;
    while let Some(task) = tasks.join_next().await {
        tries += task?.map_err(|error| error as Box<dyn Error>)?;
    }
    let answers = clients * REQUESTS;
    println!(
        "{answers} answers to {tries} requests in {:?}",
        start.elapsed()
    );
    Ok(())
}
