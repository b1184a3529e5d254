//! From the config of a case to the protocol that it describes.

use bytes::BytesMut;
use datagram_protocol_core::{
    Converted, Datagram, DatagramProtocol, DeserializeError, FnConverter, Line, Newline,
    PacketConversionError, PacketError, SerializeError,
    base64::{Alphabet, Base64, Key},
    bzip2::Bzip2,
    cbor::Cbor,
    json::Json,
    msgpack::MsgPack,
    zlib::Zlib,
};

use crate::{
    converters, layouts,
    layouts::STATIC_TYPE,
    value::{TextKeys, Value},
};

pub(crate) type DynProtocol = Box<dyn DatagramProtocol<Sent = Value, Received = Value>>;

/// Makes the protocol, or says why Rust has none.
pub(crate) fn build(config: &Value) -> Result<DynProtocol, String> {
    let protocol = build_serializer(config, false)?;
    match config.get("converter").and_then(Value::as_text) {
        Some(name) => converters::convert(protocol, name)
            .ok_or_else(|| format!("the converter {name} was not written")),
        None => Ok(protocol),
    }
}

/// Makes the protocol without the converter in front of it.
pub(crate) fn build_serializer(config: &Value, wrapped: bool) -> Result<DynProtocol, String> {
    let text = |key| config.get(key).and_then(Value::as_text);
    let nested = |key| {
        config
            .get(key)
            .ok_or_else(|| format!("no {key} in a config"))
    };
    let inner = || build_serializer(nested("inner")?, true);
    let level = || config.get("level").and_then(Value::as_int);
    Ok(match text("serializer").unwrap_or_default() {
        "json" => Box::new(Json::<Value>::new()),
        "cbor" => Box::new(Cbor::<Value>::new()),
        "msgpack" => msgpack(config),
        "struct" => layouts::protocol(text("format").unwrap_or_default())?,
        "namedtuple_struct" => Box::new(NamedTuple::new(config)?),
        "line" => line(config, wrapped)?,
        "base64" => {
            let alphabet = match text("alphabet") {
                Some("standard") => Alphabet::Standard,
                _ => Alphabet::UrlSafe,
            };
            let base64 = Base64::new(inner()?).alphabet(alphabet);
            Box::new(match config.get("checksum") {
                Some(Value::Bool(true)) => base64.checksum(),
                Some(Value::Text(key)) => {
                    let key = Key::from_base64(key).map_err(|error| error.to_string())?;
                    base64.key(&key)
                }
                _ => base64,
            })
        }
        "zlib" => Box::new(Zlib::new(inner()?).level(level().unwrap_or(9) as u8)),
        "bz2" => Box::new(Bzip2::new(inner()?).level(level().unwrap_or(9) as u32)),
        "stapled" => Box::new(Stapled {
            sent: build_serializer(nested("sent")?, wrapped)?,
            received: build_serializer(nested("received")?, wrapped)?,
        }),
        other => return Err(format!("there is no serializer {other}")),
    })
}

/// The config of what is sent: one side of each stapled serializer.
pub(crate) fn sending(config: &Value) -> Value {
    if let Some(sent) = config.get("sent") {
        return sending(sent);
    }
    match config {
        Value::Map(pairs) => Value::Map(
            pairs
                .iter()
                .map(|(key, value)| (key.clone(), sending(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The options in a config (or one inside it) that our serializers do not have. Inside wrappers
/// there is a Latin-1.
pub(crate) fn missing_options(config: &Value, wrapped: bool) -> Vec<String> {
    let Value::Map(pairs) = config else {
        return Vec::new();
    };
    let mut missing = Vec::new();
    for (key, value) in pairs {
        let key = key.as_text().unwrap_or_default();
        match (key, value) {
            ("inner", inner) => missing.extend(missing_options(inner, true)),
            ("sent" | "received", side) => missing.extend(missing_options(side, wrapped)),
            ("encoder" | "decoder" | "packer" | "unpacker", Value::Map(options)) => {
                let names = options.iter().filter_map(|(name, _)| name.as_text());
                // What the first two ask for when off is what `Json` always does; the third says
                // what the type of the packet does.
                missing.extend(
                    names
                        .filter(|name| {
                            !matches!(*name, "ensure_ascii" | "allow_nan" | "strict_map_key")
                        })
                        .map(str::to_owned),
                );
            }
            ("unicode_errors", Value::Text(handler)) if handler != "strict" => {
                missing.push(format!("{key} {handler}"));
            }
            ("encoding", Value::Text(encoding)) if wrapped && encoding == "latin-1" => {}
            ("encoding", Value::Text(encoding)) if !matches!(&encoding[..], "utf-8" | "ascii") => {
                missing.push(format!("{key} {encoding}"));
            }
            _ => {}
        }
    }
    let json = config.get("serializer").and_then(Value::as_text) == Some("json");
    if json && config.get("encoding").and_then(Value::as_text) == Some("ascii") {
        missing.push("encoding ascii".to_owned());
    }
    missing
}

fn msgpack(config: &Value) -> DynProtocol {
    let unpacker = config.get("unpacker");
    let any_key = unpacker.and_then(|options| options.get("strict_map_key"));
    if any_key == Some(&Value::Bool(false)) {
        return Box::new(MsgPack::<Value>::new());
    }
    Box::new(Converted::new(
        MsgPack::<Value, TextKeys>::new(),
        FnConverter::new(
            |packet: &Value| Ok(packet.clone()),
            |packet: TextKeys| Ok(packet.0),
        ),
    ))
}

fn line(config: &Value, wrapped: bool) -> Result<DynProtocol, String> {
    let text = |key| config.get(key).and_then(Value::as_text);
    let newline = match text("newline") {
        Some("CR") => Newline::Cr,
        Some("CRLF") => Newline::CrLf,
        _ => Newline::Lf,
    };
    let line = Line::new()
        .newline(newline)
        .keep_end(config.get("keep_end") == Some(&Value::Bool(true)));
    let line = match text("encoding").unwrap_or("ascii") {
        "ascii" => line.ascii(true),
        "utf-8" => line,
        "latin-1" if wrapped => return Ok(Box::new(Latin1Line)),
        other => return Err(format!("the charset {other} is not offered")),
    };
    let converter = FnConverter::new(
        |packet: &Value| {
            let text = packet.as_text().map(str::to_owned);
            text.ok_or_else(|| PacketConversionError::new(STATIC_TYPE))
        },
        |text: String| Ok(Value::Text(text)),
    );
    Ok(Box::new(Converted::new(line, converter)))
}

/// Lines of Latin-1 that end with `\n`: what the vectors put inside wrappers to get at all bytes.
struct Latin1Line;

impl DatagramProtocol for Latin1Line {
    type Sent = Value;
    type Received = Value;

    fn make_datagram(&self, packet: &Value, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        let text = packet
            .as_text()
            .ok_or_else(|| SerializeError::new(STATIC_TYPE))?;
        let bytes = text
            .chars()
            .map(u8::try_from)
            .collect::<Result<Vec<_>, _>>();
        datagram.extend_from_slice(&bytes.map_err(SerializeError::new)?);
        Ok(())
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Value, PacketError> {
        let text: String = datagram.iter().copied().map(char::from).collect();
        Ok(Value::Text(text.trim_end_matches('\n').to_owned()))
    }
}

/// One protocol for each direction.
struct Stapled {
    sent: DynProtocol,
    received: DynProtocol,
}

impl DatagramProtocol for Stapled {
    type Sent = Value;
    type Received = Value;

    fn make_datagram(&self, packet: &Value, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        self.sent.make_datagram(packet, datagram)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Value, PacketError> {
        self.received.build_packet_from_datagram(datagram)
    }
}

/// Names for the fields of a layout, and text in its `s` fields: what an application does over
/// `Layout` whose fields are bytes.
struct NamedTuple {
    layout: DynProtocol,
    fields: Vec<Field>,
    strip_trailing_nul: bool,
}

struct Field {
    name: String,
    charset: Charset,
}

#[derive(Clone, Copy)]
enum Charset {
    /// Not text.
    None,
    Bytes,
    Ascii,
    Utf8,
}

impl NamedTuple {
    fn new(config: &Value) -> Result<Self, String> {
        let charset = match config.get("encoding") {
            None => Charset::Utf8,
            Some(Value::Null) => Charset::Bytes,
            Some(Value::Text(name)) if name == "utf-8" => Charset::Utf8,
            Some(Value::Text(name)) if name == "ascii" => Charset::Ascii,
            Some(other) => {
                return Err(format!(
                    "the charset {} is not offered",
                    other.as_text().unwrap_or_default()
                ));
            }
        };
        let mut format = match config.get("endianness").and_then(Value::as_text) {
            Some(endianness) => endianness.to_owned(),
            None => String::new(),
        };
        let mut fields = Vec::new();
        for field in config
            .get("fields")
            .and_then(Value::as_array)
            .unwrap_or_default()
        {
            let Some([Value::Text(name), Value::Text(code)]) = field.as_array() else {
                return Err(format!("no field: {field:?}"));
            };
            format.push_str(code);
            fields.push(Field {
                name: name.clone(),
                charset: if code.ends_with('s') {
                    charset
                } else {
                    Charset::None
                },
            });
        }
        Ok(Self {
            layout: layouts::protocol(&format)?,
            fields,
            strip_trailing_nul: config.get("strip_trailing_nul") != Some(&Value::Bool(false)),
        })
    }

    fn write_field(field: &Field, value: &Value) -> Result<Value, &'static str> {
        match (field.charset, value) {
            (Charset::Utf8, Value::Text(text)) => Ok(Value::Bytes(text.as_bytes().to_vec())),
            (Charset::Ascii, Value::Text(text)) if text.is_ascii() => {
                Ok(Value::Bytes(text.as_bytes().to_vec()))
            }
            (Charset::Ascii, Value::Text(_)) => Err("not ASCII"),
            (Charset::Utf8 | Charset::Ascii, _) => Err(STATIC_TYPE),
            _ => Ok(value.clone()),
        }
    }

    fn read_field(&self, field: &Field, value: &Value) -> Result<Value, DeserializeError> {
        let Some(mut bytes) = value
            .as_bytes()
            .filter(|_| !matches!(field.charset, Charset::None))
        else {
            return Ok(value.clone());
        };
        while let (true, Some(shorter)) = (self.strip_trailing_nul, bytes.strip_suffix(b"\0")) {
            bytes = shorter;
        }
        match field.charset {
            Charset::Bytes => Ok(Value::Bytes(bytes.to_vec())),
            Charset::Ascii if !bytes.is_ascii() => Err(DeserializeError::new("not ASCII")),
            _ => match std::str::from_utf8(bytes) {
                Ok(text) => Ok(Value::Text(text.to_owned())),
                Err(error) => Err(DeserializeError::new(error)),
            },
        }
    }
}

impl DatagramProtocol for NamedTuple {
    type Sent = Value;
    type Received = Value;

    fn make_datagram(&self, packet: &Value, datagram: &mut BytesMut) -> Result<(), SerializeError> {
        let values: Result<Vec<_>, _> = self
            .fields
            .iter()
            .map(|field| Self::write_field(field, packet.get(&field.name).ok_or(STATIC_TYPE)?))
            .collect();
        let values = Value::Array(values.map_err(SerializeError::new)?);
        self.layout.make_datagram(&values, datagram)
    }

    fn build_packet_from_datagram(&self, datagram: Datagram<'_>) -> Result<Value, PacketError> {
        let values = self.layout.build_packet_from_datagram(datagram)?;
        let values = values.as_array().unwrap_or_default();
        let fields = self.fields.iter().zip(values).map(|(field, value)| {
            let name = Value::Text(field.name.clone());
            Ok((name, self.read_field(field, value)?))
        });
        Ok(Value::Map(fields.collect::<Result<_, DeserializeError>>()?))
    }
}
