//! Counts instructions: the number is the same in every run, however busy the machine is.

mod cases;
mod counter;
mod record;

pub use cases::work;
pub use counter::count;
pub use record::{Finding, Record};

/// The names of all cases.
pub const CASES: [&str; 12] = [
    "parse",
    "rewrite",
    "rewrite/10/hit",
    "rewrite/10000/hit",
    "rewrite/10/miss",
    "rewrite/10000/miss",
    "review/small",
    "review/typical",
    "review/large",
    "server/typical",
    "compile/1000",
    counter::COMMAND,
];
