//! The client as a stream.

use std::{
    fmt,
    future::{Future, poll_fn},
    io,
    panic::catch_unwind,
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use datagram_protocol_core::{DatagramProtocol, TimeoutBudget};
use datagram_udp_socket::RecvError;
use futures_core::{FusedStream, Stream};
use tokio::{
    task::coop,
    time::{Instant, Sleep, sleep},
};

use crate::{AsyncUdpNetworkClient, halves::Unready, link::Obstacle, wait::Wait};

/// The packets that arrive, made by
/// [`iter_received_packets`](AsyncUdpNetworkClient::iter_received_packets).
///
/// # Cancel safety
///
/// No packet is lost when a `next()` on it is cancelled.
#[must_use = "a stream does nothing unless polled"]
pub struct ReceivedPackets<P: DatagramProtocol> {
    client: AsyncUdpNetworkClient<P>,
    budget: TimeoutBudget,
    wait: Wait,
    /// Since when the budget is spent, while it is.
    waiting_since: Option<Instant>,
    has_ended: bool,
}

impl<P: DatagramProtocol> ReceivedPackets<P> {
    pub(crate) fn new(client: AsyncUdpNetworkClient<P>, timeout: Option<Duration>) -> Self {
        Self {
            client,
            budget: TimeoutBudget::new(timeout),
            wait: Wait::default(),
            waiting_since: None,
            has_ended: false,
        }
    }

    /// Polls what is waited for. Ready when it is time for another attempt.
    fn poll_waiting(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(self.wait.poll(context));
        if let Some(since) = self.waiting_since.take() {
            self.budget.spend(since.elapsed());
        }
        Poll::Ready(result)
    }

    /// Starts to wait. Only waiting for the socket is on the budget.
    fn start_waiting(&mut self, obstacle: Obstacle) -> io::Result<()> {
        let is_counted = matches!(obstacle, Obstacle::NotReady(..));
        let timeout = match self.budget.remaining() {
            Some(remaining) if is_counted => Some(timer(remaining)?),
            _ => None,
        };
        self.waiting_since = is_counted.then(Instant::now);
        let overcome = self.client.overcome(obstacle);
        self.wait.start(async {
            let (mut overcome, mut timeout) = (pin!(overcome), pin!(timeout));
            poll_fn(|context| match overcome.as_mut().poll(context) {
                Poll::Pending => match timeout.as_mut().as_pin_mut() {
                    Some(timeout) => timeout.poll(context).map(Ok),
                    None => Poll::Pending,
                },
                ready => ready,
            })
            .await
        });
        Ok(())
    }

    fn end_with(&mut self, error: io::Error) -> Poll<Option<Result<P::Received, RecvError>>> {
        self.has_ended = true;
        match self.client.or_closed(error, RecvError::Io) {
            RecvError::Closed(_) => Poll::Ready(None),
            error => Poll::Ready(Some(Err(error))),
        }
    }
}

impl<P: DatagramProtocol> Stream for ReceivedPackets<P> {
    type Item = Result<P::Received, RecvError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.has_ended {
            return Poll::Ready(None);
        }
        let progress = ready!(coop::poll_proceed(context));
        loop {
            if let Err(error) = ready!(self.poll_waiting(context)) {
                return self.end_with(error);
            }
            let obstacle = match self.client.try_recv() {
                Ok(packet) => {
                    progress.made_progress();
                    return Poll::Ready(Some(Ok(packet)));
                }
                Err(Unready::Obstacle(obstacle)) => obstacle,
                Err(Unready::Failed(RecvError::Closed(_))) => {
                    self.has_ended = true;
                    return Poll::Ready(None);
                }
                Err(Unready::Failed(error)) => {
                    progress.made_progress();
                    self.has_ended = error.is_fatal();
                    return Poll::Ready(Some(Err(error)));
                }
            };
            if self.budget.is_exhausted() && matches!(obstacle, Obstacle::NotReady(..)) {
                self.has_ended = true;
                return Poll::Ready(None);
            }
            if let Err(error) = self.start_waiting(obstacle) {
                return self.end_with(error);
            }
        }
    }
}

impl<P: DatagramProtocol> FusedStream for ReceivedPackets<P> {
    fn is_terminated(&self) -> bool {
        self.has_ended
    }
}

/// Starts a timer. tokio panics if there is no runtime, or one without time, and has no way to ask.
fn timer(duration: Duration) -> io::Result<Sleep> {
    catch_unwind(|| sleep(duration)).map_err(|_| {
        io::Error::new(
            io::ErrorKind::Unsupported,
            "no tokio runtime with time enabled (see `Builder::enable_time`)",
        )
    })
}

/// Nothing in it is ever pinned in place: what has to be is boxed.
impl<P: DatagramProtocol> Unpin for ReceivedPackets<P> {}

impl<P: DatagramProtocol> fmt::Debug for ReceivedPackets<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReceivedPackets")
            .field("client", &self.client)
            .field("budget", &self.budget)
            .field("has_ended", &self.has_ended)
            .finish_non_exhaustive()
    }
}
