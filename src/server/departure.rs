//! Noticing that a client has gone while its request is worked on.
//!
//! hyper is told to answer clients that closed their sending side, so it doesn't look at the socket meanwhile; a look
//! ahead that takes nothing from it does. Both share the reading half.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// The reading half, which one task alone uses.
#[derive(Clone)]
pub(super) struct Reading(Arc<Mutex<OwnedReadHalf>>);

/// A socket whose reading half is shared.
pub(super) struct SharedStream {
    reading: Reading,
    writing: OwnedWriteHalf,
}

impl SharedStream {
    pub(super) fn new(stream: TcpStream) -> Self {
        let (reading, writing) = stream.into_split();
        Self { reading: Reading(Arc::new(Mutex::new(reading))), writing }
    }

    pub(super) fn reading(&self) -> Reading {
        self.reading.clone()
    }
}

impl Reading {
    fn lock(&self) -> MutexGuard<'_, OwnedReadHalf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the peer has closed its sending side or reset the connection. Never returns where something it
    /// sent before stays unread.
    pub(super) async fn ended(&self) {
        let mut has_more = false;
        poll_fn(|context| {
            if has_more {
                return Poll::Pending;
            }
            let mut byte = [0];
            match self.lock().poll_peek(context, &mut ReadBuf::new(&mut byte)) {
                Poll::Ready(Ok(1..)) => {
                    has_more = true;
                    Poll::Pending
                }
                Poll::Ready(Ok(0) | Err(_)) => Poll::Ready(()),
                Poll::Pending => Poll::Pending,
            }
        })
        .await;
    }
}

impl AsyncRead for SharedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut *self.reading.lock()).poll_read(context, buffer)
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writing).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.writing).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.writing.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writing).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.writing).poll_shutdown(context)
    }
}
