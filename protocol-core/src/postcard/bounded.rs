//! Deserialization that ends, whatever the datagram says.
//!
//! postcard reads a recursive type as deep as the datagram asks for, and elements of no size as
//! often. This wraps its deserializer, and on the way down each visitor and access, to count both.
//! Every recursive type goes through a sequence, a map, an `Option` or an enum, so only these count
//! as levels.

use core::{cell::Cell, fmt};

use serde::de::{
    Deserialize, DeserializeSeed, Deserializer, EnumAccess, Error, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

use crate::{format_error::FormatError, limits::MAX_DEPTH};

/// As many as the longest datagram has bytes: elements with a size cannot be more.
const MAX_ELEMENTS: usize = 1 << 16;

pub(super) fn deserialize<'de, T: Deserialize<'de>, D>(deserializer: D) -> Result<T, FormatError>
where
    D: Deserializer<'de, Error: fmt::Display>,
{
    let budget = Budget {
        elements: Cell::new(MAX_ELEMENTS),
        refusal: Cell::new(None),
    };
    let limits = Limits {
        budget: &budget,
        depth: MAX_DEPTH,
        step: Step::Free,
    };
    T::deserialize(limits.around(deserializer)).map_err(|error| match budget.refusal.get() {
        Some(reason) => FormatError::new("postcard", reason),
        None => super::quote(error),
    })
}

struct Budget {
    elements: Cell<usize>,
    /// Kept here, since postcard's errors have no room for it.
    refusal: Cell<Option<&'static str>>,
}

/// What a value costs that comes out of an access.
#[derive(Clone, Copy)]
enum Step {
    /// A field of a struct or tuple, whose number the type fixes.
    Free,
    Level,
    Element,
}

#[derive(Clone, Copy)]
struct Limits<'b> {
    budget: &'b Budget,
    depth: usize,
    step: Step,
}

impl<'b> Limits<'b> {
    const fn around<T>(self, inner: T) -> Bounded<'b, T> {
        Bounded {
            inner,
            limits: self,
        }
    }

    const fn with(self, step: Step) -> Self {
        Self { step, ..self }
    }

    fn enter<E: Error>(self) -> Result<Self, E> {
        let mut inside = self.with(Step::Free);
        if matches!(self.step, Step::Element) {
            let elements = &self.budget.elements;
            let left = elements.get().checked_sub(1);
            elements.set(left.ok_or_else(|| self.refuse("too many elements"))?);
        }
        if !matches!(self.step, Step::Free) {
            let left = self.depth.checked_sub(1);
            inside.depth = left.ok_or_else(|| self.refuse("nested too deeply"))?;
        }
        Ok(inside)
    }

    fn refuse<E: Error>(self, reason: &'static str) -> E {
        self.budget.refusal.set(Some(reason));
        E::custom(reason)
    }
}

struct Bounded<'b, T> {
    inner: T,
    limits: Limits<'b>,
}

impl<'de, T: DeserializeSeed<'de>> DeserializeSeed<'de> for Bounded<'_, T> {
    type Value = T::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T::Value, D::Error> {
        let limits = self.limits.enter()?;
        self.inner.deserialize(limits.around(deserializer))
    }
}

macro_rules! forward_deserialize {
    ($($method:ident($($argument:ident: $type:ty),*) as $step:ident;)+) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method($($argument,)* self.limits.with(Step::$step).around(visitor))
        }
    )+};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Bounded<'_, D> {
    type Error = D::Error;

    forward_deserialize! {
        deserialize_any() as Element;
        deserialize_bool() as Free;
        deserialize_i8() as Free;
        deserialize_i16() as Free;
        deserialize_i32() as Free;
        deserialize_i64() as Free;
        deserialize_i128() as Free;
        deserialize_u8() as Free;
        deserialize_u16() as Free;
        deserialize_u32() as Free;
        deserialize_u64() as Free;
        deserialize_u128() as Free;
        deserialize_f32() as Free;
        deserialize_f64() as Free;
        deserialize_char() as Free;
        deserialize_str() as Free;
        deserialize_string() as Free;
        deserialize_bytes() as Free;
        deserialize_byte_buf() as Free;
        deserialize_option() as Level;
        deserialize_unit() as Free;
        deserialize_unit_struct(name: &'static str) as Free;
        deserialize_newtype_struct(name: &'static str) as Free;
        deserialize_seq() as Element;
        deserialize_tuple(len: usize) as Free;
        deserialize_tuple_struct(name: &'static str, len: usize) as Free;
        deserialize_map() as Element;
        deserialize_struct(name: &'static str, fields: &'static [&'static str]) as Free;
        deserialize_enum(name: &'static str, variants: &'static [&'static str]) as Level;
        deserialize_identifier() as Free;
        deserialize_ignored_any() as Element;
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! forward_visit {
    ($($method:ident($type:ty);)+) => {$(
        fn $method<E: Error>(self, value: $type) -> Result<V::Value, E> {
            self.inner.$method(value)
        }
    )+};
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Bounded<'_, V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.expecting(f)
    }

    forward_visit! {
        visit_bool(bool);
        visit_i8(i8);
        visit_i16(i16);
        visit_i32(i32);
        visit_i64(i64);
        visit_i128(i128);
        visit_u8(u8);
        visit_u16(u16);
        visit_u32(u32);
        visit_u64(u64);
        visit_u128(u128);
        visit_f32(f32);
        visit_f64(f64);
        visit_char(char);
        visit_str(&str);
        visit_borrowed_str(&'de str);
        visit_bytes(&[u8]);
        visit_borrowed_bytes(&'de [u8]);
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        let limits = self.limits.enter()?;
        self.inner.visit_some(limits.around(deserializer))
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<V::Value, D::Error> {
        self.inner.visit_newtype_struct(self.limits.around(inner))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_seq(self.limits.around(access))
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_map(self.limits.around(access))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<V::Value, A::Error> {
        self.inner.visit_enum(self.limits.around(access))
    }
}

// No access passes `size_hint` on: it would be the announced length.

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, A::Error> {
        self.inner.next_element_seed(self.limits.around(seed))
    }
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, A::Error> {
        self.inner.next_key_seed(self.limits.around(seed))
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, A::Error> {
        let limits = self.limits.with(Step::Level);
        self.inner.next_value_seed(limits.around(seed))
    }
}

impl<'de, 'b, A: EnumAccess<'de>> EnumAccess<'de> for Bounded<'b, A> {
    type Error = A::Error;
    type Variant = Bounded<'b, A::Variant>;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self::Variant), A::Error> {
        let tag = self.limits.with(Step::Free).around(seed);
        let (value, variant) = self.inner.variant_seed(tag)?;
        Ok((value, self.limits.around(variant)))
    }
}

impl<'de, A: VariantAccess<'de>> VariantAccess<'de> for Bounded<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.inner.unit_variant()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.inner.newtype_variant_seed(self.limits.around(seed))
    }

    fn tuple_variant<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, A::Error> {
        let limits = self.limits.enter::<A::Error>()?;
        self.inner.tuple_variant(len, limits.around(visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, A::Error> {
        let limits = self.limits.enter::<A::Error>()?;
        self.inner.struct_variant(fields, limits.around(visitor))
    }
}
