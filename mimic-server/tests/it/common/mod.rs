//! Shared by the tests: certificates, a server in this process, and simple clients.

pub(crate) mod client;
pub(crate) mod pki;
pub(crate) mod process;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use actix_web::rt::System;
use mimic_server::{Server, Settings, Signals, Stop};

pub(crate) const REVIEW: &str = include_str!("../../../../examples/review.json");

/// A server in a thread of this process. It is stopped when dropped.
pub(crate) struct TestServer {
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
    stop: Stop,
    thread: Option<JoinHandle<()>>,
}

impl TestServer {
    /// Starts with these variables, on any free ports of loopback; with a self-signed certificate unless they set another
    /// source.
    pub(crate) fn start(variables: &[(&str, &str)]) -> Self {
        Self::start_with(variables, |server| server)
    }

    pub(crate) fn start_with(
        variables: &[(&str, &str)],
        build: impl FnOnce(Server) -> Server + Send + 'static,
    ) -> Self {
        let mut settings = settings(variables);
        if let Some(admin) = &mut settings.admin {
            admin.port = 0;
        }
        let (sender, receiver) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            System::new().block_on(async move {
                let (stop, signals) = Signals::manual();
                let running = build(Server::new(settings)).start().await.expect("the server starts");
                let admin = running.admin_address().expect("the admin port is on");
                sender.send((running.address(), admin, stop)).expect("the test waits");
                running.until(signals).await.expect("the server ends in order");
            });
        });
        let (address, admin, stop) = receiver.recv().expect("the server starts");
        Self { address, admin, stop, thread: Some(thread) }
    }

    /// Status and body of `/readyz?verbose`.
    pub(crate) fn readiness(&self) -> (u16, String) {
        client::plain_get(self.admin, "/readyz?verbose")
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            // The second request ends it immediately.
            self.stop.request();
            self.stop.request();
            let _ = thread.join();
        }
    }
}

/// The settings from these variables, on loopback.
pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let defaults = [
        ("listenhost", "127.0.0.1"),
        ("listenport", "0"),
        ("admin.listenhost", "127.0.0.1"),
        ("certificate.source", "selfsigned"),
        ("kubernetes.enabled", "false"),
    ];
    let environment = variables.iter().map(|(name, value)| (name.into(), value.into()));
    Settings::load(environment, None, &defaults).settings.expect("the settings are valid")
}

/// Waits until `probe` returns a value.
pub(crate) fn eventually<T>(what: &str, mut probe: impl FnMut() -> Option<T>) -> T {
    // Long enough for any machine; a test that passes does not wait for it.
    let deadline = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "timeout: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Replaces a file atomically.
pub(crate) fn replace(path: &Path, content: impl AsRef<[u8]>) {
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, content).expect("the file can be written");
    std::fs::rename(&fresh, path).expect("the file can be renamed");
}
