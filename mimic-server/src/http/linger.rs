//! Closes connections in a way that lets the last response arrive.
//!
//! When a server closes a connection while the client still sends, the system resets the connection: the client's next
//! write fails, and most clients then never read the response. So the server first closes its own direction, then reads
//! and discards what the client still sends, until the client closes its direction or a limit is reached
//! ([RFC 9112, section 9.6](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)).

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Size of the buffer that discarded bytes are read into: one TLS record.
const DISCARDED: usize = 16 << 10;

/// How long, and for how many bytes, a closing connection is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) time: Duration,
    pub(crate) bytes: usize,
}

/// Closes a connection within `bounds`. The caller closes the socket by dropping it.
pub(super) async fn close<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO, bounds: Bounds) {
    // This also bounds the wait for a client that does not read. An error means that the client closed the connection.
    let _ = tokio::time::timeout(bounds.time, async {
        io.shutdown().await?;
        let mut left = bounds.bytes;
        poll_fn(|context| poll_discard(io, context, &mut left)).await
    })
    .await;
}

/// Reads to the end of the client's direction, at most `left` bytes.
fn poll_discard<IO: AsyncRead + Unpin>(
    io: &mut IO,
    context: &mut Context<'_>,
    left: &mut usize,
) -> Poll<io::Result<()>> {
    let mut discarded = [MaybeUninit::uninit(); DISCARDED];
    let mut buffer = ReadBuf::uninit(&mut discarded);
    // A fast client does not occupy the thread: the runtime makes a socket pending after some reads in a row.
    while *left > 0 {
        buffer.clear();
        ready!(Pin::new(&mut *io).poll_read(context, &mut buffer))?;
        if buffer.filled().is_empty() {
            break;
        }
        *left = left.saturating_sub(buffer.filled().len());
    }
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, DuplexStream};
    use tokio::time::Instant;

    use super::*;

    const BOUNDS: Bounds = Bounds { time: Duration::from_secs(1), bytes: 100_000 };

    /// A connection with room for so many bytes on their way: the server's end and the client's.
    fn connection(room: usize) -> (DuplexStream, DuplexStream) {
        tokio::io::duplex(room)
    }

    async fn close(server: &mut DuplexStream) -> Duration {
        let start = Instant::now();
        super::close(server, BOUNDS).await;
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
}
