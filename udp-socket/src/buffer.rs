//! Receive buffers, shared by all clients that receive on a thread.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

/// Bytes in a receive buffer: more than the longest UDP datagram, and than the kernel ever glues
/// together (65,535 bytes, the limit of IP).
pub(crate) const BUFFER_SIZE: usize = 1 << 16;

/// Buffers that a thread keeps. More than one is needed only while datagrams of a batch wait in some
/// client's queue.
const KEPT_BUFFERS: usize = 4;

thread_local! {
    static BUFFERS: RefCell<Vec<Bytes>> = const { RefCell::new(Vec::new()) };
}

/// Lends `read` an initialised buffer, and returns what it returns with a handle to the buffer.
///
/// A buffer is used again once every handle to it is gone. It is initialised only once: zeroing it
/// for each receive costs more than the receive.
pub(crate) fn with_buffer<R>(read: impl FnOnce(&mut [u8]) -> R) -> (R, Bytes) {
    let mut buffer = take_unique().unwrap_or_else(fresh);
    let result = read(&mut buffer);
    let buffer = buffer.freeze();
    keep(buffer.clone());
    (result, buffer)
}

fn take_unique() -> Option<BytesMut> {
    // Without the thread's own store, while the thread ends, every receive gets a fresh buffer.
    let mut kept = BUFFERS.try_with(RefCell::take).ok()?;
    let unique = kept.iter().rposition(Bytes::is_unique);
    let buffer = unique.and_then(|index| kept.swap_remove(index).try_into_mut().ok());
    let _thread_ends = BUFFERS.try_with(|buffers| *buffers.borrow_mut() = kept);
    buffer
}

fn keep(buffer: Bytes) {
    let _thread_ends = BUFFERS.try_with(|buffers| {
        let mut buffers = buffers.borrow_mut();
        if buffers.len() == KEPT_BUFFERS {
            // The oldest is still in use somewhere, and goes when it no longer is.
            buffers.remove(0);
        }
        buffers.push(buffer);
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

    #[test]
    fn buffer_is_used_again_once_let_go() {
        let address = |buffer: &mut [u8]| buffer.as_ptr() as usize;

        let (first, handle) = with_buffer(address);
        let (second, _) = with_buffer(address);
        drop(handle);
        let (third, _) = with_buffer(address);
        let (fourth, _) = with_buffer(address);

        assert_ne!(first, second);
        assert!([first, second].contains(&third));
        assert_eq!(third, fourth);
    }

    #[test]
    fn buffers_in_use_are_not_hoarded() {
        let handles = (0..10).map(|_| with_buffer(|_| ()).1).collect::<Vec<_>>();

        assert!(BUFFERS.with_borrow(Vec::len) <= KEPT_BUFFERS);
        drop(handles);
    }
}
