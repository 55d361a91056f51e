//! A connection out, plain or encrypted.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::OutboundError;

/// A connection that was made by [`super::Outbound`].
pub struct OutboundStream {
    /// Read before anything from the wire.
    replay: Vec<u8>,
    wire: Wire,
}

enum Wire {
    Plain(TcpStream),
    Encrypted(Box<TlsStream<TcpStream>>),
}

impl fmt::Debug for OutboundStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[outbound stream]")
    }
}

impl OutboundStream {
    pub(super) fn plain(stream: TcpStream) -> Self {
        Self { replay: Vec::new(), wire: Wire::Plain(stream) }
    }

    pub(super) fn encrypted(stream: TlsStream<TcpStream>) -> Self {
        Self { replay: Vec::new(), wire: Wire::Encrypted(Box::new(stream)) }
    }

    /// The connection beneath, for TLS to start on.
    pub(super) fn into_tcp(self) -> Result<TcpStream, OutboundError> {
        match self.wire {
            Wire::Plain(stream) => Ok(stream),
            Wire::Encrypted(_) => Err(OutboundError::Broken("TLS within TLS".to_owned())),
        }
    }

    /// Has a reader see these bytes first: those somebody else read already.
    #[must_use]
    pub fn replaying(mut self, bytes: Vec<u8>) -> Self {
        self.replay = bytes;
        self
    }

    /// Who is at the other end.
    ///
    /// # Errors
    /// What the system said.
    pub fn peer_address(&self) -> io::Result<std::net::SocketAddr> {
        match &self.wire {
            Wire::Plain(stream) => stream.peer_addr(),
            Wire::Encrypted(stream) => stream.get_ref().0.peer_addr(),
        }
    }
}

impl AsyncRead for OutboundStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.replay.is_empty() {
            let taken = this.replay.len().min(buffer.remaining());
            buffer.put_slice(&this.replay[..taken]);
            this.replay.drain(..taken);
            return Poll::Ready(Ok(()));
        }
        match &mut this.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Encrypted(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for OutboundStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Encrypted(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Encrypted(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().wire {
            Wire::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Wire::Encrypted(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
