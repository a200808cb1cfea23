//! Leaving: the signals that ask for it and the phases that follow.

use std::io;
use std::sync::Arc;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};

/// What asks the server to leave: SIGTERM and SIGINT, or whoever embeds it.
#[derive(Debug)]
pub struct Signals(Kind);

#[derive(Debug)]
enum Kind {
    Process { terminate: Signal, interrupt: Signal },
    Embedder(mpsc::UnboundedReceiver<()>),
}

/// Asks a server to leave, in place of a signal. Asked twice, it leaves at once.
#[derive(Debug, Clone)]
pub struct Stop(mpsc::UnboundedSender<()>);

impl Stop {
    /// Asks.
    pub fn ask(&self) {
        // A server that has left need not be asked.
        let _ = self.0.send(());
    }
}

impl Signals {
    /// Takes over both signals of the process from now on, so that it is no longer ended by them.
    ///
    /// # Errors
    ///
    /// When the system refuses.
    pub fn listen() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self(Kind::Process { terminate, interrupt }))
    }

    /// Leaves the signals of the process alone; the server leaves when it is asked to.
    pub fn manual() -> (Stop, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Stop(sender), Self(Kind::Embedder(receiver)))
    }

    /// Waits for the next and names it.
    pub(crate) async fn next(&mut self) -> &'static str {
        match &mut self.0 {
            Kind::Process { terminate, interrupt } => tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            },
            Kind::Embedder(asked) => match asked.recv().await {
                Some(()) => "stop",
                // Nobody is left to ask.
                None => std::future::pending().await,
            },
        }
    }
}

/// How far the server is on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Not at all.
    Serving,
    /// Unready, but serving.
    Draining,
    /// Finishing what is in flight.
    Leaving,
}

/// Announces phases.
#[derive(Debug, Clone)]
pub(crate) struct Leave(Arc<watch::Sender<Phase>>);

/// Hears of phases.
#[derive(Debug, Clone)]
pub(crate) struct Departure(watch::Receiver<Phase>);

pub(crate) fn departure() -> (Leave, Departure) {
    let (sender, receiver) = watch::channel(Phase::Serving);
    (Leave(Arc::new(sender)), Departure(receiver))
}

impl Leave {
    pub(crate) fn enter(&self, phase: Phase) {
        self.0.send_replace(phase);
    }
}

impl Departure {
    /// Waits until the server is further than `phase`, and hands itself back to wait for the next.
    pub(crate) async fn after(mut self, phase: Phase) -> (Phase, Self) {
        let next = self.0.wait_for(|current| *current > phase).await.map(|current| *current);
        match next {
            Ok(next) => (next, self),
            // Whoever could announce one is gone.
            Err(_closed) => std::future::pending().await,
        }
    }
}
