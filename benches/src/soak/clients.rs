//! Other clients: those that vanish, those that open new connections, and idle connections.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::rc::Rc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::AsyncWriteExt as _;

use super::counts::{Counts, add};
use crate::client::{Channel, Opener};
use crate::load::Exchange;

/// Time between two clients that vanish.
const VANISH: Duration = Duration::from_millis(20);

/// Time between two new connections.
const RECONNECT: Duration = Duration::from_millis(100);

/// How often each idle connection is used: the server closes those that are idle for two minutes.
const USE: Duration = Duration::from_mins(1);

pub(super) struct Clients<'a> {
    opener: &'a Rc<Opener>,
    exchange: &'a Exchange,
    counts: &'a Counts,
    idle: RefCell<Vec<Channel>>,
    pub(super) vanished: Cell<u64>,
    /// Serial numbers of the server's certificates.
    pub(super) certificates: RefCell<BTreeSet<String>>,
}

impl<'a> Clients<'a> {
    pub(super) fn new(opener: &'a Rc<Opener>, exchange: &'a Exchange, counts: &'a Counts) -> Self {
        Self {
            opener,
            exchange,
            counts,
            idle: RefCell::new(Vec::new()),
            vanished: Cell::new(0),
            certificates: RefCell::new(BTreeSet::new()),
        }
    }

    /// Opens idle connections, after a review on each.
    pub(super) async fn open_idle(&mut self, count: usize) -> Result<()> {
        for _ in 0..count {
            let mut channel = Channel::over(Box::new(self.opener.stream().await?));
            self.counts.send(&mut self.exchange.requests(), &mut channel).await;
            self.idle.get_mut().push(channel);
        }
        Ok(())
    }

    /// Sends a review on one idle connection after the other, without an end.
    pub(super) async fn use_idle(&self) -> Result<()> {
        let count = self.idle.borrow().len();
        if count == 0 {
            return std::future::pending().await;
        }
        let mut every = tokio::time::interval(USE / u32::try_from(count)?);
        let mut requests = self.exchange.requests();
        loop {
            every.tick().await;
            // It goes to the end of the list.
            let mut channel = self.idle.borrow_mut().remove(0);
            if !self.counts.send(&mut requests, &mut channel).await {
                channel = Channel::over(Box::new(self.opener.stream().await?));
            }
            self.idle.borrow_mut().push(channel);
        }
    }

    /// Sends a review on each idle connection, and closes it.
    pub(super) async fn close_idle(&self) {
        let mut requests = self.exchange.requests();
        for mut channel in self.idle.take() {
            self.counts.send(&mut requests, &mut channel).await;
        }
    }

    /// Clients that vanish before their request is complete, without an end: after the handshake, in the head, or in the
    /// body.
    pub(super) async fn vanish(&self) -> Result<()> {
        let request = self.exchange.request();
        let mut every = tokio::time::interval(VANISH);
        loop {
            every.tick().await;
            let mut stream = self.opener.stream().await.context("a client that will vanish")?;
            let part = [0, 40, request.len() / 2, request.len() - 1][usize::try_from(self.vanished.get() % 4)?];
            stream.write_all(&request[..part]).await?;
            stream.flush().await?;
            add(&self.vanished);
        }
    }

    /// Clients that open a connection for one review, without an end. They notice new certificates.
    pub(super) async fn reconnect(&self) -> Result<()> {
        let mut every = tokio::time::interval(RECONNECT);
        let mut requests = self.exchange.requests();
        loop {
            every.tick().await;
            let stream = match self.opener.stream().await {
                Ok(stream) => stream,
                Err(error) => {
                    self.counts.refuse(&error);
                    continue;
                }
            };
            let certificate = stream.ssl().peer_certificate().context("a server without a certificate")?;
            let serial = certificate.serial_number().to_bn()?.to_dec_str()?.to_string();
            self.certificates.borrow_mut().insert(serial);
            self.counts.send(&mut requests, &mut Channel::over(Box::new(stream))).await;
        }
    }
}
