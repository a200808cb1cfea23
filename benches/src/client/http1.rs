//! HTTP/1.1.

use anyhow::{Context as _, Result, bail, ensure};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::message::Message;
use super::stream::Stream;

/// Most headers that a response can have.
const HEADERS: usize = 32;

/// Sends a request and returns the body of the response, which must be a 200.
pub(super) async fn exchange<'a>(
    stream: &mut Box<dyn Stream>,
    request: &Message,
    received: &'a mut Vec<u8>,
) -> Result<&'a [u8]> {
    stream.write_all(&request.bytes).await?;
    received.clear();
    loop {
        let count = stream.read_buf(received).await?;
        ensure!(count > 0, "the server closed the connection");
        let Some((start, length)) = head(received)? else { continue };
        let end = start + length;
        if received.len() >= end {
            ensure!(received.len() == end, "more than one response to a request");
            return Ok(&received[start..]);
        }
    }
}

/// The start and the length of the body; `None` until the head is complete.
fn head(received: &[u8]) -> Result<Option<(usize, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(received)? else { return Ok(None) };
    if response.code != Some(200) {
        bail!("status {:?}: {}", response.code, String::from_utf8_lossy(&received[start..]));
    }
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.context("the response has no content length")?.value;
    Ok(Some((start, std::str::from_utf8(length)?.parse()?)))
}
