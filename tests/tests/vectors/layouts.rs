//! The formats of Python's `struct` as types.
//!
//! In Rust a layout is a type, so each format that the vectors use has its row in a table. A format
//! that is not there does not apply.

use datagram_protocol_core::{Converted, FnConverter, PacketConversionError, layout::Layout};
use zerocopy::{Immutable, IntoBytes, TryFromBytes, big_endian as be, little_endian as le};

use crate::{protocols::DynProtocol, value::Value};

/// Says in an error that the packet would not have compiled.
pub(crate) const STATIC_TYPE: &str = "excluded by a static type";

/// Makes the protocol for a format of Python's `struct`, or says why there is none.
pub(crate) fn protocol(format: &str) -> Result<DynProtocol, String> {
    let signature = signature(format)?;
    find(&signature).ok_or_else(|| format!("no layout type was written for {signature}"))
}

/// Brings a format into one form: byte order, no blanks, equal neighbours counted together.
fn signature(format: &str) -> Result<String, String> {
    let (order, fields) = match format.split_at_checked(1) {
        Some(("@", _)) => return Err("native layouts are not offered".to_owned()),
        Some(("<" | "=", fields)) => ('<', fields),
        Some((">" | "!", fields)) => ('>', fields),
        _ => ('>', format),
    };
    let mut groups: Vec<(usize, char)> = Vec::new();
    let mut digits = String::new();
    for code in fields.chars().filter(|code| !code.is_whitespace()) {
        if code.is_ascii_digit() {
            digits.push(code);
            continue;
        }
        let count = std::mem::take(&mut digits).parse().unwrap_or(1);
        let code = match code {
            'l' => 'i',
            'L' => 'I',
            'e' => return Err("Rust has no stable 16-bit float".to_owned()),
            'p' => return Err("Pascal strings are not offered".to_owned()),
            code => code,
        };
        match groups.last_mut() {
            Some(last) if last.1 == code && code != 's' => last.0 += count,
            _ if count == 0 && code != 's' => {}
            _ => groups.push((count, code)),
        }
    }
    let groups = groups.iter().map(|(count, code)| match count {
        1 if *code != 's' => code.to_string(),
        _ => format!("{count}{code}"),
    });
    Ok(format!("{order}{}", groups.collect::<String>()))
}

/// A list of fields as nested pairs.
macro_rules! fields {
    () => { () };
    ($first:ty $(, $rest:ty)*) => { Pair<$first, fields!($($rest),*)> };
}

macro_rules! layouts {
    ($($signature:literal: $($field:ty),+;)+) => {
        fn find(signature: &str) -> Option<DynProtocol> {
            match signature {
                $($signature => Some(layout::<fields!($($field),+)>()),)+
                _ => None,
            }
        }
    };
}

layouts! {
    ">b": i8;
    ">B": u8;
    "<B": u8;
    ">h": be::I16;
    "<h": le::I16;
    ">H": be::U16;
    "<H": le::U16;
    ">i": be::I32;
    "<i": le::I32;
    ">I": be::U32;
    "<I": le::U32;
    ">q": be::I64;
    "<q": le::I64;
    ">Q": be::U64;
    "<Q": le::U64;
    ">f": be::F32;
    "<f": le::F32;
    ">d": be::F64;
    "<d": le::F64;
    ">?": bool;
    ">4?": [bool; 4];
    ">c": Char;
    ">1s": Text<1>;
    ">2s": Text<2>;
    ">5s": Text<5>;
    ">200s": Text<200>;
    ">300s": Text<300>;
    ">0sB": Text<0>, u8;
    ">1sB": Text<1>, u8;
    ">cH": Char, be::U16;
    ">10sI": Text<10>, be::U32;
    "<10sI": Text<10>, le::U32;
    ">8s8sH": Text<8>, Text<8>, be::U16;
    "<H6sd": le::U16, Text<6>, le::F64;
    ">HI": be::U16, be::U32;
    "<HI": le::U16, le::U32;
    ">BH": u8, be::U16;
    ">BI": u8, be::U32;
    ">BQ": u8, be::U64;
    ">Hd": be::U16, be::F64;
    ">2h": [be::I16; 2];
    "<2h": [le::I16; 2];
    ">2H": [be::U16; 2];
    ">6H": [be::U16; 6];
    ">2i": [be::I32; 2];
    "<2i": [le::I32; 2];
    ">2q": [be::I64; 2];
    ">100B": [u8; 100];
    "<60d": [le::F64; 60];
    ">BxB": u8, Pad<1>, u8;
    ">B2xH": u8, Pad<2>, be::U16;
    ">H2x": be::U16, Pad<2>;
    ">4s2BH": Text<4>, [u8; 2], be::U16;
    ">HhI4s": be::U16, be::I16, be::U32, Text<4>;
    ">BHi8s": u8, be::U16, be::I32, Text<8>;
    ">2BH2I": [u8; 2], be::U16, [be::U32; 2];
    "<2B2HI": [u8; 2], [le::U16; 2], le::U32;
    "<I3f?": le::U32, [le::F32; 3], bool;
    ">2B2b2I4s4Q": [u8; 2], [i8; 2], [be::U32; 2], Text<4>, [be::U64; 4];
    "<bBhHiIqQfd": i8, u8, le::I16, le::U16, le::I32, le::U32, le::I64, le::U64, le::F32, le::F64;
    "<bBhHiIqQfd?c4s": i8, u8, le::I16, le::U16, le::I32, le::U32, le::I64, le::U64, le::F32,
        le::F64, bool, Char, Text<4>;
}

fn layout<L: Fields + TryFromBytes + IntoBytes + Immutable + 'static>() -> DynProtocol {
    let converter = FnConverter::new(
        |packet: &Value| {
            let mut values = packet.as_array().unwrap_or_default().iter();
            let layout = L::take(&mut values).map_err(PacketConversionError::new)?;
            match values.next() {
                None if matches!(packet, Value::Array(_)) => Ok(layout),
                _ => Err(PacketConversionError::new(STATIC_TYPE)),
            }
        },
        |layout: L| {
            let mut values = Vec::new();
            layout.put(&mut values);
            Ok(Value::Array(values))
        },
    );
    Box::new(Converted::new(Layout::<L>::new(), converter))
}

/// Between a part of a layout and the values that Python has for it.
trait Fields: Sized {
    fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str>;
    fn put(self, values: &mut Vec<Value>);
}

#[derive(TryFromBytes, IntoBytes, Immutable)]
#[repr(C, packed)]
struct Pair<A, B>(A, B);

impl<A: Fields, B: Fields> Fields for Pair<A, B> {
    fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        Ok(Self(A::take(values)?, B::take(values)?))
    }

    fn put(self, values: &mut Vec<Value>) {
        let Self(first, rest) = self;
        first.put(values);
        rest.put(values);
    }
}

impl Fields for () {
    fn take<'v>(_: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        Ok(())
    }

    fn put(self, _: &mut Vec<Value>) {}
}

impl<T: Fields, const N: usize> Fields for [T; N] {
    fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        let items: Result<Vec<T>, _> = (0..N).map(|_| T::take(values)).collect();
        items?.try_into().map_err(|_| STATIC_TYPE)
    }

    fn put(self, values: &mut Vec<Value>) {
        self.into_iter().for_each(|item| item.put(values));
    }
}

macro_rules! number_fields {
    ($($field:ty: $from:ident -> $native:ty;)+) => {$(
        impl Fields for $field {
            fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
                $from(values.next(), |number| <$native>::try_from(number).ok()).map(Self::from)
            }

            fn put(self, values: &mut Vec<Value>) {
                values.push(Value::Int(<$native>::from(self).into()));
            }
        }
    )+};
}

number_fields! {
    u8: int -> u8;
    i8: int -> i8;
    be::U16: int -> u16;
    be::I16: int -> i16;
    be::U32: int -> u32;
    be::I32: int -> i32;
    be::U64: int -> u64;
    be::I64: int -> i64;
    le::U16: int -> u16;
    le::I16: int -> i16;
    le::U32: int -> u32;
    le::I32: int -> i32;
    le::U64: int -> u64;
    le::I64: int -> i64;
}

fn int<N>(value: Option<&Value>, narrow: impl Fn(i128) -> Option<N>) -> Result<N, &'static str> {
    let number = value.and_then(Value::as_int).ok_or(STATIC_TYPE)?;
    narrow(number).ok_or(STATIC_TYPE)
}

macro_rules! float_fields {
    ($($field:ty: $native:ty;)+) => {$(
        impl Fields for $field {
            fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
                let Some(Value::Float(wide)) = values.next() else {
                    return Err(STATIC_TYPE);
                };
                let number = *wide as $native;
                if number.is_infinite() && wide.is_finite() {
                    return Err(STATIC_TYPE);
                }
                Ok(Self::new(number))
            }

            fn put(self, values: &mut Vec<Value>) {
                values.push(Value::Float(self.get().into()));
            }
        }
    )+};
}

float_fields! {
    be::F32: f32;
    be::F64: f64;
    le::F32: f32;
    le::F64: f64;
}

impl Fields for bool {
    fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        match values.next() {
            Some(Value::Bool(value)) => Ok(*value),
            _ => Err(STATIC_TYPE),
        }
    }

    fn put(self, values: &mut Vec<Value>) {
        values.push(Value::Bool(self));
    }
}

/// `s`: bytes that are cut or filled up.
#[derive(TryFromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
struct Text<const N: usize>([u8; N]);

impl<const N: usize> Fields for Text<N> {
    fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        let bytes = values.next().and_then(Value::as_bytes).ok_or(STATIC_TYPE)?;
        let mut text = [0; N];
        let len = bytes.len().min(N);
        text[..len].copy_from_slice(&bytes[..len]);
        Ok(Self(text))
    }

    fn put(self, values: &mut Vec<Value>) {
        values.push(Value::Bytes(self.0.to_vec()));
    }
}

/// `c`: one byte, written as bytes.
#[derive(TryFromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
struct Char(u8);

impl Fields for Char {
    fn take<'v>(values: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        match values.next().and_then(Value::as_bytes) {
            Some([byte]) => Ok(Self(*byte)),
            _ => Err(STATIC_TYPE),
        }
    }

    fn put(self, values: &mut Vec<Value>) {
        values.push(Value::Bytes(vec![self.0]));
    }
}

/// `x`: written as zeros, and ignored.
#[derive(TryFromBytes, IntoBytes, Immutable)]
#[repr(transparent)]
struct Pad<const N: usize>([u8; N]);

impl<const N: usize> Fields for Pad<N> {
    fn take<'v>(_: &mut impl Iterator<Item = &'v Value>) -> Result<Self, &'static str> {
        Ok(Self([0; N]))
    }

    fn put(self, _: &mut Vec<Value>) {}
}
