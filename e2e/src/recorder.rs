//! A webhook that remembers what it was asked.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result};
use openssl::ssl::{SslAcceptor, SslMethod};
use serde_json::{Value, json};

use crate::{Authority, Namespace, Registration};

/// Shows which requests the API server makes of a webhook, whatever Mimic would make of them.
#[derive(Debug)]
pub struct Recorder {
    port: u16,
    authority: Authority,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Recorder {
    /// Starts one that changes nothing. It serves for as long as the process runs.
    pub fn start() -> Result<Self> {
        Self::serving(None)
    }

    /// Starts one that adds a container to each pod that it is asked about, as injectors of sidecars do.
    pub fn injecting(container: &Value) -> Result<Self> {
        Self::serving(Some(json!([{"op": "add", "path": "/spec/containers/-", "value": container}]).to_string()))
    }

    fn serving(patch: Option<String>) -> Result<Self> {
        let authority = Authority::new()?;
        let (certificate, key) = authority.issue()?;
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        acceptor.set_certificate(&certificate)?;
        acceptor.set_private_key(&key)?;
        let acceptor = acceptor.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let patch = patch.map(|patch| openssl::base64::encode_block(patch.as_bytes()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorder = Self { port, authority, requests: Arc::clone(&requests) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (acceptor, patch, requests) = (acceptor.clone(), patch.clone(), Arc::clone(&requests));
                // A connection that fails is one that the API server gave up; what it asked is recorded or was not asked.
                thread::spawn(move || serve(&acceptor, stream, patch.as_deref(), &requests));
            }
        });
        Ok(recorder)
    }

    /// Registers it as the shipped file does, but so that a request which cannot be decided is refused: an
    /// expression of the registration that fails must not go unseen.
    pub async fn register(&self, namespace: &Namespace<'_>, more: &[&str]) -> Result<()> {
        let url = format!("https://127.0.0.1:{}/mutate", self.port);
        let namespaces = [&[namespace.name()], more].concat();
        let registration = Registration::new(&self.authority.pem()?, &namespaces)?;
        let registration = registration.url(&url).set("failurePolicy", "Fail");
        // Called after Mimic, if that is registered as well, and once for a request.
        let registration = registration.named("recorder").set("reinvocationPolicy", "Never");
        registration.apply(namespace, |_| !self.take().is_empty()).await?;
        self.take();
        Ok(())
    }

    /// What it was asked since the last time, each as operation, resource and name: `UPDATE pods/ephemeralcontainers web`.
    pub fn take(&self) -> Vec<String> {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let describe = |request: Value| {
            let mut resource = text(&request["resource"]["resource"]);
            if let Some(subresource) = request["subResource"].as_str() {
                resource = format!("{resource}/{subresource}");
            }
            format!("{} {resource} {}", text(&request["operation"]), text(&request["object"]["metadata"]["name"]))
        };
        requests.drain(..).map(describe).collect()
    }
}

/// Answers the requests of one connection until it ends.
fn serve(acceptor: &SslAcceptor, stream: TcpStream, patch: Option<&str>, requests: &Mutex<Vec<Value>>) -> Result<()> {
    let mut stream = BufReader::new(acceptor.accept(stream)?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line)? == 0 {
                return Ok(());
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => length = value.parse()?,
                _ if line == "\r\n" => break,
                _ => {}
            }
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        let mut review: Value = serde_json::from_slice(&body)?;
        let request = review.get_mut("request").context("not a review")?.take();
        let mut response = json!({"uid": request["uid"], "allowed": true});
        if let Some(patch) = patch {
            response["patchType"] = json!("JSONPatch");
            response["patch"] = json!(patch);
        }
        let answer = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response});
        let answer = answer.to_string();
        requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", answer.len());
        stream.get_mut().write_all((head + &answer).as_bytes())?;
    }
}
