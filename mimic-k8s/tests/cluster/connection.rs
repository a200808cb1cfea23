//! Connections to the API server, over real sockets.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Config;
use mimic_core::Hint as _;
use mimic_k8s::cluster::{Cluster, ClusterErrorKind, ObjectWatch};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

/// A listener, and a watch that connects to it.
async fn listener() -> (TcpListener, ObjectWatch<ConfigMap>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cluster = Cluster::with_config(Config::new(url.parse().unwrap()), "mimic").unwrap();
    (listener, ObjectWatch::new(cluster.api(), "mimic-mirrors"))
}

#[tokio::test]
async fn a_refused_connection_has_a_clear_message() {
    let (listener, mut watch) = listener().await;
    drop(listener);
    let error = watch.next().await.expect_err("the port is closed");
    assert_eq!(error.kind(), ClusterErrorKind::Unreachable);
    let message = "cannot reach the API server: tcp connect error: Connection refused (os error 111)";
    assert_eq!(error.full_message().to_string(), message);
}

#[tokio::test]
async fn a_failed_tls_handshake_has_a_clear_message() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let cluster = Cluster::with_config(Config::new(url.parse().unwrap()), "mimic").unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = ObjectWatch::<ConfigMap>::new(cluster.api(), "mimic-mirrors")
        .next()
        .await
        .expect_err("the peer does not speak TLS");
    let text = error.full_message().to_string();
    assert!(text.starts_with("cannot reach the API server: ") && text.contains("SSL routines"), "{text}");
    assert_eq!(text.matches("SSL routines").count(), 1, "{text}");
}

#[tokio::test]
async fn requests_have_a_user_agent_and_select_one_object() {
    let (listener, mut watch) = listener().await;
    let waiting = tokio::spawn(async move { watch.next().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = vec![0; 4096];
    let length = stream.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    assert!(head.contains(concat!("user-agent: mimic/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
    assert!(head.contains("fieldSelector=metadata.name%3Dmimic-mirrors"), "{head}");
    waiting.abort();
}

#[tokio::test]
async fn a_request_without_a_response_ends_within_a_minute() {
    let (listener, mut watch) = listener().await;
    let accepting = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream
    });
    let waiting = tokio::spawn(async move { watch.next().await.expect_err("there is no response") });
    // Pause only after the request has arrived: a paused clock does not wait for sockets.
    let _open = accepting.await.unwrap();
    tokio::time::pause();
    let start = Instant::now();
    let error = timeout(Duration::from_mins(10), waiting).await.expect("it ends").unwrap();
    assert_eq!(error.kind(), ClusterErrorKind::Unreachable);
    assert!(start.elapsed() <= Duration::from_secs(61), "{:?}", start.elapsed());
    assert!(error.full_message().to_string().ends_with("timed out"), "{}", error.full_message());
}
