//! Whole reviews in, whole answers out.
// `cfg(test)` always holds here; with it, clippy knows that helpers in these modules are tests too.

#[cfg(test)]
mod common;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod random;
#[cfg(test)]
mod rules;
