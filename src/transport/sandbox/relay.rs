//! A stream whose writes never wait.
//!
//! russh reads nothing while it waits for a write to be taken. Two ends that both send much would wait for each other
//! for ever; so this end's writes are stored. How much that can be, the other end's windows say.

use bytes::Bytes;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// `stream`, with writes that are taken at once and carried on by a task.
pub fn unblocked<S>(stream: S) -> impl AsyncRead + AsyncWrite + Unpin + Send + 'static
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (reader, writer) = tokio::io::split(stream);
    let (queue, waiting) = unbounded_channel();
    tokio::spawn(carry(waiting, writer));
    tokio::io::join(reader, Store(Some(queue)))
}

async fn carry(mut waiting: UnboundedReceiver<Bytes>, mut writer: impl AsyncWrite + Unpin) {
    while let Some(bytes) = waiting.recv().await {
        if writer.write_all(&bytes).await.is_err() {
            return;
        }
        if waiting.is_empty() && writer.flush().await.is_err() {
            return;
        }
    }
    let _ = writer.shutdown().await;
}

struct Store(Option<UnboundedSender<Bytes>>);

impl AsyncWrite for Store {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let sent = self.0.as_ref().is_some_and(|queue| queue.send(Bytes::copy_from_slice(bytes)).is_ok());
        Poll::Ready(if sent { Ok(bytes.len()) } else { Err(io::ErrorKind::BrokenPipe.into()) })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0 = None;
        Poll::Ready(Ok(()))
    }
}
