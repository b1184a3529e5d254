//! Runs one case and judges what comes out.
//!
//! A case passes only if it behaves as recorded. What does not may still be a deviation that the
//! description of the vectors allows to another language: then it does not apply, for a reason that
//! follows from the traits, the config and the packet, never from the name of the case.

use std::error::Error;

use bytes::BytesMut;
use datagram_protocol_core::{DatagramProtocol, PacketError};

use crate::{
    layouts::STATIC_TYPE,
    protocols::{self, DynProtocol},
    value::{Value, unhex},
};

pub(crate) enum Verdict {
    Passed,
    NotApplicable(String),
    Failed(String),
}

/// How a case came out otherwise than recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deviation {
    /// We refuse the datagram.
    Refused,
    /// We make another packet of it.
    OtherPacket,
    /// We take a datagram that is recorded as invalid.
    Accepted,
    /// We refuse to send the packet.
    Unsent,
    /// We send other bytes, or bytes for a packet that is recorded as unencodable.
    OtherBytes,
}

use Deviation::{Accepted, OtherBytes, OtherPacket, Refused, Unsent};

/// Which deviations each trait of the vectors excuses, and what our reason is.
const EXCUSES: &[(&str, &[Deviation], &str)] = &[
    (
        "big-int",
        &[Refused, OtherPacket, Unsent, OtherBytes],
        "integers end at 64 bits (CBOR: 128); beyond, JSON has floats",
    ),
    ("bomb", &[Refused], "the decompressed size has a limit"),
    (
        "bz2-randomised",
        &[Refused],
        "randomised blocks are obsolete",
    ),
    (
        "cbor-canonical-order",
        &[OtherBytes],
        "keys keep the order of the packet",
    ),
    (
        "cbor-malformed-accepted",
        &[Refused],
        "malformed, so refused",
    ),
    (
        "cbor-semantic",
        &[Refused, OtherPacket, Accepted, Unsent, OtherBytes],
        "tags stay tags, and simple values have no meaning in serde",
    ),
    (
        "cbor-sharing",
        &[Refused, OtherPacket, Accepted, Unsent, OtherBytes],
        "shared references stay tags",
    ),
    (
        "cbor2-version",
        &[Refused, OtherPacket, Accepted, Unsent, OtherBytes],
        "versions of cbor2 differ",
    ),
    ("deep-nesting", &[Refused], "nesting ends at 128 levels"),
    (
        "duplicate-key",
        &[Refused, OtherPacket],
        "keys of different types are different keys",
    ),
    (
        "float-overflow",
        &[Refused],
        "a number too large for a float is an error",
    ),
    ("json-minus-zero", &[OtherPacket], "-0 is the float -0.0"),
    ("lenient-base64", &[Refused], "base64 is read strictly"),
    (
        "lone-surrogate",
        &[Refused, Unsent],
        "lone surrogates are no text",
    ),
    (
        "msgpack-ext",
        &[Refused, OtherPacket, Accepted, Unsent, OtherBytes],
        "timestamps and negative codes stay extensions",
    ),
    (
        "non-string-key",
        &[Refused, Accepted, Unsent],
        "the type of the packet says which keys there are",
    ),
    (
        "python-codec",
        &[Refused, OtherPacket, Accepted, Unsent, OtherBytes],
        "charsets are ASCII and UTF-8",
    ),
    (
        "struct-noncanonical",
        &[Refused, OtherPacket],
        "a bool is 0 or 1",
    ),
    (
        "unicode-errors",
        &[Refused, OtherPacket, Accepted, Unsent, OtherBytes],
        "malformed text is always an error",
    ),
];

pub(crate) fn judge(section: &str, case: &Value) -> Verdict {
    let case = Case::new(case);
    let protocols = protocols::build(&case.config).and_then(|protocol| {
        Ok((
            protocol,
            protocols::build(&protocols::sending(&case.config))?,
        ))
    });
    let (protocol, sender) = match protocols {
        Ok(protocols) => protocols,
        Err(reason) => return Verdict::NotApplicable(reason),
    };
    let outcome = match section {
        "cases" => case.check_good(&protocol, &sender),
        "invalid" => case.check_invalid(&protocol),
        "crashes" => case.check_crash(&protocol),
        "unencodable" => case.check_unencodable(&sender),
        _ => Err(Failure::Broken(format!("unknown section {section}"))),
    };
    match outcome {
        Ok(()) => Verdict::Passed,
        Err(Failure::Inexpressible(reason)) => Verdict::NotApplicable(reason),
        Err(Failure::Broken(what)) => Verdict::Failed(what),
        Err(Failure::Deviates(deviation, what)) => match case.excuse(deviation) {
            Some(reason) => Verdict::NotApplicable(reason),
            None => Verdict::Failed(format!("{deviation:?}: {what}")),
        },
    }
}

enum Failure {
    /// No Rust program could try this.
    Inexpressible(String),
    /// Not as recorded; may be excused.
    Deviates(Deviation, String),
    /// Never excused.
    Broken(String),
}

struct Case<'c> {
    case: &'c Value,
    config: Value,
    packet: Option<Value>,
    /// The packet with CBOR's tags left as they are.
    untyped: Option<Value>,
    datagram: Vec<u8>,
}

impl<'c> Case<'c> {
    fn new(case: &'c Value) -> Self {
        let packet = |key| case.get(key).map(|packet| packet.clone().interpret());
        Self {
            case,
            config: case.get("config").cloned().unwrap_or(Value::Null),
            packet: packet("packet"),
            untyped: packet("packet_untyped"),
            datagram: unhex(case.text("datagram_hex")),
        }
    }

    fn check_good(&self, protocol: &DynProtocol, sender: &DynProtocol) -> Result<(), Failure> {
        let direction = self.case.text("direction");
        if direction != "encode-only" {
            self.check_decode(protocol, &self.datagram)?;
        }
        if direction != "decode-only" {
            self.check_encode(sender)?;
        }
        Ok(())
    }

    fn check_decode(&self, protocol: &DynProtocol, datagram: &[u8]) -> Result<(), Failure> {
        let packet = decode(protocol, datagram)
            .map_err(|error| Failure::Deviates(Refused, describe(&error)))?;
        let expected = [&self.packet, &self.untyped];
        if !expected
            .into_iter()
            .flatten()
            .any(|expected| *expected == packet)
        {
            return Err(Failure::Deviates(OtherPacket, brief(&packet)));
        }
        Ok(())
    }

    fn check_encode(&self, sender: &DynProtocol) -> Result<(), Failure> {
        let packet = self.sendable()?;
        let datagram = encode(sender, packet).map_err(|error| match error {
            error if error.contains(STATIC_TYPE) => Failure::Inexpressible(error),
            error => Failure::Deviates(Unsent, error),
        })?;
        if self.case.text("compare") != "value" {
            let floats = |value: &Value| matches!(value, Value::Float(_));
            let means_the_same = || decode(sender, &datagram).ok().as_ref() == Some(packet);
            return if datagram == self.datagram {
                Ok(())
            } else if innermost(&self.config) == "cbor" && packet.any(&floats) && means_the_same() {
                Err(Failure::Inexpressible(
                    "floats are as short as is exact".to_owned(),
                ))
            } else {
                Err(Failure::Deviates(
                    OtherBytes,
                    brief(&Value::Bytes(datagram)),
                ))
            };
        }
        // Other bytes, but they must mean the same, to EasyNetwork's reader as to ours.
        let below_converter = protocols::build_serializer(&protocols::sending(&self.config), false)
            .map_err(Failure::Broken)?;
        let meanings =
            [&datagram, &self.datagram].map(|bytes| decode(&below_converter, bytes).ok());
        if meanings[0].is_none() || meanings[0] != meanings[1] {
            return Err(Failure::Broken(format!("{meanings:?}")));
        }
        match self.case.text("direction") {
            "both" => self.check_decode(sender, &datagram),
            _ => Ok(()),
        }
    }

    fn check_invalid(&self, protocol: &DynProtocol) -> Result<(), Failure> {
        let expected = self.case.text("error");
        match decode(protocol, &self.datagram) {
            Ok(packet) => Err(Failure::Deviates(Accepted, brief(&packet))),
            Err(error) => {
                let kind = match &error {
                    PacketError::Conversion(_) => "PacketConversionError",
                    _ => "DeserializeError",
                };
                let told = error
                    .source()
                    .is_some_and(|cause| !cause.to_string().is_empty());
                // What a converter says is fixed; what a serializer says is not.
                let message = self.case.text("message");
                let wording = kind != "PacketConversionError" || describe(&error) == message;
                if (kind, expected) == ("PacketConversionError", "DeserializeError") {
                    // The serializer has taken what EasyNetwork's refuses.
                    return Err(Failure::Deviates(Accepted, describe(&error)));
                }
                if kind != expected || !told || !wording {
                    let what = format!("{kind}, {} instead of {message}", describe(&error));
                    return Err(Failure::Broken(what));
                }
                Ok(())
            }
        }
    }

    /// Not crashing is enough.
    fn check_crash(&self, protocol: &DynProtocol) -> Result<(), Failure> {
        match decode(protocol, &self.datagram) {
            Err(PacketError::Conversion(error)) => Err(Failure::Broken(describe(&error))),
            _ => Ok(()),
        }
    }

    fn check_unencodable(&self, sender: &DynProtocol) -> Result<(), Failure> {
        match encode(sender, self.sendable()?) {
            Err(error) if error.contains(STATIC_TYPE) => Err(Failure::Inexpressible(error)),
            Err(_) => Ok(()),
            Ok(datagram) => Err(Failure::Deviates(
                OtherBytes,
                brief(&Value::Bytes(datagram)),
            )),
        }
    }

    /// The packet, if Rust has a value for it that its format can hold.
    fn sendable(&self) -> Result<&Value, Failure> {
        let foreign = |value: &Value| matches!(value, Value::Foreign(_));
        let candidates = [&self.packet, &self.untyped];
        let packet = candidates
            .into_iter()
            .flatten()
            .find(|packet| !packet.any(&foreign))
            .ok_or_else(|| {
                let mut form = String::new();
                if let Some(packet) = &self.packet {
                    form = format!("{packet:?}");
                    form.truncate(60);
                }
                Failure::Inexpressible(format!("there is no such value to send in Rust: {form}"))
            })?;
        let config = protocols::sending(&self.config);
        let unknown = |value: &Value| match (innermost(&config), value) {
            ("json", Value::Bytes(_) | Value::Tag(..) | Value::Ext(..)) => true,
            ("json", Value::Map(pairs)) => pairs
                .iter()
                .any(|(key, _)| matches!(key, Value::Array(_) | Value::Map(_))),
            ("msgpack", Value::Int(number)) => {
                !(i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(number)
            }
            ("cbor", Value::Ext(..)) | ("msgpack", Value::Tag(..)) => true,
            _ => false,
        };
        if packet.any(&unknown) {
            let reason = format!("no type for {} holds such a value", innermost(&config));
            return Err(Failure::Inexpressible(reason));
        }
        Ok(packet)
    }

    fn excuse(&self, deviation: Deviation) -> Option<String> {
        let options = protocols::missing_options(&self.config, false);
        if !options.is_empty() {
            return Some(format!(
                "options that are not offered: {}",
                options.join(", ")
            ));
        }
        // Numbers beyond finite ones are no JSON; to send something else for them would be wrong.
        let json = innermost(&self.config) == "json";
        if self.has_trait("nan-inf") && json && matches!(deviation, Refused | Unsent) {
            return Some("NaN and infinities are no JSON".to_owned());
        }
        EXCUSES
            .iter()
            .find(|(name, excused, _)| self.has_trait(name) && excused.contains(&deviation))
            .map(|(.., reason)| (*reason).to_owned())
    }

    fn has_trait(&self, name: &str) -> bool {
        let traits = self.case.get("traits").and_then(Value::as_array);
        traits
            .unwrap_or_default()
            .iter()
            .any(|other| other.as_text() == Some(name))
    }
}

impl Value {
    /// The text of a key, or nothing.
    fn text(&self, key: &str) -> &str {
        self.get(key).and_then(Self::as_text).unwrap_or_default()
    }
}

/// The name of the serializer inside all wrappers.
fn innermost(config: &Value) -> &str {
    match config.get("inner").or_else(|| config.get("received")) {
        Some(inner) => innermost(inner),
        None => config.text("serializer"),
    }
}

fn decode(protocol: &DynProtocol, datagram: &[u8]) -> Result<Value, PacketError> {
    protocol.build_packet_from_datagram(datagram.into())
}

/// Encodes behind other bytes, so that each case also shows that these are left alone.
fn encode(protocol: &DynProtocol, packet: &Value) -> Result<Vec<u8>, String> {
    let mut datagram = BytesMut::from(&b"before"[..]);
    let result = protocol.make_datagram(packet, &mut datagram);
    assert!(datagram.starts_with(b"before"), "changed what was there");
    result.map_err(|error| describe(&error))?;
    Ok(datagram[b"before".len()..].to_vec())
}

/// The innermost cause.
fn describe(error: &dyn Error) -> String {
    error.source().map_or_else(|| error.to_string(), describe)
}

fn brief(value: &Value) -> String {
    let text = match value {
        Value::Bytes(bytes) => format!("{bytes:02x?}"),
        other => format!("{other:?}"),
    };
    text.chars().take(200).collect()
}
