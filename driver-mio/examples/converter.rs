//! Business objects over JSON: a converter stands between the packets of the application and what
//! goes over the wire, and validates what comes in.

use std::{error::Error, io, net::UdpSocket, thread, time::Duration};

use datagram_driver_mio::{RecvError, UdpNetworkClient};
use datagram_protocol_core::{
    Converted, PacketConversionError, PacketConverter, PacketError, json::Json,
};
use serde::{Deserialize, Serialize};

/// What the program works with.
#[derive(Debug, PartialEq)]
struct Reading {
    sensor: u16,
    celsius: f64,
}

/// What goes over the wire: `{"sensor":"s7","centi":2150}`.
#[derive(Serialize, Deserialize)]
struct ReadingDto {
    sensor: String,
    centi: i64,
}

struct ReadingConverter;
impl PacketConverter for ReadingConverter {
    type Sent = Reading;
    type Received = Reading;
    type SentDto = ReadingDto;
    type ReceivedDto = ReadingDto;

    fn convert_to_dto_packet(&self, packet: &Reading) -> Result<ReadingDto, PacketConversionError> {
        Ok(ReadingDto {
            sensor: format!("s{}", packet.sensor),
            centi: (packet.celsius * 100.0).round() as i64,
        })
    }

    fn create_from_dto_packet(&self, dto: ReadingDto) -> Result<Reading, PacketConversionError> {
        let sensor = dto.sensor.strip_prefix('s').and_then(|id| id.parse().ok());
        if !(-27_315..=100_000).contains(&dto.centi) {
            return Err(PacketConversionError::new("below absolute zero, or molten"));
        }
        Ok(Reading {
            sensor: sensor.ok_or_else(|| PacketConversionError::new("not a sensor"))?,
            celsius: dto.centi as f64 / 100.0,
        })
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let peer = UdpSocket::bind("127.0.0.1:0")?;
    let timeout = Duration::from_secs(5);
    let protocol = Converted::new(Json::<ReadingDto, ReadingDto>::new(), ReadingConverter);
    let client = UdpNetworkClient::connect(peer.local_addr()?, protocol)?;
    let echo = thread::spawn(move || -> io::Result<()> {
        let mut buffer = [0; 1000];
        let (len, source) = peer.recv_from(&mut buffer)?;
        println!("on the wire: {}", String::from_utf8_lossy(&buffer[..len]));
        peer.send_to(&buffer[..len], source)?;
        peer.send_to(br#"{"sensor":"s7","centi":-30000}"#, source)?;
        Ok(())
    });

    let (sensor, celsius) = (7, 21.5);
    client.send_packet(&Reading { sensor, celsius })?;
    println!("received: {:?}", client.recv_packet_timeout(timeout)?);
    match client.recv_packet_timeout(timeout) {
        Err(RecvError::Parse(error)) => match error.error() {
            PacketError::Conversion(refusal) => println!("refused: {:?}", refusal.source()),
            other => println!("malformed: {other}"),
        },
        other => println!("unexpected: {other:?}"),
    }
    echo.join().expect("the peer does not panic")?;
    Ok(())
}
