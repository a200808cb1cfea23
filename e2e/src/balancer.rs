//! Load-balances several replicas on one port, as a Service does.

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

/// Interval of readiness probes. Not shorter, because a cluster is not faster: a replica that stops serving before the
/// cluster notices must fail the test.
const PERIOD: Duration = Duration::from_secs(1);

/// Forwards connections to ready replicas, round robin. It does what the kubelet, the endpoints controller and kube-proxy do:
/// it probes `/readyz` of each replica every second, and keeps the open connections of a replica that becomes unready. If no
/// replica is ready, it closes connections at once.
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
    /// Starts one without replicas, on a free port. It serves until the process exits, and probes replicas until it is
    /// dropped.
    pub fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let replicas = Arc::new(Mutex::new(Vec::new()));
        let served = Arc::clone(&replicas);
        thread::spawn(move || {
            let turn = AtomicUsize::new(0);
            for client in listener.incoming().map_while(Result::ok) {
                if let Some(replica) = next_ready(&served, &turn) {
                    // For an unreachable replica the connection ends, as in a cluster.
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

    /// Its port on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Adds a replica. It gets connections when it is ready.
    pub fn add(&self, port: u16, admin_port: u16) {
        lock(&self.replicas).push(Replica { port, admin_port, is_ready: false });
    }

    /// Removes the replica that listens on this port, and keeps its open connections.
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

/// Probes every replica, without the lock: a replica that hangs must not block connections to the others.
fn probe(replicas: &Mutex<Vec<Replica>>) {
    let known: Vec<Replica> = lock(replicas).clone();
    for probed in known {
        let is_ready = get_succeeds(probed.admin_port, "/readyz");
        for replica in lock(replicas).iter_mut().filter(|replica| replica.port == probed.port) {
            replica.is_ready = is_ready;
        }
    }
}

/// The port of the next ready replica.
fn next_ready(replicas: &Mutex<Vec<Replica>>, turn: &AtomicUsize) -> Option<u16> {
    let ready: Vec<u16> =
        lock(replicas).iter().filter(|replica| replica.is_ready).map(|replica| replica.port).collect();
    let turn = turn.fetch_add(1, Ordering::Relaxed).checked_rem(ready.len())?;
    ready.get(turn).copied()
}

/// Copies bytes both ways until both sides have closed.
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

/// Copies bytes one way. Closes the other side at the end, also after an error.
fn carry(mut from: &TcpStream, mut to: &TcpStream) {
    // An error cannot be reported to a side that is closed.
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

    /// Responds to each connection with `body`, or with 503 if it is not ready, even without a request.
    fn replica(body: &'static str) -> Result<(u16, Arc<AtomicBool>)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let is_ready = Arc::new(AtomicBool::new(true));
        let answers_ready = Arc::clone(&is_ready);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let status = if answers_ready.load(Ordering::Relaxed) { "200 OK" } else { "503 Not Ready" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                // Read first, or closing would discard the response.
                let _ = stream.read(&mut [0; 1024]).and_then(|_| stream.write_all(answer.as_bytes()));
            }
        });
        Ok((port, is_ready))
    }

    /// The response of a replica behind the balancer; empty if the connection was closed.
    fn response(balancer: &Balancer) -> String {
        let answer = crate::http::get(balancer.port(), "/").unwrap_or_default();
        answer.rsplit('\n').next().unwrap_or_default().to_owned()
    }

    #[tokio::test]
    async fn connections_go_round_robin_to_ready_replicas() -> Result<()> {
        let balancer = Balancer::start()?;
        assert_eq!(response(&balancer), "", "no replica is ready");
        let (first, first_is_ready) = replica("first")?;
        let (second, _) = replica("second")?;
        balancer.add(first, first);
        balancer.add(second, second);
        balancer.has_ready(2).await?;
        let mut both = [response(&balancer), response(&balancer)];
        both.sort();
        assert_eq!(both, ["first", "second"]);

        first_is_ready.store(false, Ordering::Relaxed);
        balancer.has_ready(1).await?;
        assert_eq!([response(&balancer), response(&balancer)], ["second", "second"]);

        balancer.remove(second);
        assert_eq!(response(&balancer), "");
        Ok(())
    }
}
