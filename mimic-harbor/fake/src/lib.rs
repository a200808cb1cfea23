//! A fake Harbor on the loopback that replays recordings and misbehaves on demand. It is blocking and small, so that the
//! tests of other crates can use it, too.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

const RECORDINGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/data/exchanges.jsonl");

/// The password of every account.
pub const PASSWORD: &str = "s3cret";

/// The path of a page of all proxy-cache projects.
pub fn proxy_projects(page: usize) -> String {
    format!("/api/v2.0/projects?page={page}&page_size=100&q=registry_id%3D%5B1~%5D")
}

/// A request that the fake received.
#[derive(Clone, Debug)]
pub struct Request {
    /// The credential, by its name in the recordings.
    pub by: String,
    /// Path and query.
    pub path: String,
    /// Headers, by name in lower case.
    pub headers: HashMap<String, String>,
}

/// A response to send.
#[derive(Clone, Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers, in addition to those of every response.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
    /// How many bytes of the body are sent before the connection is closed, if not all.
    pub breaks_off_at: Option<usize>,
    /// Delay before the response.
    pub delay: Duration,
}

impl Answer {
    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::new(status, "application/json; charset=utf-8", body.to_string())
    }

    /// A body with a content type.
    pub fn new(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("Content-Type".to_owned(), kind.to_owned())];
        Self { status, headers, body: body.into(), breaks_off_at: None, delay: Duration::ZERO }
    }

    /// An error response in Harbor's format.
    pub fn error(status: u16, message: &str) -> Self {
        Self::json(status, &json!({"errors": [{"code": "UNKNOWN", "message": message}]}))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

type Recordings = HashMap<(String, String), Answer>;
type Mischief = dyn Fn(&Request, &dyn Fn(&Request) -> Answer) -> Option<Answer> + Send + Sync;

/// A running fake. It runs until the process exits.
#[derive(Clone)]
pub struct Fake {
    address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    recordings: Recordings,
    mischief: Mutex<Option<Arc<Mischief>>>,
    /// `None` if requests are not recorded.
    requests: Mutex<Option<Vec<Request>>>,
    connections: Mutex<usize>,
}

/// A connection.
pub trait Stream: Read + Write + Send {}

impl<T: Read + Write + Send> Stream for T {}

impl fmt::Debug for Fake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Fake").field(&self.address).finish()
    }
}

impl Fake {
    /// Starts it with plain HTTP.
    pub fn start() -> Self {
        Self::start_with(|stream| Some(Box::new(stream)))
    }

    /// Starts it with a layer, such as TLS, around every connection.
    ///
    /// # Panics
    /// If no port is free.
    pub fn start_with(wrap: impl Fn(TcpStream) -> Option<Box<dyn Stream>> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound listener has an address");
        let shared = Arc::new(Shared {
            recordings: recordings(),
            mischief: Mutex::default(),
            requests: Mutex::new(Some(Vec::new())),
            connections: Mutex::default(),
        });
        let (fake, wrap) = (Self { address, shared }, Arc::new(wrap));
        let serving = fake.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (fake, wrap) = (serving.clone(), Arc::clone(&wrap));
                *lock(&fake.shared.connections) += 1;
                thread::spawn(move || wrap(stream).map(|stream| fake.serve(stream)));
            }
        });
        fake
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Calls `mischief` for every request. If it returns `None`, the fake responds with the recording. `mischief` gets a
    /// function that returns the recorded response.
    pub fn misbehave(
        &self,
        mischief: impl Fn(&Request, &dyn Fn(&Request) -> Answer) -> Option<Answer> + Send + Sync + 'static,
    ) {
        *lock(&self.shared.mischief) = Some(Arc::new(mischief));
    }

    /// Edits the list of projects.
    ///
    /// # Panics
    /// If an account has no list of projects in the recordings.
    pub fn edit_projects(&self, edit: impl Fn(&mut Vec<Value>) + Send + Sync + 'static) {
        self.misbehave(move |request, recorded| {
            if request.path != proxy_projects(1) {
                return None;
            }
            let mut answer = recorded(request);
            let mut projects: Vec<Value> = serde_json::from_slice(&answer.body).expect("a page of projects");
            edit(&mut projects);
            answer.body = Value::from(projects).to_string().into_bytes();
            answer.headers.retain(|(name, _)| name != "x-total-count");
            Some(answer)
        });
    }

    /// Removes the projects that have `part` in their name.
    pub fn remove_projects(&self, part: &'static str) {
        self.edit_projects(move |projects| projects.retain(|project| !project["name"].to_string().contains(part)));
    }

    /// Gives projects a filter, as Harbor 2.16 reports it: each with its name, and the kind and the pattern of the filter. Harbor
    /// leaves out an empty kind.
    pub fn set_filters(&self, filters: &'static [(&'static str, &'static str, &'static str)]) {
        self.edit_projects(|projects| {
            for project in projects {
                let name = project["name"].as_str().unwrap_or_default();
                let Some((_, kind, pattern)) = filters.iter().find(|(filtered, ..)| *filtered == name) else {
                    continue;
                };
                let metadata = &mut project["metadata"];
                metadata["proxy_cache_filter_pattern"] = json!(pattern);
                if !kind.is_empty() {
                    metadata["proxy_cache_filter_kind"] = json!(kind);
                }
            }
        });
    }

    /// Responds with the recordings again.
    pub fn behave(&self) {
        *lock(&self.shared.mischief) = None;
    }

    /// The requests since the last call.
    pub fn take_requests(&self) -> Vec<Request> {
        lock(&self.shared.requests).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Stops recording requests.
    pub fn forget_requests(&self) {
        *lock(&self.shared.requests) = None;
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        *lock(&self.shared.connections)
    }

    fn serve(&self, stream: Box<dyn Stream>) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        while let Some(request) = read(&mut stream)? {
            if let Some(requests) = &mut *lock(&self.shared.requests) {
                requests.push(request.clone());
            }
            let mischief = lock(&self.shared.mischief).clone();
            let recorded = |request: &Request| self.recorded(request);
            let answer =
                mischief.and_then(|mischief| mischief(&request, &recorded)).unwrap_or_else(|| self.recorded(&request));
            thread::sleep(answer.delay);
            // In one write: with two, each response would wait for the acknowledgement of its headers. Harbor always sets a cookie.
            let mut head = format!("HTTP/1.1 {} Whatever\r\nSet-Cookie: sid=1; Path=/; HttpOnly\r\n", answer.status);
            for (name, value) in &answer.headers {
                head.extend([name, ": ", value, "\r\n"]);
            }
            head.extend(["Content-Length: ", &answer.body.len().to_string(), "\r\n\r\n"]);
            let body = &answer.body[..answer.breaks_off_at.unwrap_or(answer.body.len())];
            let stream = stream.get_mut();
            stream.write_all(&[head.as_bytes(), body].concat())?;
            stream.flush()?;
            if answer.breaks_off_at.is_some() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn recorded(&self, request: &Request) -> Answer {
        let found = self.shared.recordings.get(&(request.by.clone(), request.path.clone()));
        found.cloned().unwrap_or_else(|| Answer::error(404, &format!("path {} was not found", request.path)))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn recordings() -> Recordings {
    let text = std::fs::read_to_string(RECORDINGS).expect("the recordings exist");
    let exchange = |line: &str| {
        let exchange: Value = serde_json::from_str(line).expect("a recording is JSON");
        let text = |key: &str| exchange[key].as_str().expect("a recording names it").to_owned();
        let status = exchange["status"].as_u64().and_then(|status| u16::try_from(status).ok()).expect("a status");
        let body = match &exchange["body"] {
            Value::String(text) => text.clone(),
            body => body.to_string(),
        };
        let headers = exchange["headers"].as_object().expect("headers").iter();
        let headers = headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned()));
        let answer = Answer { headers: headers.collect(), ..Answer::new(status, "", body) };
        ((text("as"), text("path")), answer)
    };
    text.lines().map(exchange).collect()
}

/// Reads a request without a body; `None` if the client closed the connection.
fn read(stream: &mut BufReader<Box<dyn Stream>>) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let target = line.split(' ').nth(1).unwrap_or_default();
    // A proxy receives the whole URL.
    let path = target.strip_prefix("http://").and_then(|rest| rest.find('/').map(|at| &rest[at..])).unwrap_or(target);
    let path = path.to_owned();
    let mut headers = HashMap::new();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let by = account(headers.get("authorization").map(String::as_str));
    Ok(Some(Request { by, path, headers }))
}

/// The account of the credentials. Harbor treats wrong credentials as none.
fn account(authorization: Option<&str>) -> String {
    const ACCOUNTS: [&str; 7] = [
        "admin",
        "robot-project-list+registry-list",
        "robot-project-list",
        "robot-registry-list",
        "robot-project-read-all",
        "robot-repository-pull-all",
        "robot-some-projects",
    ];
    let Some(authorization) = authorization else { return "anonymous".to_owned() };
    let is_of = |name: &str| authorization == format!("Basic {}", base64(&format!("{name}:{PASSWORD}")));
    // Harbor's form of a robot's name.
    if is_of("robot$mimic") {
        return ACCOUNTS[1].to_owned();
    }
    (*ACCOUNTS.iter().find(|name| is_of(name)).unwrap_or(&"robot-wrong-secret")).to_owned()
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let encode = |chunk: &[u8]| {
        let bits = chunk.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        (0..4)
            .map(move |i| {
                if i <= chunk.len() {
                    char::from(ALPHABET[usize::try_from(bits >> (18 - 6 * i) & 63).unwrap_or_default()])
                } else {
                    '='
                }
            })
            .collect::<String>()
    };
    text.as_bytes().chunks(3).map(encode).collect()
}
