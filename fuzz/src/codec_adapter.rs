//! Codecs of tokio-util as protocols: each datagram is one packet or one error, whatever the codec
//! makes of it, and no datagram changes what the next comes to.

use std::fmt::Debug;

use bytes::{Bytes, BytesMut};
use datagram_driver_tokio::Codec;
use datagram_protocol_core::{DatagramClientState, DatagramProtocol};
use tokio_util::codec::{
    AnyDelimiterCodec, BytesCodec, Decoder, Encoder, LengthDelimitedCodec, LinesCodec,
};

/// What a frame may have, where the codec has a limit: as much as the longest datagram.
const MAX_FRAME: usize = 65_507;

/// Parses the datagram behind the first byte, which names the codec.
pub fn codec_adapter(data: &[u8]) {
    let Some((codec, datagram)) = data.split_first() else {
        return;
    };
    match codec % 4 {
        0 => check::<_, String>(LinesCodec::new_with_max_length(64), "fine".into(), datagram),
        1 => check::<_, Bytes>(
            LengthDelimitedCodec::builder()
                .max_frame_length(MAX_FRAME)
                .new_codec(),
            Bytes::from_static(b"fine"),
            datagram,
        ),
        2 => check::<_, Bytes>(BytesCodec::new(), Bytes::from_static(b"fine"), datagram),
        _ => check::<_, String>(
            AnyDelimiterCodec::new(b",;".to_vec(), b";".to_vec()),
            "fine".into(),
            datagram,
        ),
    }
}

fn check<C, Sent>(codec: C, fine: Sent, datagram: &[u8])
where
    C: Clone + Send + Sync + 'static,
    C: Decoder<Item: AsRef<[u8]> + Debug, Error: std::error::Error + Send + Sync + 'static>,
    C: Encoder<Sent, Error: std::error::Error + Send + Sync + 'static>,
    Sent: Clone + AsRef<[u8]> + Debug + 'static,
{
    let protocol = Codec::new(codec.clone()).sending::<Sent>();
    let mut good = BytesMut::new();
    protocol
        .make_datagram(&fine, &mut good)
        .expect("it is short");
    let good = good.freeze();
    let peer = "192.0.2.1:7".parse().expect("an address");
    let mut client = DatagramClientState::new(protocol, peer);

    client.handle_datagram(peer, good.clone());
    client.handle_datagram(peer, Bytes::copy_from_slice(datagram));
    client.handle_datagram(peer, good.clone());
    let mut results = std::iter::from_fn(|| client.poll_packet());
    let mut next = || results.next().expect("each datagram is one result");
    let (before, result, after) = (next(), next(), next());
    assert!(results.next().is_none());

    for packet in [before, after] {
        let packet = packet.expect("it is as it was sent");
        assert_eq!(packet.as_ref(), fine.as_ref());
    }
    let mut rest = BytesMut::from(datagram);
    let expected = match codec.clone().decode_eof(&mut rest) {
        Ok(Some(frame)) if rest.is_empty() => Some(frame),
        _ => None,
    };
    match (result, expected) {
        (Ok(packet), Some(expected)) => assert_eq!(packet.as_ref(), expected.as_ref()),
        (Err(error), None) => assert_eq!(error.datagram(), datagram),
        (result, expected) => panic!("{result:?} instead of {expected:?}"),
    }

    client.send_packet(&fine).expect("there is room");
    client.send_packet(&fine).expect("there is room");
    let transmit = client.poll_transmit(2).expect("two are queued");
    assert!(transmit.datagrams().eq([&good[..], &good]));
}
