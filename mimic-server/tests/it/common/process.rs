//! The `mimic-server` command in a separate process.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::eventually;

/// A command without this process's environment.
pub(crate) fn command(args: &[&str], variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimic-server"));
    command.args(args).env_clear().envs(variables.iter().copied());
    command
}

/// Runs the command to its end.
pub(crate) fn run(args: &[&str], variables: &[(&str, &str)]) -> Output {
    command(args, variables).output().expect("the command runs")
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("there are free ports").port()
}

/// A running server whose log is collected. It is killed when dropped.
pub(crate) struct Process {
    child: Child,
    log: Arc<Mutex<Vec<serde_json::Value>>>,
    reader: Option<JoinHandle<()>>,
}

impl Process {
    /// Starts the server with a log in JSON, on any free port.
    pub(crate) fn start(args: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut command = command(args, &[("MIMIC_LOGFORMAT", "json"), ("MIMIC_LISTENPORT", "0")]);
        command.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the command starts");
        let stderr = BufReader::new(child.stderr.take().expect("it is piped"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in stderr.lines() {
                let line = line.expect("the log is text");
                let line = serde_json::from_str(&line).unwrap_or_else(|_| panic!("the log is JSON: {line}"));
                lines.lock().unwrap().push(line);
            }
        });
        Self { child, log, reader: Some(reader) }
    }

    /// Waits for a line with this message.
    pub(crate) fn line(&self, message: &str) -> serde_json::Value {
        eventually(message, || self.lines().into_iter().find(|line| line["message"] == message))
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.log.lock().unwrap().clone()
    }

    /// Where the webhook listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.line("webhook listening")["address"].as_str().expect("an address").parse().expect("an address")
    }

    /// The address of the admin port.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.line("admin port listening")["address"].as_str().expect("an address").parse().expect("an address")
    }

    /// The TCP ports on which the process listens.
    pub(crate) fn listening(&self) -> Vec<u16> {
        let folder = format!("/proc/{}", self.child.id());
        let files = std::fs::read_dir(format!("{folder}/fd")).expect("Linux lists open files");
        let open: Vec<String> = files
            .filter_map(|file| std::fs::read_link(file.ok()?.path()).ok())
            .filter_map(|target| Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
            .collect();
        let mut ports = Vec::new();
        for table in ["tcp", "tcp6"] {
            let table = std::fs::read_to_string(format!("{folder}/net/{table}")).unwrap_or_default();
            for line in table.lines() {
                // Local address, state (0A is listening) and the number of the socket.
                let fields: Vec<&str> = line.split_whitespace().collect();
                if let [_, local, _, "0A", _, _, _, _, _, socket, ..] = fields[..]
                    && open.iter().any(|open| open == socket)
                {
                    let (_, port) = local.rsplit_once(':').expect("an address and a port");
                    ports.push(u16::from_str_radix(port, 16).expect("a port"));
                }
            }
        }
        ports.sort_unstable();
        // Each worker can have a socket of its own.
        ports.dedup();
        ports
    }

    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([&format!("-{signal}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// Waits for the end: its status, standard output and log.
    pub(crate) fn wait(mut self) -> (ExitStatus, String, Vec<serde_json::Value>) {
        let status = eventually("the process ends", || self.child.try_wait().expect("it can be waited for"));
        self.reader.take().expect("this is the only call").join().expect("the log was read");
        let mut output = String::new();
        self.child.stdout.take().expect("it is piped").read_to_string(&mut output).expect("the output is text");
        (status, output, self.lines())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
