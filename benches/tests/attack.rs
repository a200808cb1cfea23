//! Attacks on a small scale: what a connection costs does not depend on their number.

use std::path::Path;

use mimic_benches::attack::{Attack, Cost, attack};

fn cost(kind: Attack, connections: usize, variable: (&str, &str)) -> Cost {
    let program = Path::new(env!("CARGO_BIN_EXE_baseline-server"));
    attack(program, kind, connections, &[variable]).expect("reviews are answered during the attack")
}

#[test]
fn an_idle_connection_costs_at_most_36_kib_until_it_closes() {
    // The default of `limits.connections` is computed with 32 KiB; without optimisation a connection is a little larger.
    for kind in [Attack::Handshake, Attack::Idle] {
        let cost = cost(kind, 1_000, ("MIMIC_LIMITS_CONNECTIONS", "2000"));
        assert!(cost.each() <= 36 << 10, "{kind:?}: {} bytes", cost.each());
        assert!(cost.kept() <= 25, "{kind:?}: {cost:?}");
    }
}

#[test]
fn a_client_that_sends_nothing_costs_at_most_4_kib() {
    let cost = cost(Attack::Silent, 1_000, ("MIMIC_LIMITS_CONNECTIONS", "2000"));
    assert!(cost.each() <= 4 << 10, "{} bytes", cost.each());
}

#[test]
fn stalled_bodies_hold_no_more_than_their_budget() {
    let cost = cost(Attack::Body, 20, ("MIMIC_LIMITS_MEMORY", "24MiB"));
    // A buffer that grows can have twice the size of what it holds.
    let more = cost.during.bytes() - cost.before.bytes();
    assert!(more <= 60 << 20, "{more} bytes");
}
