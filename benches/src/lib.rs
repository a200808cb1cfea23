//! What Mimic is measured with: data for the benchmarks, and a load generator with a server to go with it.
//!
//! How to run each, and what it showed, is in the README beside this crate.

pub mod client;
pub mod compare;
pub mod cpu;
pub mod data;
pub mod endure;
pub mod instructions;
pub mod load;
pub mod programs;
pub mod serve;
