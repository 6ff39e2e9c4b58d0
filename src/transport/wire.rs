//! The stream below SSH: counts what travels, and can be cut from outside.

use super::Cost;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// A duplex stream of bytes.
pub(super) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Duplex for T {}

/// Cuts its [`Wire`] when dropped: the session above sees the end of the stream at once, even one that is blocked on a
/// full window and would never look at its own queue again.
#[derive(Debug)]
pub(super) struct Scissors(#[allow(dead_code, reason = "held for its drop")] oneshot::Sender<()>);

/// A counted, cuttable stream.
pub(super) struct Wire {
    stream: Box<dyn Duplex>,
    cut: oneshot::Receiver<()>,
    is_cut: bool,
    cost: Option<Cost>,
}

impl Wire {
    /// Wraps `stream`; `cost` is None for a stream that runs inside another one that is counted.
    pub(super) fn new(stream: impl Duplex, cost: Option<Cost>) -> (Self, Scissors) {
        let (sender, cut) = oneshot::channel();
        (Wire { stream: Box::new(stream), cut, is_cut: false, cost }, Scissors(sender))
    }

    fn poll_cut(&mut self, cx: &mut Context<'_>) -> bool {
        self.is_cut = self.is_cut || Pin::new(&mut self.cut).poll(cx).is_ready();
        self.is_cut
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        if let Some(cost) = &self.cost {
            cost.down(buf.filled().len() - before);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.poll_cut(cx) {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, buf))?;
        if let Some(cost) = &self.cost {
            cost.up(sent);
        }
        Poll::Ready(Ok(sent))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
