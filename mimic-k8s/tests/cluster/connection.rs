//! The way to the API server, over real sockets.

use std::time::Duration;

use k8s_openapi::api::core::v1::ConfigMap;
use kube::Config;
use mimic_k8s::cluster::{Cluster, ClusterErrorKind, Follower};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

/// A listener, and a follower that asks there.
async fn listener() -> (TcpListener, Follower<ConfigMap>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cluster = Cluster::with_config(Config::new(url.parse().unwrap()), "mimic").unwrap();
    (listener, Follower::new(cluster.api(), "mimic-mirrors"))
}

#[tokio::test]
async fn a_connection_that_is_refused_is_told_in_words() {
    let (listener, mut follower) = listener().await;
    drop(listener);
    let error = follower.next().await.expect_err("nobody listens");
    assert_eq!(error.kind(), ClusterErrorKind::Unreachable);
    let words = "the API server cannot be reached: tcp connect error: Connection refused (os error 111)";
    assert_eq!(error.to_string(), words);
}

#[tokio::test]
async fn tls_that_fails_is_told_in_words() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}", listener.local_addr().unwrap());
    let cluster = Cluster::with_config(Config::new(url.parse().unwrap()), "mimic").unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
    });
    let error = Follower::<ConfigMap>::new(cluster.api(), "mimic-mirrors").next().await.expect_err("it is no TLS");
    let text = error.to_string();
    assert!(text.starts_with("the API server cannot be reached: ") && text.contains("SSL routines"), "{text}");
    assert_eq!(text.matches("SSL routines").count(), 1, "{text}");
}

#[tokio::test]
async fn requests_say_who_asks_and_for_which_object() {
    let (listener, mut follower) = listener().await;
    let asking = tokio::spawn(async move { follower.next().await });
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = vec![0; 4096];
    let length = stream.read(&mut head).await.unwrap();
    let head = String::from_utf8_lossy(&head[..length]).into_owned();
    assert!(head.contains(concat!("user-agent: mimic/", env!("CARGO_PKG_VERSION"), "\r\n")), "{head}");
    assert!(head.contains("fieldSelector=metadata.name%3Dmimic-mirrors"), "{head}");
    asking.abort();
}

#[tokio::test]
async fn a_request_without_an_answer_ends_within_a_minute() {
    let (listener, mut follower) = listener().await;
    let accepting = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.read_u8().await.unwrap();
        stream
    });
    let asking = tokio::spawn(async move { follower.next().await.expect_err("there is no answer") });
    // Only once the request has arrived: a paused clock does not wait for sockets.
    let _open = accepting.await.unwrap();
    tokio::time::pause();
    let start = Instant::now();
    let error = timeout(Duration::from_mins(10), asking).await.expect("it ends").unwrap();
    assert_eq!(error.kind(), ClusterErrorKind::Unreachable);
    assert!(start.elapsed() <= Duration::from_secs(61), "{:?}", start.elapsed());
    assert!(error.to_string().ends_with("timed out"), "{error}");
}
