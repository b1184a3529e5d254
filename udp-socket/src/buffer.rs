//! Receive buffers, shared by all clients that receive on a thread.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// Bytes in a receive buffer: more than the longest UDP datagram, and than the kernel ever glues
/// together (65,535 bytes, the limit of IP).
pub(crate) const BUFFER_SIZE: usize = 1 << 16;

/// Shared buffers that a thread keeps. More than one is needed only while datagrams of a batch wait in
/// some client's queue.
const KEPT_BUFFERS: usize = 4;

#[derive(Debug)]
struct Kept {
    /// A buffer that nobody else has.
    unique: Option<BytesMut>,
    /// Buffers that may be in use.
    shared: Vec<Bytes>,
}

thread_local! {
    static KEPT: RefCell<Kept> = const {
        RefCell::new(Kept {
            unique: None,
            shared: Vec::new(),
        })
    };
}

/// An initialised buffer of [`BUFFER_SIZE`] bytes, lent by the thread. It goes back when it is dropped;
/// shared, it is used again once every handle to it is gone.
///
/// It is initialised only once: zeroing it for each receive costs more than the receive.
#[derive(Debug)]
pub(crate) struct Buffer(BytesMut);

impl Buffer {
    #[inline]
    pub(crate) fn take() -> Self {
        // Without the thread's own store, while the thread ends, every receive gets a fresh buffer.
        let kept = KEPT.try_with(|kept| kept.borrow_mut().unique.take());
        Self(match kept {
            Ok(Some(buffer)) => buffer,
            _ => take_unused().unwrap_or_else(fresh),
        })
    }

    /// Returns all of its bytes.
    #[inline]
    pub(crate) fn bytes(&mut self) -> &mut [u8] {
        &mut self.0
    }

    /// Makes a handle to its first `len` bytes.
    pub(crate) fn share(mut self, len: usize) -> Bytes {
        let mut contents = std::mem::take(&mut self.0).freeze();
        keep(contents.clone());
        contents.truncate(len);
        contents
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        // If it was shared, this has no bytes.
        if self.0.len() == BUFFER_SIZE {
            let buffer = std::mem::take(&mut self.0);
            let _thread_ends = KEPT.try_with(|kept| kept.borrow_mut().unique = Some(buffer));
        }
    }
}

#[cold]
fn take_unused() -> Option<BytesMut> {
    KEPT.try_with(|kept| {
        let shared = &mut kept.borrow_mut().shared;
        let unique = shared.iter().rposition(Bytes::is_unique)?;
        shared.swap_remove(unique).try_into_mut().ok()
    })
    .ok()
    .flatten()
}

fn keep(buffer: Bytes) {
    let _thread_ends = KEPT.try_with(|kept| {
        let shared = &mut kept.borrow_mut().shared;
        if shared.len() == KEPT_BUFFERS {
            // The oldest is still in use somewhere, and goes when it no longer is.
            shared.remove(0);
        }
        shared.push(buffer);
    });
}

fn fresh() -> BytesMut {
    let mut buffer = BytesMut::zeroed(BUFFER_SIZE);
    // Splitting turns it into a shared buffer, which it then stays: freezing it and taking it back
    // allocates nothing.
    let _end = buffer.split_off(BUFFER_SIZE);
    buffer
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes `mark`, to know the buffer again: a fresh one is zeroed, and may have its address.
    fn marked(mark: u8) -> Buffer {
        let mut buffer = Buffer::take();
        buffer.bytes()[BUFFER_SIZE - 1] = mark;
        buffer
    }

    fn mark(buffer: &mut Buffer) -> u8 {
        buffer.bytes()[BUFFER_SIZE - 1]
    }

    #[test]
    fn dropped_buffer_is_used_again() {
        drop(marked(1));

        assert_eq!(mark(&mut Buffer::take()), 1);
    }

    #[test]
    fn shared_buffer_is_used_again_once_let_go() {
        let handle = marked(1).share(7);
        let mut second = Buffer::take();

        assert_eq!(handle.len(), 7);
        assert_ne!(mark(&mut second), 1);
        drop(handle);
        assert_eq!(mark(&mut Buffer::take()), 1);
    }

    #[test]
    fn buffers_in_use_are_not_hoarded() {
        let handles = (0..10).map(|_| Buffer::take().share(1)).collect::<Vec<_>>();

        assert!(KEPT.with_borrow(|kept| kept.shared.len()) <= KEPT_BUFFERS);
        drop(handles);
    }
}
