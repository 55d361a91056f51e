//! A connection's socket in two halves, so that its reading half can be watched while an answer is written.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

/// Both halves.
pub(super) struct Halves {
    read: Arc<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

/// Sees whether the peer is still there.
pub(super) struct PeerWatch(Arc<OwnedReadHalf>);

impl Halves {
    pub fn new(stream: TcpStream) -> (Self, PeerWatch) {
        let (read, write) = stream.into_split();
        let read = Arc::new(read);
        (Self { read: read.clone(), write }, PeerWatch(read))
    }
}

impl PeerWatch {
    /// Resolves when the peer has closed the connection or its sending side; never, when it has sent something that
    /// nobody has read.
    pub async fn gone(&self) {
        let stream: &TcpStream = (*self.0).as_ref();
        if let Ok(1..) = stream.peek(&mut [0]).await {
            std::future::pending::<()>().await;
        }
    }
}

impl AsyncRead for Halves {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let stream: &TcpStream = (*self.read).as_ref();
        loop {
            ready!(stream.poll_read_ready(context))?;
            match stream.try_read_buf(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Halves {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().write).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().write).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.write.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().write).poll_shutdown(context)
    }
}
