//! Requests that differ in their uid, and the check of the responses.

use std::cell::{Cell, OnceCell};
use std::fmt::Write as _;

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;

use crate::client::{Channel, Message};
use crate::serve::{ANSWER, BASELINE};

/// How many digits of a uid are counted.
const DIGITS: usize = 12;

/// One kind of request. Every request has its own uid, so that responses cannot be confused.
pub(crate) struct Exchange {
    request: Message,
    /// Where the uid's last digits are in the request.
    digits: usize,
    uid: String,
    count: Cell<u64>,
    expected: Expected,
}

/// The expected response, byte by byte.
enum Expected {
    Constant(&'static str),
    /// The bytes before and after the uid in the first response, which was checked.
    Around(OnceCell<(Vec<u8>, Vec<u8>)>),
}

#[derive(Deserialize)]
struct Review<'a> {
    #[serde(borrow)]
    request: Uid<'a>,
}

#[derive(Deserialize)]
struct Uid<'a> {
    uid: &'a str,
}

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    response: Response<'a>,
}

#[derive(Deserialize)]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    patch: Option<&'a str>,
}

impl Exchange {
    /// Posts `review` to `path`, as the API server does.
    pub(crate) fn new(path: &'static str, review: &[u8]) -> Result<Self> {
        let uid = serde_json::from_slice::<Review<'_>>(review)?.request.uid.to_owned();
        let request = Message::new(path, review);
        let start = find(&request.bytes, uid.as_bytes()).context("the uid is written with escapes")?;
        let digits = uid.len().checked_sub(DIGITS).context("the uid is too short")?;
        let expected = if path == BASELINE { Expected::Constant(ANSWER) } else { Expected::Around(OnceCell::new()) };
        Ok(Self { digits: start + digits, uid: uid[..digits].to_owned(), request, count: Cell::new(0), expected })
    }

    /// The path that it is sent to.
    pub(crate) fn path(&self) -> &'static str {
        self.request.path
    }

    /// The requests of one channel.
    pub(crate) fn requests(&self) -> Requests<'_> {
        Requests { exchange: self, request: self.request.clone(), uid: self.uid.clone() }
    }
}

/// Requests of one channel.
pub(crate) struct Requests<'a> {
    exchange: &'a Exchange,
    request: Message,
    uid: String,
}

impl Requests<'_> {
    /// Sends the next request and checks the response.
    pub(crate) async fn next(&mut self, channel: &mut Channel) -> Result<()> {
        let count = self.exchange.count.get();
        self.exchange.count.set(count + 1);
        self.uid.truncate(self.exchange.uid.len());
        write!(self.uid, "{count:0DIGITS$x}")?;
        let digits = self.exchange.digits;
        self.request.bytes[digits..digits + DIGITS].copy_from_slice(&self.uid.as_bytes()[self.exchange.uid.len()..]);

        let answer = channel.exchange(&self.request).await?;
        let right = match &self.exchange.expected {
            Expected::Constant(expected) => answer == expected.as_bytes(),
            Expected::Around(around) => {
                if around.get().is_none() {
                    // It cannot have been set since: there is one thread, and nothing was awaited.
                    let _ = around.set(examine(answer, &self.uid)?);
                }
                around.get().is_some_and(|(before, after)| {
                    let rest = answer.strip_prefix(before.as_slice());
                    rest.and_then(|rest| rest.strip_prefix(self.uid.as_bytes())) == Some(after)
                })
            }
        };
        ensure!(right, "wrong response for {}: {}", self.uid, String::from_utf8_lossy(answer));
        Ok(())
    }
}

/// Checks the first response, and returns what all others must equal.
fn examine(answer: &[u8], uid: &str) -> Result<(Vec<u8>, Vec<u8>)> {
    let response = serde_json::from_slice::<Answer<'_>>(answer).context("the response is not a review")?.response;
    ensure!(response.uid == uid && response.allowed && response.patch.is_some(), "the pod was not rewritten");
    let start = find(answer, uid.as_bytes()).context("the uid is written with escapes")?;
    Ok((answer[..start].to_vec(), answer[start + uid.len()..].to_vec()))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
