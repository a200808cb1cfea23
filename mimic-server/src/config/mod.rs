//! Configuration: one table of keys, read from the environment and a YAML file, checked as a whole.

mod availability;
mod file;
mod form;
mod harbor;
mod load;
mod reference;
mod settings;
mod table;
mod variables;

pub(crate) use form::duration;
pub use form::{CertificateOrigin, LogFormat, LogLevel};
pub use harbor::Harbor;
pub use reference::reference_page;
pub use settings::{Certificate, Files, Kubernetes, Limits, Listen, Loaded, Log, Mirrors, OpenShift, Secret, Settings};

/// Adds the advice that `nearest` may have been meant, if there is such a name.
fn candidate(problem: mimic_core::Problem, nearest: Option<&str>) -> mimic_core::Problem {
    match nearest {
        Some(name) => problem.with_hint(format!("did you mean `{name}`?")),
        None => problem,
    }
}
