//! Work whose instructions are counted: as many every time, whatever else the machine is doing.

mod cases;
mod counter;
mod record;

pub use cases::work;
pub use counter::count;
pub use record::{Finding, Record};

/// All that is counted.
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
    COMMAND,
];

/// The one case that is not [`work`], but the `mimic` command with a thousand lines.
const COMMAND: &str = "command/rewrite";
