//! Simulates the rotation of many CAs, minute by minute: replicas that see every change late and restart now and then, and
//! an API server that uses the registered bundle even later. It must accept every replica in every minute.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use openssl::x509::X509;

use super::contents::Data;
use super::policy::CertificatePolicy;
use super::renewal_plan::{Step, Trusted, plan};
use crate::certificate::pair::Pair;
use crate::certificate::validity::Validity;

const MINUTE: Duration = Duration::from_mins(1);
const ROTATIONS: u32 = 12;
/// Minutes until the API server uses a registered bundle.
const API_SERVER_DELAY: usize = 8;

fn at(minute: usize) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_800_000_000 + 60 * minute as u64)
}

/// All versions of a value, each with the minute from which it applies.
struct History<T>(Vec<(usize, T)>);

impl<T> History<T> {
    /// The version of `delay` minutes ago, and its number.
    fn version(&self, minute: usize, delay: usize) -> (usize, &T) {
        let is_known = |(since, _): &&(usize, T)| since + delay <= minute;
        let number = self.0.iter().take_while(is_known).count().saturating_sub(1);
        (number, &self.0[number].1)
    }
}

struct Cluster {
    secret: History<Data>,
    registered: History<Vec<u8>>,
    steps: Vec<Step>,
}

struct Replica {
    delay: usize,
    served: Option<Pair>,
    trusted: Option<Trusted>,
    /// The version of the Secret that was planned last, and when to plan again.
    planned: Option<(usize, SystemTime)>,
}

impl Replica {
    fn new(delay: usize) -> Self {
        Self { delay, served: None, trusted: None, planned: None }
    }

    /// Does what `ManagedCertificate` does, without a cluster.
    fn run(&mut self, minute: usize, cluster: &mut Cluster, policy: &CertificatePolicy) {
        let now = at(minute);
        let registered = cluster.registered.version(minute, self.delay).1.clone();
        if self.trusted.as_ref().is_none_or(|trusted| trusted.bundle != registered) {
            self.trusted = Some(Trusted { bundle: registered.clone(), since: now });
            self.planned = None;
        }
        let (version, data) = cluster.secret.version(minute, self.delay);
        if self.planned.is_some_and(|(planned, again)| planned == version && now < again) {
            return;
        }
        let plan = plan(data, self.trusted.as_ref(), policy, now).expect("OpenSSL works");
        self.planned = Some((version, plan.again));
        assert_eq!(plan.damage, [""; 0]);
        if let Some(pair) = plan.serve {
            self.served = Some(pair.expect("the stored pair is valid"));
        }
        let is_latest = version + 1 == cluster.secret.0.len();
        if is_latest && !plan.bundle.is_empty() && plan.bundle != cluster.registered.version(minute, 0).1[..] {
            cluster.registered.0.push((minute, plan.bundle));
        }
        if let Some(write) = plan.write {
            // Otherwise the write conflicts, and the newer version arrives later.
            if is_latest {
                cluster.secret.0.push((minute, write.data));
                cluster.steps.extend(write.steps);
            }
        }
    }
}

/// When clients that trust this bundle accept a server with this certificate.
fn acceptance(leaf: &X509, bundle: &[u8]) -> Option<Validity> {
    let cas = X509::stack_from_pem(bundle).unwrap_or_default();
    let issuer =
        cas.iter().find(|ca| leaf.verify(&ca.public_key().expect("it has a key")).expect("it can be verified"))?;
    let [leaf, issuer] = [leaf, issuer].map(|certificate| Validity::of(certificate).expect("it has a validity"));
    Some(Validity { from: leaf.from.max(issuer.from), until: leaf.until.min(issuer.until) })
}

#[test]
fn no_replica_is_rejected_at_any_time() {
    let policy = CertificatePolicy {
        service: "mimic".into(),
        namespace: "mimic".into(),
        leaf: Duration::from_hours(10),
        ca: Duration::from_hours(40),
    };
    let mut cluster = Cluster {
        secret: History(vec![(0, Data::new())]),
        registered: History(vec![(0, Vec::new())]),
        steps: Vec::new(),
    };
    let mut replicas = [Replica::new(0), Replica::new(2), Replica::new(5)];
    let minutes = usize::try_from((policy.ca * ROTATIONS).as_secs() / MINUTE.as_secs()).expect("it is not so many");
    let mut known = HashMap::new();
    for minute in 0..minutes {
        for (index, replica) in replicas.iter_mut().enumerate() {
            if minute % (1_000 + 37 * index) == 999 {
                *replica = Replica::new(replica.delay);
            }
            replica.run(minute, &mut cluster, &policy);
        }
        // During the first minutes the first CA reaches all of them.
        if minute >= 20 {
            let bundle = cluster.registered.version(minute, API_SERVER_DELAY).1;
            for (index, replica) in replicas.iter().enumerate() {
                let served = replica.served.as_ref().expect("every replica has a certificate").leaf();
                let key = (served.to_der().expect("it can be written"), bundle.clone());
                let validity = *known.entry(key).or_insert_with(|| acceptance(&served.to_owned(), bundle));
                let is_accepted =
                    validity.is_some_and(|period| period.from <= at(minute) && !period.has_ended(at(minute)));
                assert!(is_accepted, "replica {index} in minute {minute}");
            }
        }
    }
    let count = |wanted: Step| cluster.steps.iter().filter(|step| **step == wanted).count();
    assert_eq!((count(Step::Founded), count(Step::PromotedUnseen)), (1, 0));
    assert!(count(Step::Promoted) > 14 && count(Step::Retired) > 10, "{:?}", cluster.steps);
    assert!(count(Step::Issued) > 60, "{:?}", cluster.steps);
}
