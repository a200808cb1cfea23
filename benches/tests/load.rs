//! The load run itself, in small.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mimic_benches::data;
use mimic_benches::load::{self, Plan, Process, Report};

fn run(review: &'static [u8], variable: (&str, &str)) -> anyhow::Result<Report> {
    let mut server = Command::new(env!("CARGO_BIN_EXE_limit-server"));
    server.env(variable.0, variable.1).arg("--rules=100");
    let server = Process::start(server, Path::new("/dev/null"))?;
    let plan = Plan { review, connections: 3, rate: None, requests: 20, rounds: 2, time_limit: Duration::from_mins(1) };
    load::run(&server, &plan)
}

#[test]
fn a_short_run_gets_the_right_answers_and_tells_their_cost() {
    for (_, review) in data::REVIEWS {
        let report = run(review, ("MIMIC_LOGLEVEL", "info")).expect("all answers are right").to_string();
        assert!(report.starts_with("TLSv1.3 "), "{report}");
        assert!(report.contains("/mutate costs "), "{report}");
    }
}

#[test]
fn an_answer_that_rewrites_nothing_is_noticed() {
    let (_, review) = data::REVIEWS[0];
    let error = run(review, ("MIMIC_DRYRUN", "true")).expect_err("nothing is patched");
    assert_eq!(error.to_string(), "the pod was not rewritten");
}
