//! The signals that shut the server down. `Running::until` in `server.rs` then drains and stops it.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

/// What makes the server shut down: SIGTERM and SIGINT, or a [`Stop`] of the program that embeds it.
#[derive(Debug)]
pub struct Signals(Kind);

#[derive(Debug)]
enum Kind {
    Process { terminate: Signal, interrupt: Signal },
    Embedder(mpsc::UnboundedReceiver<()>),
}

/// Shuts a server down, in place of a signal.
#[derive(Debug, Clone)]
pub struct Stop(mpsc::UnboundedSender<()>);

impl Stop {
    /// Starts an orderly shutdown. The second call ends the server immediately.
    pub fn request(&self) {
        // This fails only when the server has ended.
        let _ = self.0.send(());
    }
}

impl Signals {
    /// Handles both signals of the process from now on; their default action no longer ends it.
    ///
    /// # Errors
    ///
    /// When the system does not install a handler.
    pub fn listen() -> io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self(Kind::Process { terminate, interrupt }))
    }

    /// Does not touch the signals of the process; the returned [`Stop`] shuts the server down.
    pub fn manual() -> (Stop, Self) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Stop(sender), Self(Kind::Embedder(receiver)))
    }

    /// Waits for the next signal and returns its name.
    pub(crate) async fn next(&mut self) -> &'static str {
        match &mut self.0 {
            Kind::Process { terminate, interrupt } => tokio::select! {
                _ = terminate.recv() => "SIGTERM",
                _ = interrupt.recv() => "SIGINT",
            },
            Kind::Embedder(requests) => match requests.recv().await {
                Some(()) => "stop",
                // The last `Stop` was dropped.
                None => std::future::pending().await,
            },
        }
    }
}
