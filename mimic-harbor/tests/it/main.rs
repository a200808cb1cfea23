//! Tests of `mimic-harbor` against a Harbor that replays recordings and misbehaves on demand.

mod credentials;
mod faults;
mod memory;
mod pages;
mod source;
mod tls;
mod traps;

use fake_harbor::{Fake, PASSWORD};
use mimic_harbor::{Address, Credentials, Harbor, HarborError, Report, Settings};

/// The robot account that can see everything with the fewest questions.
const ROBOT: &str = "robot-project-list+registry-list";

/// Settings for a fake Harbor, asked with a credential of the recordings.
fn settings(fake: &Fake, credential: &str) -> Settings {
    let mut settings = Settings::new(Address::parse(&fake.url()).expect("the fake has an address"));
    if credential == "anonymous" {
        settings.registry = Some("harbor.example.com".to_owned());
    } else {
        settings.credentials = Some(Credentials::new(credential, PASSWORD));
    }
    settings
}

fn harbor(settings: Settings) -> Harbor {
    Harbor::new(settings).expect("the settings are good")
}

async fn discover(settings: Settings) -> Result<Report, HarborError> {
    harbor(settings).discover().await
}

/// What is used, as `upstream mirror`.
fn mirrors(report: &Report) -> Vec<String> {
    let used = report.projects.iter().filter(|entry| entry.left_out.is_none());
    used.map(|entry| format!("{} {}", entry.upstream.as_deref().unwrap_or("?"), entry.mirror)).collect()
}

/// What is left out, as `project: reason`.
fn left_out(report: &Report) -> Vec<String> {
    let reason = |entry: &mimic_harbor::Entry| Some(format!("{}: {}", entry.project, entry.left_out.as_ref()?));
    report.projects.iter().filter_map(reason).collect()
}
