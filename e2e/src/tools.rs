//! Checks for the tools of the end-to-end tests, and skips tests without them.

use std::{
    env,
    io::{self, Write},
    process::{Command, Stdio},
    thread,
};

use anyhow::{Result, bail};

/// The value of the variable `MIMIC_E2E`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Unset: tests are skipped if a tool is missing.
    Auto,
    /// `required`: tests fail if a tool is missing.
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
            Ok(other) => bail!("invalid MIMIC_E2E `{other}`: must be `required`, `off` or unset"),
        }
    }
}

/// Whether a test must be skipped. If so, prints the reason.
///
/// `missing` returns which tool is missing and why it is needed, if one is.
///
/// # Errors
/// With `MIMIC_E2E=required`, if a tool is missing.
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

/// Whether a program runs successfully.
pub(crate) fn runs(program: &str, arguments: &[&str]) -> bool {
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// Prints a message during the tests.
///
/// Written directly to stderr: the output of `eprintln!` is captured, and shown only for failed tests.
pub(crate) fn announce(message: &str) {
    let thread = thread::current();
    let test = thread.name().unwrap_or("e2e");
    // A failure to print cannot be reported.
    let _ = writeln!(io::stderr(), "{test}: {message}");
}
