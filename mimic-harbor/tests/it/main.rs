//! Tests of `mimic-harbor` against a Harbor that replays recordings and misbehaves on demand.

mod credentials;
mod faults;
mod filters;
mod memory;
mod pages;
mod random_faults;
mod shrinking;
mod source;
mod tls;
mod traps;

use fake_harbor::{Fake, PASSWORD};
use mimic_core::Problem;
use mimic_harbor::{Address, Credentials, Harbor, HarborError, HarborSettings, ProxyProject, Report};

/// The robot account that sees everything with the fewest requests.
const ROBOT: &str = "robot-project-list+registry-list";

/// Settings for a fake Harbor and a credential of the recordings.
fn settings(fake: &Fake, credential: &str) -> HarborSettings {
    let mut settings = HarborSettings::new(Address::parse(&fake.url()).expect("the fake has an address"));
    if credential == "anonymous" {
        settings.registry = Some("harbor.example.com".to_owned());
    } else {
        settings.credentials = Some(Credentials::new(credential, PASSWORD));
    }
    settings
}

fn harbor(settings: HarborSettings) -> Harbor {
    Harbor::new(settings).expect("the settings are valid")
}

async fn discover(settings: HarborSettings) -> Result<Report, HarborError> {
    harbor(settings).discover().await
}

/// An error and its causes, without the hint.
fn message(error: &HarborError) -> String {
    Problem::from_error("", error).message().to_owned()
}

/// The projects that are used, as `upstream mirror`.
fn mirrors(report: &Report) -> Vec<String> {
    let used = report.projects.iter().filter(|project| project.skipped.is_none());
    used.map(|project| format!("{} {}", project.upstream.as_deref().unwrap_or("?"), project.mirror)).collect()
}

/// The projects that are skipped, as `project: reason`.
fn skipped(report: &Report) -> Vec<String> {
    let reason = |project: &ProxyProject| Some(format!("{}: {}", project.name, project.skipped.as_ref()?));
    report.projects.iter().filter_map(reason).collect()
}
