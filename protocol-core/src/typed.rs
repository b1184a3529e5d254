//! What the serializers over serde or zerocopy have in common: they are types without a value,
//! named after what they send and receive.

/// Defines a serializer `Name<Sent, Received = Sent>` with its constructor and plain traits, none of
/// which asks anything of the two types.
#[allow(unused_macros, reason = "only the features use it")]
macro_rules! typed_protocol {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        pub struct $name<Sent: ?Sized, Received = Sent> {
            sent: core::marker::PhantomData<fn(&Sent)>,
            received: core::marker::PhantomData<fn() -> Received>,
        }

        impl<Sent: ?Sized, Received> $name<Sent, Received> {
            /// Makes the protocol.
            #[must_use]
            pub const fn new() -> Self {
                Self {
                    sent: core::marker::PhantomData,
                    received: core::marker::PhantomData,
                }
            }
        }

        impl<Sent: ?Sized, Received> Clone for $name<Sent, Received> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<Sent: ?Sized, Received> Copy for $name<Sent, Received> {}

        impl<Sent: ?Sized, Received> Default for $name<Sent, Received> {
            fn default() -> Self {
                Self::new()
            }
        }

        impl<Sent: ?Sized, Received> core::fmt::Debug for $name<Sent, Received> {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    };
}

#[allow(unused_imports, reason = "only the features use it")]
pub(crate) use typed_protocol;
