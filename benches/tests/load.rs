//! A short load run.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use clap::ValueEnum as _;
use mimic_benches::client::Transport;
use mimic_benches::data;
use mimic_benches::load::{self, Pace, Plan, Process, Report};

fn run(review: &'static [u8], transport: Transport, pace: Pace, variable: (&str, &str)) -> anyhow::Result<Report> {
    let mut server = Command::new(env!("CARGO_BIN_EXE_baseline-server"));
    server.env(variable.0, variable.1).arg("--rules=100");
    let server = Process::start(server, Path::new("/dev/null"))?;
    let (requests, rounds, time_limit) = (20, 2, Duration::from_mins(1));
    let plan = Plan { review, transport, connections: 3, pace, requests, rounds, time_limit };
    load::run(&server, &plan)
}

#[test]
fn a_short_run_gets_correct_responses_and_reports_their_cost() {
    let transports = Transport::value_variants().iter().flat_map(|transport| [(transport, Pace::Closed)]);
    for (transport, pace) in
        transports.chain([(&Transport::Http1, Pace::Rate(1_000)), (&Transport::Http1, Pace::Load(0.5))])
    {
        // Persistent connections with all reviews, the other transports with one.
        let reviews = if *transport == Transport::Http1 && pace == Pace::Closed { 3 } else { 1 };
        for (_, review) in &data::REVIEWS[..reviews] {
            let report = run(review, *transport, pace, ("MIMIC_LOGLEVEL", "info"));
            let report = report.expect("all responses are correct").to_string();
            assert!(report.starts_with("TLSv1.3 ") && report.contains(" http/1.1; "), "{report}");
            assert!(report.contains("/mutate costs "), "{report}");
            assert_eq!(report.contains(" requests a second"), pace != Pace::Closed, "{report}");
        }
    }
}

#[test]
fn a_response_that_rewrites_nothing_is_an_error() {
    let (_, review) = data::REVIEWS[0];
    let error = run(review, Transport::Http1, Pace::Closed, ("MIMIC_DRYRUN", "true")).expect_err("nothing is patched");
    assert_eq!(error.to_string(), "the pod was not rewritten");
}
