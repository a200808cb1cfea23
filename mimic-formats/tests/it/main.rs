//! Tests of the public functions.
// `cfg(test)` is always set here. It tells clippy that helpers in these modules are test code, too.

#[cfg(test)]
mod import;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod oracles;
#[cfg(test)]
mod round_trip;
