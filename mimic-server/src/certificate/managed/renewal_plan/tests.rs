use std::time::{Duration, UNIX_EPOCH};

use openssl::x509::X509;

use super::Step::{Announced, Founded, Issued, Promoted, PromotedUnseen, Retired};
use super::*;

const HOUR: Duration = Duration::from_hours(1);

fn policy() -> CertificatePolicy {
    CertificatePolicy { service: "mimic".into(), namespace: "mimic".into(), leaf: 30 * HOUR, ca: 300 * HOUR }
}

/// `hours` after the start.
fn at(hours: u32) -> SystemTime {
    UNIX_EPOCH + (500_000 + hours) * HOUR
}

fn plan_at(hours: u32, data: &Data, trusted: Option<&Trusted>) -> Plan {
    plan(data, trusted, &policy(), at(hours)).expect("OpenSSL works")
}

fn steps(plan: &Plan) -> Vec<Step> {
    plan.write.as_ref().map(|write| write.steps.clone()).unwrap_or_default()
}

/// The data of the Secret after the plan of that hour.
fn after(hours: u32, data: &Data, trusted: Option<&Trusted>) -> Data {
    let plan = plan_at(hours, data, trusted);
    plan.write.map_or_else(|| data.clone(), |write| write.data)
}

/// This Secret's bundle, seen in the webhook configuration since that hour.
fn seen(hours: u32, data: &Data) -> Trusted {
    Trusted { bundle: data["ca.crt"].clone(), since: at(hours) }
}

fn cas(data: &Data) -> Vec<X509> {
    X509::stack_from_pem(&data["ca.crt"]).expect("it is PEM")
}

/// A Secret of hour 0.
fn founded() -> Data {
    after(0, &Data::new(), None)
}

/// The same with a next CA, of hour 200.
fn announced() -> Data {
    let renewed = after(195, &founded(), None);
    after(200, &renewed, None)
}

#[test]
fn an_empty_secret_gets_a_ca_and_a_serving_certificate() {
    let keys_without_values = Data::from([("tls.crt".to_owned(), Vec::new()), ("tls.key".to_owned(), Vec::new())]);
    for empty in [Data::new(), keys_without_values] {
        let plan = plan_at(0, &empty, None);
        assert_eq!(steps(&plan), [Founded, Issued]);
        assert!(plan.serve.is_none() && plan.bundle.is_empty() && plan.damage.is_empty());
    }
    let data = founded();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["ca.crt", "ca.key", "tls.crt", "tls.key"]);
    let plan = plan_at(0, &data, None);
    assert_eq!(steps(&plan), []);
    assert_eq!(plan.bundle, data["ca.crt"]);
    let pair = plan.serve.expect("there is one").expect("it is good");
    let names = crate::certificate::names::of(pair.leaf());
    assert_eq!(names, ["mimic", "mimic.mimic", "mimic.mimic.svc", "mimic.mimic.svc.cluster.local"]);
}

#[test]
fn each_step_is_taken_when_it_is_due() {
    let founded = founded();
    let announced = announced();
    let promoted = after(210, &announced, Some(&seen(201, &announced)));
    let registered = seen(201, &announced);
    let other = Trusted { bundle: b"another".to_vec(), since: at(0) };
    let table = [
        ("a new leaf stays", 19, &founded, None, &[][..]),
        ("after two thirds of its lifetime it is renewed", 20, &founded, None, &[Issued]),
        ("or later, if that moment was missed", 29, &founded, None, &[Issued]),
        ("or after it has expired", 100, &founded, None, &[Issued]),
        ("after two thirds of a CA's lifetime the next one is created", 200, &founded, None, &[Announced, Issued]),
        ("the next CA does not sign before it is trusted", 201, &announced, None, &[]),
        ("nor when another bundle is trusted", 201, &announced, Some(&other), &[]),
        ("nor at once when it is trusted", 201, &announced, Some(&registered), &[]),
        ("but after a while", 202, &announced, Some(&registered), &[Promoted, Issued]),
        ("meanwhile the leaf is renewed", 222, &announced, None, &[Issued]),
        ("it signs without confirmation when time runs out", 280, &announced, None, &[PromotedUnseen, Issued]),
        ("both CAs are trusted until they expire", 211, &promoted, None, &[]),
        ("the expired one is removed", 301, &promoted, None, &[Retired, Issued]),
        ("after the expiry of the only CA a new one is created", 301, &founded, None, &[Retired, Founded, Issued]),
        ("or the next CA signs, if there is one", 301, &announced, None, &[Retired, PromotedUnseen, Issued]),
    ];
    for (what, hours, data, trusted, expected) in table {
        assert_eq!(steps(&plan_at(hours, data, trusted)), expected, "{what}");
    }
    assert_eq!((cas(&announced).len(), announced.contains_key("ca-next.key")), (2, true));
    assert_eq!((cas(&promoted).len(), promoted.contains_key("ca-next.key")), (2, false));
    assert_eq!(promoted["ca.key"], announced["ca-next.key"]);
    assert_eq!(cas(&after(301, &promoted, None)), cas(&announced)[1..]);
}

#[test]
fn the_next_plan_is_due_with_the_next_step() {
    let founded = founded();
    let hours_until = |plan: &Plan| plan.again.duration_since(at(0)).expect("it is later").as_secs_f64() / 3600.0;
    let close = |plan: Plan, expected: f64| {
        let hours = hours_until(&plan);
        assert!((hours - expected).abs() < 0.2, "{hours}, not {expected}");
    };
    close(plan_at(0, &founded, None), 20.0);
    close(plan_at(25, &founded, None), 30.0);
    let announced = announced();
    close(plan_at(201, &announced, Some(&seen(201, &announced))), 201.0 + 1.0 / 6.0);
    close(plan_at(201, &announced, None), 195.0 + 20.0);
}

#[test]
fn damaged_contents_are_replaced_and_valid_ones_are_kept() {
    let good = founded();
    let stranger = founded();
    let damaged = |change: &dyn Fn(&mut Data)| {
        let mut data = good.clone();
        change(&mut data);
        data
    };
    let put = |key: &str, value: &[u8]| {
        let (key, value) = (key.to_owned(), value.to_vec());
        damaged(&move |data| drop(data.insert(key.clone(), value.clone())))
    };
    let leaf_of_stranger = damaged(&|data| {
        data.insert("tls.crt".into(), stranger["tls.crt"].clone());
        data.insert("tls.key".into(), stranger["tls.key"].clone());
    });
    let keeps = true;
    for (data, damage, expected, keeps_ca) in [
        (put("tls.key", b""), "`tls.key` is missing", &[Issued][..], keeps),
        (
            put("tls.key", &stranger["tls.key"]),
            "`tls.crt` and `tls.key`: the private key does not match",
            &[Issued],
            keeps,
        ),
        (put("tls.crt", b"rubbish"), "`tls.crt` and `tls.key`: no certificate found", &[Issued], keeps),
        (leaf_of_stranger, "`tls.crt` was not issued by any CA in `ca.crt`", &[Issued], keeps),
        (put("ca.crt", b"-----BEGIN CERTIFICATE-----\nx"), "`ca.crt` is not PEM", &[Founded, Issued], !keeps),
        (put("ca.crt", b""), "`ca.crt` is missing", &[Founded, Issued], !keeps),
        // The serving certificate is valid and trusted, so the new CA can be trusted before it signs.
        (put("ca.key", b""), "`ca.key` is missing", &[Announced], keeps),
        (put("ca.key", b"rubbish"), "`ca.key` is not a private key", &[Announced], keeps),
        (put("ca.key", &stranger["ca.key"]), "`ca.key` matches no certificate in `ca.crt`", &[Announced], keeps),
    ] {
        let plan = plan_at(1, &data, None);
        assert!(plan.damage.iter().any(|found| found.starts_with(damage)), "{damage}: {:?}", plan.damage);
        assert_eq!(steps(&plan), expected, "{damage}");
        let repaired = plan.write.expect("it is repaired").data;
        let is_kept = cas(&repaired).contains(&cas(&good)[0]);
        assert_eq!(is_kept, keeps_ca, "{damage}");
        let again = plan_at(1, &repaired, None);
        assert!(again.write.is_none() && again.serve.is_some_and(|served| served.is_ok()), "{damage}");
    }
}

#[test]
fn a_certificate_for_another_service_is_replaced() {
    let mut other = policy();
    other.service = "other".into();
    let data = plan(&Data::new(), None, &other, at(0)).expect("OpenSSL works").write.expect("it is written").data;
    let plan = plan_at(0, &data, None);
    assert_eq!((steps(&plan), plan.damage), (vec![Issued], Vec::<String>::new()));
}

#[test]
fn a_replica_whose_clock_is_behind_waits_instead_of_replacing() {
    let data = after(100, &Data::new(), None);
    let plan = plan_at(99, &data, None);
    assert!(plan.write.is_none());
    let error = plan.serve.expect("there is one").expect_err("it is not valid yet");
    assert!(error.to_string().contains("is not valid before"), "{error}");
    // A little does not matter.
    let within = plan_within(&data, at(100) - Duration::from_mins(4));
    assert!(within.serve.is_some_and(|served| served.is_ok()));
}

fn plan_within(data: &Data, now: SystemTime) -> Plan {
    plan(data, None, &policy(), now).expect("OpenSSL works")
}

#[test]
fn lifetimes_of_seconds_work() {
    let policy = CertificatePolicy { leaf: Duration::from_secs(9), ca: Duration::from_secs(30), ..policy() };
    let plan_after = |seconds: u64, data: &Data, trusted: Option<&Trusted>| {
        plan(data, trusted, &policy, at(0) + Duration::from_secs(seconds)).expect("OpenSSL works")
    };
    let founded = plan_after(0, &Data::new(), None).write.expect("it is written").data;
    assert_eq!(steps(&plan_after(5, &founded, None)), []);
    assert_eq!(steps(&plan_after(6, &founded, None)), [Issued]);
    let renewed = plan_after(18, &founded, None).write.expect("it is written").data;
    let announced = plan_after(20, &renewed, None).write.expect("it is written");
    assert_eq!(announced.steps, [Announced]);
    let trusted = Trusted { bundle: announced.data["ca.crt"].clone(), since: at(0) + Duration::from_secs(20) };
    assert_eq!(steps(&plan_after(21, &announced.data, Some(&trusted))), [Promoted, Issued]);
}
