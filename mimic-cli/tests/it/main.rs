//! The real command, run as its users run it.
// `cfg(test)` always holds here; with it, clippy knows that helpers in these modules are tests too.

#[cfg(test)]
mod command;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod transcript;
#[cfg(test)]
mod transcripts;
