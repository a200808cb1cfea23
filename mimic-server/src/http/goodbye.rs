//! Announces the shutdown of the server to HTTP/2 clients.
//!
//! For HTTP/1.1 the header `Connection: close` of a response does this. HTTP/2 has the GOAWAY frame, which the HTTP library
//! neither sends nor allows to be sent: it drops the connection at the end, and requests in flight fail. So a layer
//! between TLS and HTTP/2 follows the frames that the server writes and inserts a GOAWAY between two of them
//! ([RFC 9113, section 6.8](https://www.rfc-editor.org/rfc/rfc9113#section-6.8)). The frame names the highest possible
//! stream, so it refuses nothing: the server still answers every request that the client sends before it reads the
//! frame. The client then opens new streams on another connection and closes this one after its last response.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::shutdown::{Phase, PhaseReceiver};

/// Length 8, type GOAWAY, no flags, stream 0; then the last stream (the highest possible) and the error code (none).
const GOAWAY: [u8; 17] = [0, 0, 8, 7, 0, 0, 0, 0, 0, 0x7f, 0xff, 0xff, 0xff, 0, 0, 0, 0];

/// Type of the frame that begins a response.
const HEADERS: u8 = 1;

/// A connection that sends GOAWAY when the server shuts down, if it is HTTP/2.
pub(super) struct Goodbye<IO> {
    io: IO,
    /// `None` for HTTP/1.1, and after the frame was sent.
    pending: Option<Pending>,
}

struct Pending {
    /// Resolves when a phase after the current one begins.
    next: Pin<Box<dyn Future<Output = (Phase, PhaseReceiver)>>>,
    phase: Phase,
    frames: Frames,
    /// How many bytes of the frame are written.
    written: usize,
    /// Whether a write must be repeated. TLS has encrypted its bytes already, so no others can come before them.
    blocked: bool,
}

impl<IO> Goodbye<IO> {
    pub(super) fn new(io: IO, is_http2: bool, phases: &PhaseReceiver) -> Self {
        let pending = is_http2.then(|| Pending {
            next: Box::pin(phases.clone().after(Phase::Serving)),
            phase: Phase::Serving,
            frames: Frames::default(),
            written: 0,
            blocked: false,
        });
        Self { io, pending }
    }
}

impl Pending {
    fn poll_phase(&mut self, context: &mut Context<'_>) {
        while self.phase != Phase::Finishing
            && let Poll::Ready((phase, phases)) = self.next.as_mut().poll(context)
        {
            self.phase = phase;
            self.next = Box::pin(phases.after(phase));
        }
    }

    /// A client that has received a response opens another connection. One without a response could treat the frame as
    /// a refusal of its first request, so it gets the frame only in the last phase.
    fn is_due(&self) -> bool {
        let due = match self.phase {
            Phase::Serving => false,
            Phase::Draining => self.frames.answered,
            Phase::Finishing => true,
        };
        self.written > 0 || due && !self.blocked && self.frames.is_between()
    }
}

impl<IO: AsyncWrite + Unpin> Goodbye<IO> {
    /// Writes the frame if it is due.
    fn poll_goodbye(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(pending) = &mut self.pending else { return Poll::Ready(Ok(())) };
        pending.poll_phase(context);
        if !pending.is_due() {
            return Poll::Ready(Ok(()));
        }
        while pending.written < GOAWAY.len() {
            match ready!(Pin::new(&mut self.io).poll_write(context, &GOAWAY[pending.written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => pending.written += count,
            }
        }
        self.pending = None;
        Pin::new(&mut self.io).poll_flush(context)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Goodbye<IO> {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // An idle connection only reads. Reading continues while the frame cannot be written; the connection is polled
        // again when it can.
        if let Poll::Ready(Err(error)) = this.poll_goodbye(context) {
            return Poll::Ready(Err(error));
        }
        Pin::new(&mut this.io).poll_read(context, buf)
    }
}

impl<IO: AsyncWrite + Unpin> AsyncWrite for Goodbye<IO> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_goodbye(context))?;
        let result = Pin::new(&mut this.io).poll_write(context, buf);
        if let Some(pending) = &mut this.pending {
            pending.blocked = result.is_pending();
            if let Poll::Ready(Ok(count)) = result {
                pending.frames.follow(&buf[..count]);
            }
        }
        result
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // The frame follows the response that was just written; it does not wait for the next one.
        ready!(this.poll_goodbye(context))?;
        Pin::new(&mut this.io).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(context)
    }
}

/// Follows the frames that the server writes: a header of nine bytes, then as many bytes as the header declares
/// ([RFC 9113, section 4.1](https://www.rfc-editor.org/rfc/rfc9113#section-4.1)).
#[derive(Debug, Default)]
struct Frames {
    header: [u8; 9],
    /// How many bytes of the header were written.
    seen: usize,
    /// How many bytes of the frame remain.
    rest: usize,
    /// Whether a response was begun.
    answered: bool,
}

impl Frames {
    fn is_between(&self) -> bool {
        self.seen == 0 && self.rest == 0
    }

    fn follow(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            if self.rest > 0 {
                let count = self.rest.min(bytes.len());
                self.rest -= count;
                bytes = &bytes[count..];
                continue;
            }
            let count = (self.header.len() - self.seen).min(bytes.len());
            self.header[self.seen..self.seen + count].copy_from_slice(&bytes[..count]);
            self.seen += count;
            bytes = &bytes[count..];
            if self.seen == self.header.len() {
                let [a, b, c, kind, ..] = self.header;
                self.rest = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                self.answered |= kind == HEADERS;
                self.seen = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::shutdown::phases;

    /// Accepts a limited number of bytes per write, and none every other time.
    struct Narrow {
        taken: Vec<u8>,
        width: usize,
        ready: bool,
        /// The bytes of a blocked write: TLS requires the same bytes when it is repeated.
        held: Option<Vec<u8>>,
    }

    impl AsyncRead for Narrow {
        fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, _: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
            Poll::Pending
        }
    }

    impl AsyncWrite for Narrow {
        fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            if let Some(held) = self.held.take() {
                assert_eq!(held, buf, "a blocked write is repeated unchanged");
            }
            self.ready = !self.ready;
            if self.ready {
                self.held = Some(buf.to_vec());
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            let count = self.width.min(buf.len());
            self.taken.extend_from_slice(&buf[..count]);
            Poll::Ready(Ok(count))
        }
        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn frame(kind: u8, length: u8) -> Vec<u8> {
        let mut frame = vec![0, 0, length, kind, 0, 0, 0, 0, 1];
        frame.extend(std::iter::repeat_n(kind, length.into()));
        frame
    }

    async fn write_all(io: &mut Goodbye<Narrow>, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let count =
                poll_fn(|context| Pin::new(&mut *io).poll_write(context, bytes)).await.expect("it accepts bytes");
            bytes = &bytes[count..];
        }
    }

    #[tokio::test]
    async fn the_frame_comes_between_two_others_however_narrow_the_connection() {
        for width in 1..40 {
            let (sender, receiver) = phases();
            let narrow = Narrow { taken: Vec::new(), width, ready: false, held: None };
            let mut io = Goodbye::new(narrow, true, &receiver);
            let (settings, headers, data) = (frame(4, 6), frame(HEADERS, 20), frame(0, 30));

            sender.enter(Phase::Draining);
            write_all(&mut io, &settings).await;
            assert_eq!(io.io.taken, settings, "no response yet");
            write_all(&mut io, &headers[..5]).await;
            write_all(&mut io, &headers[5..]).await;
            write_all(&mut io, &data).await;
            poll_fn(|context| Pin::new(&mut io).poll_flush(context)).await.expect("it flushes");
            write_all(&mut io, &data).await;

            assert_eq!(io.io.taken, [settings, headers, GOAWAY.to_vec(), data.clone(), data].concat(), "{width}");
        }
    }

    #[tokio::test]
    async fn an_idle_connection_gets_the_frame_while_it_waits_to_read() {
        let (sender, receiver) = phases();
        let narrow = Narrow { taken: Vec::new(), width: 5, ready: false, held: None };
        let mut io = Goodbye::new(narrow, true, &receiver);
        let mut read = tokio_test::task::spawn(poll_fn(|context| {
            let mut space = [0; 8];
            Pin::new(&mut io).poll_read(context, &mut ReadBuf::new(&mut space))
        }));
        assert!(read.poll().is_pending());
        sender.enter(Phase::Draining);
        assert!(read.is_woken(), "it also waits for the phase");
        assert!(read.poll().is_pending());
        sender.enter(Phase::Finishing);
        while read.is_woken() {
            assert!(read.poll().is_pending());
        }
        drop(read);
        assert_eq!(io.io.taken, GOAWAY);
    }

    #[tokio::test]
    async fn http_1_is_unchanged() {
        let (sender, receiver) = phases();
        let mut io = Goodbye::new(Narrow { taken: Vec::new(), width: 5, ready: false, held: None }, false, &receiver);
        sender.enter(Phase::Finishing);
        write_all(&mut io, b"HTTP/1.1 200 OK\r\n\r\n").await;
        assert_eq!(io.io.taken, b"HTTP/1.1 200 OK\r\n\r\n");
    }
}
