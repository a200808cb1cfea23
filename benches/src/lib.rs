//! Measures Mimic: data for the benchmarks, and a load generator with its server.
//!
//! This crate's README describes how to run each measurement, and the results.

pub mod attack;
pub mod client;
pub mod compare;
pub mod costly;
pub mod cpu;
pub mod data;
pub mod endure;
pub mod instructions;
pub mod load;
pub mod programs;
pub mod restarts;
pub mod serve;
pub mod soak;
