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
    /// As the first response, which was checked.
    First(OnceCell<Around>),
    /// One of these, each with how often it was received.
    Any(Vec<(Around, Cell<u64>)>),
}

/// The bytes before and after the uid in a response.
struct Around(Vec<u8>, Vec<u8>);

impl Around {
    fn new(answer: &[u8], uid: &str) -> Result<Self> {
        let start = find(answer, uid.as_bytes()).context("the uid is written with escapes")?;
        Ok(Self(answer[..start].to_vec(), answer[start + uid.len()..].to_vec()))
    }

    fn matches(&self, answer: &[u8], uid: &str) -> bool {
        let rest = answer.strip_prefix(self.0.as_slice());
        rest.and_then(|rest| rest.strip_prefix(uid.as_bytes())) == Some(self.1.as_slice())
    }
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
        let expected = if path == BASELINE { Expected::Constant(ANSWER) } else { Expected::First(OnceCell::new()) };
        Self::expecting(path, review, |_| Ok(expected))
    }

    /// The same, with the possible responses to `review`.
    pub(crate) fn answered(path: &'static str, review: &[u8], answers: &[Vec<u8>]) -> Result<Self> {
        Self::expecting(path, review, |uid| {
            let answers = answers.iter().map(|answer| anyhow::Ok((Around::new(answer, uid)?, Cell::default())));
            Ok(Expected::Any(answers.collect::<Result<_>>()?))
        })
    }

    fn expecting(path: &'static str, review: &[u8], expected: impl FnOnce(&str) -> Result<Expected>) -> Result<Self> {
        let uid = serde_json::from_slice::<Review<'_>>(review)?.request.uid.to_owned();
        let request = Message::new(path, review);
        let start = find(&request.bytes, uid.as_bytes()).context("the uid is written with escapes")?;
        let digits = uid.len().checked_sub(DIGITS).context("the uid is too short")?;
        let expected = expected(&uid)?;
        Ok(Self { digits: start + digits, uid: uid[..digits].to_owned(), request, count: Cell::new(0), expected })
    }

    /// The path that it is sent to.
    pub(crate) fn path(&self) -> &'static str {
        self.request.path
    }

    /// A request as bytes.
    pub(crate) fn request(&self) -> &[u8] {
        &self.request.bytes
    }

    /// How often each of the possible responses was received.
    pub(crate) fn seen(&self) -> Vec<u64> {
        match &self.expected {
            Expected::Any(answers) => answers.iter().map(|(_, seen)| seen.get()).collect(),
            _ => Vec::new(),
        }
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
        ensure!(self.send(channel).await?, "wrong response for {}: {}", self.uid, channel.last());
        Ok(())
    }

    /// Sends the next request, and returns whether the response is right. A missing one is an error.
    pub(crate) async fn send(&mut self, channel: &mut Channel) -> Result<bool> {
        let count = self.exchange.count.get();
        self.exchange.count.set(count + 1);
        self.uid.truncate(self.exchange.uid.len());
        write!(self.uid, "{count:0DIGITS$x}")?;
        let digits = self.exchange.digits;
        self.request.bytes[digits..digits + DIGITS].copy_from_slice(&self.uid.as_bytes()[self.exchange.uid.len()..]);

        let answer = channel.exchange(&self.request).await?;
        Ok(match &self.exchange.expected {
            Expected::Constant(expected) => answer == expected.as_bytes(),
            Expected::First(first) => {
                if first.get().is_none() {
                    // It cannot have been set since: there is one thread, and nothing was awaited.
                    let _ = first.set(examine(answer, &self.uid)?);
                }
                first.get().is_some_and(|first| first.matches(answer, &self.uid))
            }
            Expected::Any(answers) => {
                let found = answers.iter().find(|(expected, _)| expected.matches(answer, &self.uid));
                found.is_some_and(|(_, seen)| {
                    seen.set(seen.get() + 1);
                    true
                })
            }
        })
    }
}

/// Checks the first response, and returns what all others must equal.
fn examine(answer: &[u8], uid: &str) -> Result<Around> {
    let response = serde_json::from_slice::<Answer<'_>>(answer).context("the response is not a review")?.response;
    ensure!(response.uid == uid && response.allowed && response.patch.is_some(), "the pod was not rewritten");
    Around::new(answer, uid)
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
