//! Socket options: before connecting through `ConnectOptions`, afterwards through the socket proxy.

use std::{error::Error, net::UdpSocket};

use datagram_driver_mio::{AddressFamily, ConnectOptions, UdpNetworkClient};
use datagram_protocol_core::{ClientConfig, Line};

fn main() -> Result<(), Box<dyn Error>> {
    let peer = UdpSocket::bind("127.0.0.1:0")?;

    let options = ConnectOptions::new()
        .family(AddressFamily::V4)
        .local_address("127.0.0.1:0".parse()?)
        .recv_buffer_size(1 << 20)
        .dont_fragment(true)
        .client_config(ClientConfig::new().max_datagram_size(1200));
    let client = UdpNetworkClient::connect_with(peer.local_addr()?, Line::new(), &options)?;

    let socket = client.socket()?;
    println!(
        "receive buffer: {} bytes granted",
        socket.recv_buffer_size()?
    );
    println!("hops: {}", socket.ttl_v4()?);
    socket.set_ttl_v4(3)?;
    println!("hops: {}", socket.ttl_v4()?);

    match client.send_packet(&"too long".repeat(1000)) {
        Err(error) => println!("{error}"),
        Ok(()) => println!("8,000 bytes left"),
    }

    client.close();
    match socket.ttl_v4() {
        Err(error) => println!("{:?}: {error}", error.kind()),
        Ok(hops) => println!("hops: {hops}"),
    }
    Ok(())
}
