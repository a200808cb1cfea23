//! Closes connections in a way that lets the last response arrive.
//!
//! When a server closes a connection while the client still sends, the system resets the connection: the client's next
//! write fails, and most clients then never read the response. So the server first closes its own direction, then reads
//! and discards what the client still sends, until the client closes its direction or a limit is reached
//! ([RFC 9112, section 9.6](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)).

use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// Size of the buffer that discarded bytes are read into: one TLS record.
const DISCARDED: usize = 16 << 10;

/// How long, and for how many bytes, a closing connection is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// A connection that is read to its end, within bounds, before it closes.
pub(super) struct Linger<IO> {
    io: IO,
    bounds: Bounds,
    closing: Option<Closing>,
}

struct Closing {
    deadline: Pin<Box<Sleep>>,
    /// How many more bytes are discarded; zero once the connection is to close.
    left: usize,
    /// Whether the server's direction is closed.
    is_half_closed: bool,
}

impl<IO> Linger<IO> {
    pub(super) fn new(io: IO, bounds: Bounds) -> Self {
        Self { io, bounds, closing: None }
    }
}

impl Closing {
    fn new(bounds: Bounds) -> Self {
        let deadline = Box::pin(tokio::time::sleep(bounds.time));
        Self { deadline, left: bounds.bytes, is_half_closed: false }
    }

    fn poll<IO: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        io: &mut IO,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        // This also bounds the wait for a client that does not read.
        if self.deadline.as_mut().poll(context).is_ready() {
            self.left = 0;
            return Poll::Ready(Ok(()));
        }
        if !self.is_half_closed {
            ready!(Pin::new(&mut *io).poll_shutdown(context))?;
            self.is_half_closed = true;
        }
        let mut discarded = [MaybeUninit::uninit(); DISCARDED];
        let mut buffer = ReadBuf::uninit(&mut discarded);
        // A fast client does not occupy the thread: the runtime makes a socket pending after some reads in a row.
        while self.left > 0 {
            buffer.clear();
            match ready!(Pin::new(&mut *io).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.left = self.left.saturating_sub(buffer.filled().len()),
                // The client closed its direction, or the connection is broken.
                Ok(()) | Err(_) => self.left = 0,
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<IO: AsyncRead + Unpin> AsyncRead for Linger<IO> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(context, buf)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Linger<IO> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.closing.is_some() {
            // When a request head was too slow, the HTTP library writes its 408 again each time it is polled.
            return Poll::Ready(Ok(buf.len()));
        }
        Pin::new(&mut this.io).poll_write(context, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.closing.is_some() {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.closing.get_or_insert_with(|| Closing::new(this.bounds)).poll(&mut this.io, context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
    use tokio::time::Instant;

    use super::*;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(1), bytes: 100_000 };

    /// A connection with room for so many bytes on their way: the server's end and the client's.
    fn connection(room: usize) -> (Linger<DuplexStream>, DuplexStream) {
        let (server, client) = tokio::io::duplex(room);
        (Linger::new(server, BOUNDS), client)
    }

    async fn close(server: &mut Linger<DuplexStream>) -> Duration {
        let start = Instant::now();
        poll_fn(|context| Pin::new(&mut *server).poll_shutdown(context)).await.expect("it closes");
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_everything_before_it_reads_gets_the_response() {
        let (mut server, mut client) = connection(10);
        let client = tokio::spawn(async move {
            client.write_all(&vec![0; 90_000]).await.expect("nothing is refused");
            let mut response = String::new();
            client.read_to_string(&mut response).await.expect("the response is there");
            response
        });
        server.write_all(b"too large").await.expect("it is sent");
        assert_eq!(close(&mut server).await, Duration::ZERO, "the client was not waited for any longer than it sent");
        assert_eq!(client.await.expect("it does not panic"), "too large");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_never_stops_sending_is_cut_off_after_so_many_bytes() {
        let (mut server, mut client) = connection(1_000);
        let client = tokio::spawn(async move {
            let mut sent = 0;
            while client.write_all(&[0; 100]).await.is_ok() {
                sent += 100;
            }
            sent
        });
        assert_eq!(close(&mut server).await, Duration::ZERO);
        drop(server);
        let sent = client.await.expect("it does not panic");
        assert!((BOUNDS.bytes..=BOUNDS.bytes + 2_000).contains(&sent), "{sent}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_sends_slowly_or_nothing_is_cut_off_in_time() {
        let (mut server, mut client) = connection(10);
        let slow = tokio::spawn(async move {
            while client.write_all(&[0]).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        });
        assert_eq!(close(&mut server).await, BOUNDS.time);
        drop(server);
        slow.await.expect("it does not panic");

        let (mut server, _client) = connection(10);
        assert_eq!(close(&mut server).await, BOUNDS.time);
    }

    #[tokio::test(start_paused = true)]
    async fn the_client_sees_the_end_at_once() {
        let (mut server, mut client) = connection(10);
        let start = Instant::now();
        let (_, end) = tokio::join!(close(&mut server), async {
            client.read_to_end(&mut Vec::new()).await.expect("nothing more comes");
            start.elapsed()
        });
        assert_eq!(end, Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_written_while_it_closes_is_dropped() {
        let (mut server, mut client) = connection(10);
        let mut closing = tokio_test::task::spawn(close(&mut server));
        assert!(closing.poll().is_pending());
        drop(closing);
        server.write_all(b"once more").await.expect("it is dropped");
        let mut received = Vec::new();
        client.read_to_end(&mut received).await.expect("nothing more comes");
        assert_eq!(received, b"");
    }
}
