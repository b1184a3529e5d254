//! A wait that a stream or a sink keeps between polls.

use std::{
    future::Future,
    io,
    task::{Context, Poll, ready},
};

use tokio_util::sync::ReusableBoxFuture;

/// What is waited for, if anything, in memory that the next wait uses again.
#[derive(Debug, Default)]
pub(crate) struct Wait {
    future: Option<ReusableBoxFuture<'static, io::Result<()>>>,
    /// Whether `future` has not ended.
    is_pending: bool,
}

impl Wait {
    /// Waits for `future` from now on.
    pub(crate) fn start(&mut self, future: impl Future<Output = io::Result<()>> + Send + 'static) {
        match &mut self.future {
            Some(used) => used.set(future),
            unused => *unused = Some(ReusableBoxFuture::new(future)),
        }
        self.is_pending = true;
    }

    /// Polls what is waited for. Ready also if that is nothing.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.future {
            Some(future) if self.is_pending => {
                let result = ready!(future.poll(context));
                self.is_pending = false;
                Poll::Ready(result)
            }
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Lets go of what is waited for.
    pub(crate) fn cancel(&mut self) {
        *self = Self::default();
    }
}
