//! Packets of every format, and the notation that the vectors have for them.

use std::{fmt, iter::repeat_n};

use serde::{
    Deserialize, Serialize,
    de::{self, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor},
    ser::{SerializeMap, Serializer},
};
use serde_bytes::{ByteBuf, Bytes};

/// One type for the packets of all formats, driven by serde.
#[derive(Debug, Clone)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Self>),
    /// In the order of the wire.
    Map(Vec<(Self, Self)>),
    /// CBOR.
    Tag(u64, Box<Self>),
    /// MessagePack.
    Ext(i8, Vec<u8>),
    /// What no Rust value of these formats is, by the name that the vectors have for it.
    Foreign(String),
}

impl Value {
    /// Reads the notation of the vectors.
    pub(crate) fn interpret(self) -> Self {
        match self {
            Self::Array(items) => Self::Array(items.into_iter().map(Self::interpret).collect()),
            Self::Map(mut pairs) => match (pairs.len(), pairs.first_mut()) {
                (1, Some((Self::Text(form), content))) if form.starts_with('$') => {
                    let content = std::mem::replace(content, Self::Null);
                    interpret_form(form, content)
                }
                _ => Self::Map(
                    pairs
                        .into_iter()
                        .map(|(key, value)| (key, value.interpret()))
                        .collect(),
                ),
            },
            plain => plain,
        }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Map(pairs) = self else { return None };
        let is_key = |pair: &&(Self, Self)| matches!(&pair.0, Self::Text(text) if text == key);
        pairs.iter().find(is_key).map(|pair| &pair.1)
    }

    pub(crate) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_int(&self) -> Option<i128> {
        match self {
            Self::Int(number) => Some(*number),
            _ => None,
        }
    }

    pub(crate) fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(crate) fn as_array(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Tells whether `predicate` holds for this value or one inside it.
    pub(crate) fn any(&self, predicate: &impl Fn(&Self) -> bool) -> bool {
        predicate(self)
            || match self {
                Self::Array(items) => items.iter().any(|item| item.any(predicate)),
                Self::Map(pairs) => pairs
                    .iter()
                    .any(|(key, value)| key.any(predicate) || value.any(predicate)),
                Self::Tag(_, content) => content.any(predicate),
                _ => false,
            }
    }
}

fn interpret_form(form: &str, content: Value) -> Value {
    let items = content.as_array().unwrap_or_default();
    let number = |index: usize| items.get(index).and_then(Value::as_int);
    match (form, &content) {
        ("$int", Value::Text(digits)) => match digits.parse() {
            Ok(number) => Value::Int(number),
            Err(_) => Value::Foreign(form.to_owned()),
        },
        ("$float", Value::Text(name)) => Value::Float(name.parse().expect("nan, inf, -inf")),
        ("$bytes", Value::Text(hex)) => Value::Bytes(unhex(hex)),
        ("$repeat", _) => {
            let unit = items[0].as_text().expect("a text");
            Value::Text(unit.repeat(number(1).expect("a count") as usize))
        }
        ("$nest", _) => {
            let levels = number(0).expect("a count") as usize;
            let inner = items[1].clone().interpret();
            repeat_n((), levels).fold(inner, |inner, ()| Value::Array(vec![inner]))
        }
        ("$map", _) => Value::Map(
            items
                .iter()
                .map(|pair| match pair.as_array() {
                    Some([key, value]) => (key.clone().interpret(), value.clone().interpret()),
                    _ => panic!("no pair: {pair:?}"),
                })
                .collect(),
        ),
        ("$tag", _) => Value::Tag(
            number(0).expect("a tag") as u64,
            Box::new(items[1].clone().interpret()),
        ),
        ("$ext", _) => Value::Ext(
            number(0).expect("a code") as i8,
            unhex(items[1].as_text().expect("hex")),
        ),
        ("$timestamp", _) => timestamp(
            number(0).expect("seconds") as i64,
            number(1).expect("nanoseconds") as u32,
        ),
        _ => Value::Foreign(form.to_owned()),
    }
}

/// MessagePack's timestamp, which is extension -1 in the shortest of three layouts.
fn timestamp(seconds: i64, nanoseconds: u32) -> Value {
    let payload = match (u64::try_from(seconds), nanoseconds) {
        (Ok(seconds), 0) if seconds < 1 << 32 => (seconds as u32).to_be_bytes().to_vec(),
        (Ok(seconds), _) if seconds < 1 << 34 => (u64::from(nanoseconds) << 34 | seconds)
            .to_be_bytes()
            .to_vec(),
        _ => [&nanoseconds.to_be_bytes()[..], &seconds.to_be_bytes()].concat(),
    };
    Value::Ext(-1, payload)
}

pub(crate) fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|start| u8::from_str_radix(&hex[start..start + 2], 16).expect("hex"))
        .collect()
}

/// Equal on the wire: NaN equals NaN, and 0.0 does not equal -0.0, nor 1 1.0.
impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Float(a), Self::Float(b)) => {
                a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
            }
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::Array(a), Self::Array(b)) => a == b,
            (Self::Map(a), Self::Map(b)) => a == b,
            (Self::Tag(a, x), Self::Tag(b, y)) => a == b && x == y,
            (Self::Ext(a, x), Self::Ext(b, y)) => a == b && x == y,
            _ => false,
        }
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
                (Ok(value), _) => serializer.serialize_u64(value),
                (_, Ok(value)) => serializer.serialize_i64(value),
                _ => serializer.serialize_i128(*value),
            },
            Self::Float(value) => serializer.serialize_f64(*value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Bytes(value) => serializer.serialize_bytes(value),
            Self::Array(items) => serializer.collect_seq(items),
            Self::Map(pairs) => {
                let mut map = serializer.serialize_map(Some(pairs.len()))?;
                for (key, value) in pairs {
                    map.serialize_entry(key, value)?;
                }
                map.end()
            }
            Self::Tag(tag, content) => {
                ciborium::tag::Captured(Some(*tag), content).serialize(serializer)
            }
            Self::Ext(code, payload) => serializer.serialize_newtype_struct(
                rmp_serde::MSGPACK_EXT_STRUCT_NAME,
                &(code, Bytes::new(payload)),
            ),
            Self::Foreign(form) => Err(serde::ser::Error::custom(form)),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Int(value.into()))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        i128::try_from(value).map(Value::Int).map_err(E::custom)
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_bytes<E>(self, value: &[u8]) -> Result<Value, E> {
        Ok(Value::Bytes(value.to_vec()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    /// Of equal keys the last value wins, at the place of the first.
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut pairs: Vec<(Value, Value)> = Vec::new();
        while let Some((key, value)) = access.next_entry()? {
            match pairs.iter_mut().find(|pair| pair.0 == key) {
                Some(pair) => pair.1 = value,
                None => pairs.push((key, value)),
            }
        }
        Ok(Value::Map(pairs))
    }

    /// MessagePack's extensions.
    fn visit_newtype_struct<D: de::Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        let (code, payload) = <(i8, ByteBuf)>::deserialize(inner)?;
        Ok(Value::Ext(code, payload.into_vec()))
    }

    /// CBOR's tags, as ciborium shows them.
    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        struct Tagged;

        impl<'de> Visitor<'de> for Tagged {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a tag and its content")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
                let missing = || de::Error::custom("nothing behind the tag");
                let tag = access.next_element()?.ok_or_else(missing)?;
                let content = access.next_element()?.ok_or_else(missing)?;
                Ok(Value::Tag(tag, Box::new(content)))
            }
        }

        let (_, variant): (String, _) = access.variant()?;
        variant.tuple_variant(2, Tagged)
    }
}

/// Values whose maps have text or bytes for keys, as the maps of most packets do.
pub(crate) struct TextKeys(pub(crate) Value);

impl<'de> Deserialize<'de> for TextKeys {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        let is_key = |key: &Value| matches!(key, Value::Text(_) | Value::Bytes(_));
        let has_other = |value: &Value| match value {
            Value::Map(pairs) => !pairs.iter().all(|(key, _)| is_key(key)),
            _ => false,
        };
        if value.any(&has_other) {
            return Err(de::Error::custom("a key is neither text nor bytes"));
        }
        Ok(Self(value))
    }
}
