//! Tests that run the real command.
// `cfg(test)` is always set here. It tells clippy that helpers in these modules are test code, too.

#[cfg(test)]
mod command;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod harbor;
#[cfg(test)]
mod transcript;
#[cfg(test)]
mod transcripts;
