//! The converters of `converters.json`, with the rules and messages of the vectors' description.

use datagram_protocol_core::{Converted, FnConverter, PacketConversionError, StapledConverter};

use crate::{protocols::DynProtocol, value::Value};

type Conversion = Result<Value, PacketConversionError>;
type Send = fn(&Value) -> Conversion;
type Receive = fn(Value) -> Conversion;

/// Puts the converter called `name` in front of `protocol`.
pub(crate) fn convert(protocol: DynProtocol, name: &str) -> Option<DynProtocol> {
    let (send, receive): (Send, Receive) = match name {
        "account" => (send_account, receive_account),
        "point" => (send_point, receive_point),
        "header" => (send_header, receive_header),
        "command" => (send_command, receive_command),
        "sample" => (send_sample, receive_sample),
        "rpc_client" => {
            let sent = FnConverter::new(send_request, refuse);
            let received =
                FnConverter::new(|packet: &Value| refuse(packet.clone()), receive_response);
            let converter = StapledConverter::new(sent, received);
            return Some(Box::new(Converted::new(protocol, converter)));
        }
        _ => return None,
    };
    Some(Box::new(Converted::new(
        protocol,
        FnConverter::new(send, receive),
    )))
}

fn error(message: impl Into<String>) -> PacketConversionError {
    PacketConversionError::new(message.into())
}

fn refuse(_: Value) -> Conversion {
    Err(error("the other direction"))
}

fn field<'v>(packet: &'v Value, name: &str) -> Result<&'v Value, PacketConversionError> {
    packet
        .get(name)
        .ok_or_else(|| error(format!("Missing field: {name}")))
}

fn int(packet: &Value, name: &str) -> Result<i128, PacketConversionError> {
    field(packet, name)?
        .as_int()
        .ok_or_else(|| error(format!("Invalid field: {name}")))
}

fn text<'v>(packet: &'v Value, name: &str) -> Result<&'v str, PacketConversionError> {
    field(packet, name)?
        .as_text()
        .ok_or_else(|| error(format!("Invalid field: {name}")))
}

fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Map(
        fields
            .map(|(name, value)| (Value::Text(name.to_owned()), value))
            .into(),
    )
}

fn send_account(packet: &Value) -> Conversion {
    let admin = *field(packet, "admin")? == Value::Bool(true);
    let roles = admin.then(|| Value::Text("admin".to_owned()));
    Ok(object([
        ("id", Value::Text(int(packet, "id")?.to_string())),
        ("name", field(packet, "name")?.clone()),
        ("roles", Value::Array(roles.into_iter().collect())),
        ("friends", field(packet, "friends")?.clone()),
    ]))
}

fn receive_account(dto: Value) -> Conversion {
    if !matches!(dto, Value::Map(_)) {
        return Err(error("Expected an object"));
    }
    for name in ["id", "name", "roles", "friends"] {
        field(&dto, name)?;
    }
    let id = text(&dto, "id")?;
    let digits = (1..=19).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_digit());
    let id: i64 = id
        .parse()
        .ok()
        .filter(|_| digits)
        .ok_or_else(|| error("Invalid field: id"))?;
    let name = text(&dto, "name")?;
    if !(1..=32).contains(&name.chars().count()) {
        return Err(error("Invalid field: name"));
    }
    let admin = match field(&dto, "roles")?.as_array() {
        Some([]) => false,
        Some([role]) if role.as_text() == Some("admin") => true,
        _ => return Err(error("Invalid field: roles")),
    };
    let friends = field(&dto, "friends")?;
    let ints = |items: &[Value]| items.iter().all(|item| item.as_int().is_some());
    if !friends.as_array().is_some_and(ints) {
        return Err(error("Invalid field: friends"));
    }
    Ok(object([
        ("id", Value::Int(id.into())),
        ("name", Value::Text(name.to_owned())),
        ("admin", Value::Bool(admin)),
        ("friends", friends.clone()),
    ]))
}

fn send_point(packet: &Value) -> Conversion {
    let (x, y) = (int(packet, "x")?, int(packet, "y")?);
    Ok(Value::Array(vec![Value::Int(x), Value::Int(y)]))
}

fn receive_point(dto: Value) -> Conversion {
    match dto.as_array() {
        Some([Value::Int(x @ -1000..=1000), Value::Int(y @ -1000..=1000)]) => {
            Ok(object([("x", Value::Int(*x)), ("y", Value::Int(*y))]))
        }
        _ => Err(error("Out of range")),
    }
}

const KINDS: [&str; 3] = ["ping", "pong", "data"];

fn send_header(packet: &Value) -> Conversion {
    let kind = text(packet, "kind")?;
    let kind = KINDS
        .iter()
        .position(|known| *known == kind)
        .ok_or_else(|| error("Unknown kind"))?;
    Ok(Value::Array(vec![
        Value::Bytes(b"GLDN".to_vec()),
        Value::Int(1),
        Value::Int(kind as i128),
        Value::Int(int(packet, "seq")?),
    ]))
}

fn receive_header(dto: Value) -> Conversion {
    let Some([magic, Value::Int(version), Value::Int(kind), seq]) = dto.as_array() else {
        return Err(error("Not a header"));
    };
    if magic.as_bytes() != Some(b"GLDN") {
        return Err(error("Bad magic"));
    }
    if *version != 1 {
        return Err(error(format!("Unsupported version: {version}")));
    }
    let name = KINDS
        .get(*kind as usize)
        .ok_or_else(|| error(format!("Unknown kind: {kind}")))?;
    Ok(object([
        ("kind", Value::Text((*name).to_owned())),
        ("seq", seq.clone()),
    ]))
}

fn send_command(packet: &Value) -> Conversion {
    let args = field(packet, "args")?.as_array().unwrap_or_default();
    let words = [text(packet, "verb")?]
        .into_iter()
        .chain(args.iter().filter_map(Value::as_text));
    Ok(Value::Text(words.collect::<Vec<_>>().join(" ")))
}

fn receive_command(dto: Value) -> Conversion {
    let line = dto.as_text().ok_or_else(|| error("Not a line"))?;
    if line.is_empty() {
        return Err(error("Empty command"));
    }
    let (verb, args) = line
        .split_once(' ')
        .map_or((line, None), |(verb, args)| (verb, Some(args)));
    if verb.is_empty() || !verb.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Err(error("Invalid verb"));
    }
    let args: Vec<_> = args.into_iter().flat_map(|args| args.split(' ')).collect();
    if args.contains(&"") {
        return Err(error("Empty argument"));
    }
    let args = args.into_iter().map(|arg| Value::Text(arg.to_owned()));
    Ok(object([
        ("verb", Value::Text(verb.to_owned())),
        ("args", Value::Array(args.collect())),
    ]))
}

fn send_request(packet: &Value) -> Conversion {
    Ok(Value::Array(vec![
        Value::Int(0),
        field(packet, "id")?.clone(),
        field(packet, "method")?.clone(),
        field(packet, "params")?.clone(),
    ]))
}

fn receive_response(dto: Value) -> Conversion {
    let Some([Value::Int(kind), id, failure, result]) = dto.as_array() else {
        return Err(error("Malformed message"));
    };
    if *kind != 1 {
        return Err(error("Not a response"));
    }
    if !matches!(id, Value::Int(0..)) {
        return Err(error("Invalid id"));
    }
    match failure {
        Value::Null => Ok(object([("id", id.clone()), ("result", result.clone())])),
        Value::Text(_) => Ok(object([("id", id.clone()), ("error", failure.clone())])),
        _ => Err(error("Invalid error")),
    }
}

fn send_sample(packet: &Value) -> Conversion {
    Ok(Value::Map(vec![
        (Value::Int(1), field(packet, "sensor")?.clone()),
        (
            Value::Int(2),
            Value::Float(int(packet, "centi")? as f64 / 100.0),
        ),
    ]))
}

fn receive_sample(dto: Value) -> Conversion {
    let Value::Map(pairs) = dto else {
        return Err(error("Expected the keys 1 and 2"));
    };
    let ([(Value::Int(1), sensor), (Value::Int(2), value)]
    | [(Value::Int(2), value), (Value::Int(1), sensor)]) = &pairs[..]
    else {
        return Err(error("Expected the keys 1 and 2"));
    };
    if sensor.as_bytes().map(<[u8]>::len) != Some(4) {
        return Err(error("Invalid sensor"));
    }
    match value {
        Value::Float(value @ -300.0..=300.0) => Ok(object([
            ("sensor", sensor.clone()),
            (
                "centi",
                Value::Int((value * 100.0).round_ties_even() as i128),
            ),
        ])),
        _ => Err(error("Invalid value")),
    }
}
