//! A few restarts under load; the program `restarts` does the same with a thousand.

use std::path::Path;
use std::time::Duration;

use mimic_benches::restarts::{Plan, restarts};

#[test]
fn no_request_fails_while_replicas_are_replaced() {
    // Long enough for a slow machine: a client that chose a replica must connect before it is gone.
    let drain = Duration::from_secs(3);
    let plan = Plan { restarts: 4, clients: 4, drain, propagation: drain / 6 };
    let outcome = restarts(Path::new(env!("CARGO_BIN_EXE_baseline-server")), plan).expect("replicas start");
    assert_eq!((outcome.failed, outcome.wrong), (0, 0), "{outcome:#?}");
    assert!(outcome.served > 100, "{outcome:#?}");
}
