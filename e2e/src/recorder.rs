//! A webhook that records its requests.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use anyhow::{Context, Result};
use openssl::ssl::{SslAcceptor, SslMethod};
use serde_json::{Value, json};

use crate::{Namespace, TestCa, WebhookConfiguration};

/// Records which requests the API server sends to a webhook.
#[derive(Debug)]
pub struct Recorder {
    port: u16,
    issuer: TestCa,
    requests: Arc<Mutex<Vec<Value>>>,
}

impl Recorder {
    /// Starts one that changes nothing. It serves until the process exits.
    pub fn start() -> Result<Self> {
        Self::serving(None)
    }

    /// Starts one that adds a container to each pod, as sidecar injectors do.
    pub fn injecting(container: &Value) -> Result<Self> {
        Self::serving(Some(json!([{"op": "add", "path": "/spec/containers/-", "value": container}]).to_string()))
    }

    fn serving(patch: Option<String>) -> Result<Self> {
        let issuer = TestCa::new()?;
        let (certificate, key) = issuer.issue()?;
        let mut acceptor = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
        acceptor.set_certificate(&certificate)?;
        acceptor.set_private_key(&key)?;
        let acceptor = acceptor.build();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let port = listener.local_addr()?.port();
        let patch = patch.map(|patch| openssl::base64::encode_block(patch.as_bytes()));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let recorder = Self { port, issuer, requests: Arc::clone(&requests) };
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (acceptor, patch, requests) = (acceptor.clone(), patch.clone(), Arc::clone(&requests));
                // An error means that the API server closed the connection.
                thread::spawn(move || serve(&acceptor, stream, patch.as_deref(), &requests));
            }
        });
        Ok(recorder)
    }

    /// Registers it as in the shipped file, but with `failurePolicy: Fail`, so that tests see expressions that fail.
    pub async fn register(&self, namespace: &Namespace<'_>, more: &[&str]) -> Result<()> {
        self.register_with(namespace, more, |configuration| configuration).await
    }

    /// The same with a changed webhook configuration.
    pub async fn register_with(
        &self,
        namespace: &Namespace<'_>,
        more: &[&str],
        change: impl FnOnce(WebhookConfiguration) -> WebhookConfiguration,
    ) -> Result<()> {
        let url = format!("https://127.0.0.1:{}/mutate", self.port);
        let namespaces = [&[namespace.name()], more].concat();
        let configuration = WebhookConfiguration::new(&self.issuer.pem()?, &namespaces)?;
        let configuration = configuration.url(&url).set("failurePolicy", "Fail");
        // Called after Mimic, if that is registered, too, and once per request.
        let configuration = configuration.named("recorder").set("reinvocationPolicy", "Never");
        let configuration = change(configuration);
        configuration.apply(namespace, |_| !self.take().is_empty()).await?;
        self.take();
        Ok(())
    }

    /// The requests since the last call, as operation, resource and name: `UPDATE pods/ephemeralcontainers web`.
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

/// Responds to the requests of one connection until it is closed.
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
