//! Whether the tools for end-to-end tests are there, and what follows if not.

use std::{
    env,
    io::{self, Write},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Result, bail};

/// What the variable `MIMIC_E2E` asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Unset: tests are skipped where a tool is missing.
    Auto,
    /// `required`: a missing tool is a failure.
    Required,
    /// `off`: tests are skipped.
    Off,
}

impl Mode {
    fn from_environment() -> Result<Self> {
        match env::var("MIMIC_E2E").as_deref() {
            Err(_) | Ok("") => Ok(Self::Auto),
            Ok("required") => Ok(Self::Required),
            Ok("off") => Ok(Self::Off),
            Ok(other) => bail!("MIMIC_E2E is `{other}`; it may be `required`, `off` or unset"),
        }
    }
}

/// Says why the tests have to be skipped, if they have to.
///
/// `built` tells whether the control plane has been built already; then Go is not needed.
pub(crate) fn reason_to_skip(built: bool) -> Result<Option<&'static str>> {
    let mode = Mode::from_environment()?;
    let reason = if mode == Mode::Off {
        "MIMIC_E2E=off"
    } else if !runs("kubectl", &["version", "--client"]) {
        "kubectl is not installed, and these tests create pods with it"
    } else if !built && !runs("go", &["version"]) {
        "Go is not installed, and it takes Go to build the kube-apiserver that these tests run against"
    } else {
        return Ok(None);
    };
    if mode == Mode::Required {
        bail!("MIMIC_E2E=required, but {reason}");
    }
    Ok(Some(reason))
}

fn runs(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Tells the person who runs the tests something.
///
/// Written to the stream itself: what `eprintln!` prints is captured, and shown for failed tests only.
pub(crate) fn announce(message: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("e2e");
    // There is nobody to tell that telling failed.
    let _ = writeln!(io::stderr(), "{test}: {message}");
}
