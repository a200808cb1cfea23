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

/// Tells whether a test has to be skipped, and says so to the person who runs it.
///
/// `missing` says what is not there, if that is so, and what for.
///
/// # Errors
/// Under `MIMIC_E2E=required` when something is missing.
pub(crate) fn is_skipped(missing: impl FnOnce() -> Option<&'static str>) -> Result<bool> {
    let mode = Mode::from_environment()?;
    let reason = if mode == Mode::Off { Some("MIMIC_E2E=off") } else { missing() };
    let Some(reason) = reason else { return Ok(false) };
    if mode == Mode::Required {
        bail!("MIMIC_E2E=required, but {reason}");
    }
    announce(&format!("skipped: {reason}"));
    Ok(true)
}

/// Whether a program can be run, and succeeds.
pub(crate) fn runs(program: &str, arguments: &[&str]) -> bool {
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
