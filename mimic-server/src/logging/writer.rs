//! Writes log lines from a separate thread.
//!
//! A full pipe blocks the thread that writes to it, and slow log output must not delay pods. So other threads only queue
//! their lines. The writing thread also combines lines into few writes under load.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::frequency::{Frequency, LeftOut, PERIOD};

/// Bytes that can wait to be written: about four thousand lines, or seconds of a busy server.
const ROOM: usize = 1 << 20;

/// How long lines are collected after a write. It saves a busy server most of the writes.
const GATHER: Duration = Duration::from_millis(10);

/// How long the process waits at its end for the last lines.
const LAST: Duration = Duration::from_secs(1);

/// Lines dropped since the process began.
static LOST: AtomicU64 = AtomicU64::new(0);

/// Lines dropped since the process began, because the output was too slow.
pub(crate) fn lost_lines() -> u64 {
    LOST.load(Ordering::Relaxed)
}

/// Waits, when it is dropped, until all lines are written, for a second at most.
#[derive(Debug)]
#[must_use = "the last lines are lost if the process ends without dropping it"]
pub struct LastLines(Arc<Queue>);

impl Drop for LastLines {
    fn drop(&mut self) {
        self.0.wait_until_written(LAST);
    }
}

/// Queues whole lines; never waits for the output.
#[derive(Clone)]
pub(super) struct Lines(Arc<Queue>);

impl Write for Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// Makes the thread look for lines that were left out.
    pub(super) fn wake(&self) {
        self.0.lock().has_left_out = true;
        self.0.work.notify_one();
    }
}

/// Starts the thread that writes to `out`, and reports the lines that `frequency` left out.
pub(super) fn start(out: impl Write + Send + 'static, frequency: Arc<Frequency>) -> io::Result<(Lines, LastLines)> {
    let queue = Arc::new(Queue::default());
    let shared = Arc::clone(&queue);
    std::thread::Builder::new().name("log".to_owned()).spawn(move || shared.drain(out, &frequency))?;
    Ok((Lines(Arc::clone(&queue)), LastLines(queue)))
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    /// Wakes the thread: there are lines, or the end of the process waits for the last ones.
    work: Condvar,
    written: Condvar,
}

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are independent of each other")]
struct Waiting {
    lines: Vec<u8>,
    lost: u64,
    /// The thread waits for lines.
    idle: bool,
    /// The thread is writing lines that are no longer in `lines`.
    writing: bool,
    /// The end of the process waits until all lines are written.
    hurry: bool,
    /// Lines were left out and not reported.
    has_left_out: bool,
}

impl Queue {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &[u8]) {
        let mut waiting = self.lock();
        if waiting.lines.len() + line.len() > ROOM {
            waiting.lost += 1;
            LOST.fetch_add(1, Ordering::Relaxed);
            return;
        }
        waiting.lines.extend_from_slice(line);
        if waiting.idle {
            waiting.idle = false;
            self.work.notify_one();
        }
    }

    fn drain(&self, mut out: impl Write, frequency: &Frequency) {
        let mut lines = Vec::new();
        let mut waiting = self.lock();
        loop {
            waiting.idle = true;
            let is_idle = |waiting: &mut Waiting| waiting.lines.is_empty();
            waiting = if waiting.has_left_out {
                self.work.wait_timeout_while(waiting, PERIOD, is_idle).unwrap_or_else(PoisonError::into_inner).0
            } else {
                let is_idle = |waiting: &mut Waiting| is_idle(waiting) && !waiting.has_left_out;
                self.work.wait_while(waiting, is_idle).unwrap_or_else(PoisonError::into_inner)
            };
            waiting.idle = false;
            std::mem::swap(&mut waiting.lines, &mut lines);
            let lost = std::mem::take(&mut waiting.lost);
            waiting.writing = true;
            drop(waiting);
            // A failure of standard error cannot be reported anywhere.
            let _ = out.write_all(&lines).and_then(|()| out.flush());
            lines.clear();
            if lost > 0 {
                log::warn!(lost; "log lines dropped: output is too slow");
            }
            let (left_out, is_more) = frequency.take_left_out(Instant::now());
            for LeftOut { target, message, count } in left_out {
                log::warn!(module = target, kind = message, count; "log lines left out: too many of a kind");
            }
            waiting = self.lock();
            waiting.has_left_out = is_more;
            waiting.writing = false;
            self.written.notify_all();
            (waiting, _) =
                (self.work).wait_timeout_while(waiting, GATHER, |w| !w.hurry).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn wait_until_written(&self, limit: Duration) {
        let mut waiting = self.lock();
        waiting.hurry = true;
        self.work.notify_one();
        let _ = self.written.wait_timeout_while(waiting, limit, |w| w.writing || !w.lines.is_empty());
        self.lock().hurry = false;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// Writes only when the test allows it, and passes on what it wrote.
    struct Gate(Receiver<()>, SyncSender<Vec<u8>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn blocked_output_delays_no_thread_and_uses_bounded_memory() {
        let (open, gate) = sync_channel(8);
        let (out, written) = sync_channel(8);
        let (mut lines, end) = start(Gate(gate, out), Arc::default()).expect("a thread");
        let line = |n: usize| format!("{n:0100}\n");
        let before = lost_lines();
        let many = 3 * ROOM / line(0).len();
        for n in 0..many {
            lines.write_all(line(n).as_bytes()).expect("it never fails");
        }
        let lost = usize::try_from(lost_lines() - before).expect("it is small");
        assert!(lost > many / 4 && lost < many, "{lost} of {many}");

        for _ in 0..8 {
            open.send(()).expect("the thread is there");
        }
        drop(end);
        let text = written.try_iter().flatten().collect::<Vec<u8>>();
        let expected: String = (0..many - lost).map(line).collect();
        assert!(text == expected.as_bytes(), "the first lines are kept, in their order");
    }

    #[test]
    fn the_end_does_not_wait_for_blocked_output() {
        let (_open, gate) = sync_channel(1);
        let (out, _written) = sync_channel(1);
        let (mut lines, end) = start(Gate(gate, out), Arc::default()).expect("a thread");
        lines.write_all(b"never read\n").expect("it never fails");
        let began = Instant::now();
        drop(end);
        assert!((LAST..LAST * 10).contains(&began.elapsed()), "{:?}", began.elapsed());
    }

    #[test]
    fn the_last_lines_are_written_before_the_end() {
        let (open, gate) = sync_channel(8);
        let (out, written) = sync_channel(8);
        for _ in 0..8 {
            open.send(()).expect("there is room");
        }
        let (mut lines, end) = start(Gate(gate, out), Arc::default()).expect("a thread");
        for text in ["one\n", "two\n", "three\n"] {
            lines.write_all(text.as_bytes()).expect("it never fails");
        }
        drop(end);
        assert_eq!(written.try_iter().flatten().collect::<Vec<u8>>(), b"one\ntwo\nthree\n");
    }
}
