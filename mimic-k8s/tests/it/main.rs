//! Whole reviews and their responses.
// `cfg(test)` is always true here. With it, clippy treats the helpers in these modules as tests.

#[cfg(test)]
mod common;
#[cfg(test)]
mod costly;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod pulling;
#[cfg(test)]
mod random;
#[cfg(test)]
mod record;
#[cfg(test)]
mod rules;
