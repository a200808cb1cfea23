//! A fake API server in memory. It works with a paused clock, so pauses take no time.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use http1::Response;
use http1::response::Builder;
use kube::client::{Body, ClientBuilder};
use mimic_k8s::cluster::{Cluster, request_limit};
use serde_json::{Value, json};
use tokio::time::Instant;
use tower::service_fn;

/// The response to one request.
#[derive(Clone)]
pub(crate) enum Answer {
    /// A status and a body.
    Whole(u16, Value),
    /// The lines of a watch, and its end.
    Watch(Vec<Line>, End),
    /// No response.
    Silence,
}

#[derive(Clone)]
pub(crate) enum Line {
    Event(Value),
    /// The first half of an event.
    Half(Value),
    After(Duration),
}

#[derive(Clone, Copy)]
pub(crate) enum End {
    /// The API server's normal end of a watch.
    Orderly,
    /// A connection error in the middle of the response.
    Broken,
    /// Never; no more lines follow.
    Never,
}

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) at: Instant,
    /// Method and target.
    pub(crate) line: String,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn is_watch(&self) -> bool {
        self.line.contains("watch=true")
    }
}

/// The server.
pub(crate) struct FakeApi {
    cluster: Cluster,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl FakeApi {
    /// Answers each request with the result of `script`.
    pub(crate) fn start(script: impl FnMut(&Request) -> Answer + Send + 'static) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, script) = (Arc::clone(&requests), Arc::new(Mutex::new(script)));
        let service = service_fn(move |request: http1::Request<Body>| {
            let (seen, script) = (Arc::clone(&seen), Arc::clone(&script));
            async move {
                let request = receive(request).await;
                seen.lock().unwrap().push(request.clone());
                let answer = (script.lock().unwrap())(&request);
                respond(answer).await
            }
        });
        let client = ClientBuilder::new(service, "unused").with_layer(&request_limit()).build();
        Self { cluster: Cluster::with_client(client, "fake", "mimic"), requests }
    }

    /// Answers lists and watches with these responses in turn. The last one of each repeats.
    pub(crate) fn replay(lists: impl Into<VecDeque<Answer>>, watches: impl Into<VecDeque<Answer>>) -> Self {
        let (mut lists, mut watches) = (lists.into(), watches.into());
        Self::start(move |request| {
            let answers = if request.is_watch() { &mut watches } else { &mut lists };
            if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() }.unwrap_or(Answer::Silence)
        })
    }

    pub(crate) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

async fn receive(request: http1::Request<Body>) -> Request {
    let line = format!("{} {}", request.method(), request.uri());
    let body = request.into_body().collect().await.unwrap().to_bytes();
    Request { at: Instant::now(), line, body: serde_json::from_slice(&body).unwrap_or_default() }
}

type Answered = Result<Response<UnsyncBoxBody<Bytes, io::Error>>, Infallible>;

async fn respond(answer: Answer) -> Answered {
    let (status, body) = match answer {
        Answer::Whole(status, body) => {
            (status, Full::from(body.to_string()).map_err(|never| match never {}).boxed_unsync())
        }
        Answer::Watch(lines, end) => (200, watch(lines, end)),
        Answer::Silence => std::future::pending().await,
    };
    Ok(Builder::new().status(status).body(body).unwrap())
}

fn watch(lines: Vec<Line>, end: End) -> UnsyncBoxBody<Bytes, io::Error> {
    let lines = stream::unfold((VecDeque::from(lines), false), move |(mut lines, broken)| async move {
        loop {
            let text = match lines.pop_front() {
                Some(Line::After(pause)) => {
                    tokio::time::sleep(pause).await;
                    continue;
                }
                Some(Line::Event(event)) => format!("{event}\n"),
                Some(Line::Half(event)) => {
                    let text = event.to_string();
                    text[..text.len() / 2].to_owned()
                }
                None => match end {
                    End::Broken if !broken => {
                        return Some((Err(io::ErrorKind::ConnectionReset.into()), (lines, true)));
                    }
                    End::Orderly | End::Broken => return None,
                    End::Never => std::future::pending().await,
                },
            };
            return Some((Ok(Frame::data(Bytes::from(text))), (lines, broken)));
        }
    });
    StreamBody::new(lines).boxed_unsync()
}

/// A ConfigMap with this version that maps `docker.io` to this mirror.
pub(crate) fn config_map(version: &str, mirror: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "mimic-mirrors", "namespace": "mimic", "uid": "1", "resourceVersion": version},
        "data": {"docker.io": mirror},
    })
}

pub(crate) fn list(version: &str, items: &[Value]) -> Answer {
    let list = json!({
        "apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": version}, "items": items,
    });
    Answer::Whole(200, list)
}

pub(crate) fn event(kind: &str, object: &Value) -> Line {
    Line::Event(json!({"type": kind, "object": object}))
}

/// A watch with these lines that stays open without further lines.
pub(crate) fn watch_of(lines: impl Into<Vec<Line>>) -> Answer {
    Answer::Watch(lines.into(), End::Never)
}

pub(crate) fn status(code: u16, reason: &str, message: &str) -> Value {
    json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
        "message": message, "reason": reason, "code": code,
    })
}

pub(crate) fn refusal(code: u16, reason: &str, message: &str) -> Answer {
    Answer::Whole(code, status(code, reason, message))
}
