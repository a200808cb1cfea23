//! Tests of the public functions.
// `cfg(test)` is always set here. It tells clippy that helpers in these modules are test code, too.

#[cfg(test)]
mod golden;
#[cfg(test)]
mod property;
