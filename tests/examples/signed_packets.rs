//! Signs JSON packets with HMAC-SHA256; what is not signed with the same key is refused.
//!
//! Without arguments it talks to an echo peer of its own on loopback, which forges the second reply.
//! `--to HOST:PORT KEY` talks to a peer of yours, which should answer each datagram with one; the key
//! is 32 bytes in URL-safe base64.

use std::{env, error::Error, io, net::UdpSocket, thread, time::Duration};

use datagram_driver_mio::{RecvError, UdpNetworkClient};
use datagram_protocol_core::{
    base64::{Base64, Key},
    json::Json,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
struct Order {
    account: u32,
    amount: i64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments = env::args().skip(1).collect::<Vec<_>>();
    let (address, key) = match &arguments[..] {
        [] => (start_forging_peer()?, Key::generate()?),
        [flag, address, key] if flag == "--to" => (address.clone(), Key::from_base64(key)?),
        _ => return Err("usage: signed_packets [--to HOST:PORT KEY]".into()),
    };
    let protocol = Base64::new(Json::<Order, Order>::new()).key(&key);

    let client = UdpNetworkClient::connect(address, protocol)?;
    for amount in [100, 200, 300] {
        let order = Order { account: 7, amount };
        client.send_packet(&order)?;
        match client.recv_packet_timeout(Duration::from_secs(1)) {
            Ok(reply) => println!("genuine  {reply:?}"),
            Err(RecvError::Parse(error)) => println!("refused  {:?}", error.datagram()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Echoes every datagram, and swaps two characters in the second.
fn start_forging_peer() -> io::Result<String> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 65_535];
        for number in 1.. {
            let (len, source) = socket.recv_from(&mut buffer)?;
            if number == 2 {
                buffer.swap(8, 9);
            }
            socket.send_to(&buffer[..len], source)?;
        }
        Ok(())
    });
    Ok(address)
}
