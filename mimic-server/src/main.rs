//! The `mimic-server` command.
fn main() {}
