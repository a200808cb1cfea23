//! A short soak.

use std::process::Command;
use std::time::Duration;

use mimic_benches::data;
use mimic_benches::soak::{Plan, run};

#[test]
fn every_response_is_right_while_everything_changes() {
    let (_, review) = data::REVIEWS[1];
    let plan = Plan { review, duration: Duration::from_secs(4), rate: Some(100.0), idle: 50 };
    let report = run(Command::new(env!("CARGO_BIN_EXE_baseline-server")), &plan).expect("the server runs");
    assert!(report.is_right(), "{report}");
    assert!(report.requests > 400 && report.versions.iter().all(|responses| *responses > 0), "{report}");
    assert_eq!(report.memory.len(), 4, "{report}");
}
