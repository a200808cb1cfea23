//! Several replicas behind one port, as a Service has them.

use std::{
    io,
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::Result;

use crate::{http::get_succeeds, wait::eventually};

/// Between two looks at the readiness of a replica. Not shorter, since a cluster takes its time too: whoever stops
/// serving before that is noticed shall be found out.
const PERIOD: Duration = Duration::from_secs(1);

/// Sends connections on to replicas that are ready, in turn. It does what the kubelet, the controller of endpoints and
/// kube-proxy do together: asks each replica for `/readyz` every second, and leaves alone the connections that a
/// replica has when it is no longer ready. While none is ready, connections are closed at once.
#[derive(Debug)]
pub struct Balancer {
    port: u16,
    replicas: Arc<Mutex<Vec<Replica>>>,
}

#[derive(Clone, Copy, Debug)]
struct Replica {
    port: u16,
    admin_port: u16,
    is_ready: bool,
}

impl Balancer {
    /// Starts one without replicas, on a free port. It serves for as long as the process runs, and asks replicas whether
    /// they are ready until it is dropped.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let replicas = Arc::new(Mutex::new(Vec::new()));
        let served = Arc::clone(&replicas);
        thread::spawn(move || {
            let turn = AtomicUsize::new(0);
            for client in listener.incoming().map_while(Result::ok) {
                if let Some(replica) = next_ready(&served, &turn) {
                    // A replica that cannot be reached is a connection that ends: the client sees what it would in a cluster.
                    thread::spawn(move || forward(&client, replica));
                }
            }
        });
        let probed = Arc::downgrade(&replicas);
        thread::spawn(move || {
            while let Some(replicas) = probed.upgrade() {
                probe(&replicas);
                drop(replicas);
                thread::sleep(PERIOD);
            }
        });
        Ok(Self { port, replicas })
    }

    /// Where it listens, on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds a replica, which gets connections once it is ready.
    pub fn add(&self, port: u16, admin_port: u16) {
        lock(&self.replicas).push(Replica { port, admin_port, is_ready: false });
    }

    /// Forgets the replica that listens on this port; the connections that it has go on.
    pub fn remove(&self, port: u16) {
        lock(&self.replicas).retain(|replica| replica.port != port);
    }

    /// Waits until this many replicas get connections.
    pub async fn has_ready(&self, count: usize) -> Result<()> {
        let ready = || lock(&self.replicas).iter().filter(|replica| replica.is_ready).count();
        eventually(&format!("{count} replicas get connections"), async || Ok(ready() == count)).await
    }
}

fn lock(replicas: &Mutex<Vec<Replica>>) -> std::sync::MutexGuard<'_, Vec<Replica>> {
    replicas.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Asks every replica. Not under the lock, since one that hangs must not hold up connections to the others.
fn probe(replicas: &Mutex<Vec<Replica>>) {
    let known: Vec<Replica> = lock(replicas).clone();
    for asked in known {
        let is_ready = get_succeeds(asked.admin_port, "/readyz");
        for replica in lock(replicas).iter_mut().filter(|replica| replica.port == asked.port) {
            replica.is_ready = is_ready;
        }
    }
}

/// The port of the replica whose turn it is.
fn next_ready(replicas: &Mutex<Vec<Replica>>, turn: &AtomicUsize) -> Option<u16> {
    let ready: Vec<u16> =
        lock(replicas).iter().filter(|replica| replica.is_ready).map(|replica| replica.port).collect();
    let turn = turn.fetch_add(1, Ordering::Relaxed).checked_rem(ready.len())?;
    ready.get(turn).copied()
}

/// Carries bytes both ways until both sides have said that there are no more.
fn forward(client: &TcpStream, replica: u16) -> io::Result<()> {
    let server = TcpStream::connect((Ipv4Addr::LOCALHOST, replica))?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    thread::scope(|scope| {
        scope.spawn(|| carry(client, &server));
        carry(&server, client);
    });
    Ok(())
}

/// Carries bytes one way. The end is passed on, whether it came in order or as a failure.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    // Whichever side broke it, there is nobody left on that side to tell.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        sync::atomic::AtomicBool,
    };

    use super::*;

    /// Serves `answer` to each connection as long as `is_ready`, and then 503. A connection of the balancer that asks
    /// nothing gets it too.
    fn replica(body: &'static str) -> Result<(u16, Arc<AtomicBool>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let is_ready = Arc::new(AtomicBool::new(true));
        let answers_ready = Arc::clone(&is_ready);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let status = if answers_ready.load(Ordering::Relaxed) { "200 OK" } else { "503 Not Ready" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                // So that closing does not discard what was sent.
                let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(answer.as_bytes()));
            }
        });
        Ok((port, is_ready))
    }

    /// Who answers behind the balancer; nobody when the connection is closed.
    fn asked(balancer: &Balancer) -> String {
        let answer = crate::http::get(balancer.port(), "/").unwrap_or_default();
        answer.rsplit('\n').next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn connections_go_in_turn_to_the_replicas_that_are_ready() -> Result<()> {
        let balancer = Balancer::start()?;
        assert_eq!(asked(&balancer), "", "nobody is there");
        let (first, first_is_ready) = replica("first")?;
        let (second, _) = replica("second")?;
        balancer.add(first, first);
        balancer.add(second, second);
        balancer.has_ready(2).await?;
        let mut both = [asked(&balancer), asked(&balancer)];
        both.sort();
        assert_eq!(both, ["first", "second"]);

        first_is_ready.store(false, Ordering::Relaxed);
        balancer.has_ready(1).await?;
        assert_eq!([asked(&balancer), asked(&balancer)], ["second", "second"]);

        balancer.remove(second);
        assert_eq!(asked(&balancer), "");
        Ok(())
    }
}
