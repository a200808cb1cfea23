//! HTTP/2.

use actix_web::web::Bytes;
use anyhow::{Result, bail};
use h2::client::SendRequest;

use super::message::Message;
use super::stream::Stream;

/// Sends the requests of one connection.
pub(super) type Sender = SendRequest<Bytes>;

/// Starts HTTP/2 on a connection.
pub(super) async fn start(stream: Box<dyn Stream>) -> Result<Sender> {
    let (sender, connection) = h2::client::handshake(stream).await?;
    // When the connection fails, the next request fails too.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

/// Sends a request and returns the body of the response, which must be a 200.
pub(super) async fn exchange<'a>(sender: &Sender, request: &Message, received: &'a mut Vec<u8>) -> Result<&'a [u8]> {
    let head = http::Request::post(format!("https://mimic.mimic.svc:443{}?timeout=5s", request.path))
        .header("user-agent", "kube-apiserver-admission")
        .header("content-length", request.bytes.len() - request.body)
        .header("accept", "application/json, */*")
        .header("content-type", "application/json")
        .header("accept-encoding", "gzip")
        .body(())?;
    let mut sender = sender.clone().ready().await?;
    let (answer, mut body) = sender.send_request(head, false)?;
    body.send_data(Bytes::copy_from_slice(&request.bytes[request.body..]), true)?;
    let answer = answer.await?;
    let status = answer.status();
    let mut body = answer.into_body();
    received.clear();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        received.extend_from_slice(&piece);
    }
    if status != 200 {
        bail!("status {status}: {}", String::from_utf8_lossy(received));
    }
    Ok(received)
}
