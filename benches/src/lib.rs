//! What Mimic is measured with: data for the benchmarks, and a load generator with a server to go with it.
//!
//! How to run each, and what it showed, is in the README beside this crate.

mod client;
pub mod cpu;
pub mod data;
pub mod load;
pub mod serve;
