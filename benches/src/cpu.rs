//! Processor time, which other processes on the machine do not add to.

use std::fs;
use std::io;
use std::time::Duration;

use criterion::measurement::{Measurement, ValueFormatter, WallTime};
use rustix::thread::{CpuSet, sched_setaffinity};
use rustix::time::{ClockId, clock_gettime};

/// Pins this thread, and those that it starts from now on, to one core.
pub fn pin(core: usize) -> io::Result<()> {
    let mut cores = CpuSet::new();
    cores.set(core);
    Ok(sched_setaffinity(None, &cores)?)
}

/// Processor time of all threads of a process so far, in user mode and in the kernel.
///
/// It is exact for sleeping threads, and up to a few milliseconds old for others
/// ([schedstat](https://docs.kernel.org/scheduler/sched-stats.html)).
pub fn process_time(pid: u32) -> io::Result<Duration> {
    let mut sum = Duration::ZERO;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let statistics = fs::read_to_string(task?.path().join("schedstat"))?;
        let nanoseconds = statistics.split(' ').next().and_then(|number| number.parse().ok());
        sum += nanoseconds.map(Duration::from_nanos).ok_or(io::ErrorKind::InvalidData)?;
    }
    Ok(sum)
}

/// Makes criterion measure the processor time of the benchmark's thread instead of wall-clock time, so that a busy machine
/// affects the figures less.
#[derive(Debug, Clone, Copy)]
pub struct ThreadTime;

/// Processor time of this thread so far.
pub fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::try_from(time).unwrap_or_default()
}

impl Measurement for ThreadTime {
    type Intermediate = Duration;
    type Value = Duration;

    fn start(&self) -> Duration {
        thread_time()
    }

    fn end(&self, start: Duration) -> Duration {
        thread_time().saturating_sub(start)
    }

    fn add(&self, a: &Duration, b: &Duration) -> Duration {
        *a + *b
    }

    fn zero(&self) -> Duration {
        Duration::ZERO
    }

    fn to_f64(&self, value: &Duration) -> f64 {
        WallTime.to_f64(value)
    }

    fn formatter(&self) -> &dyn ValueFormatter {
        WallTime.formatter()
    }
}
