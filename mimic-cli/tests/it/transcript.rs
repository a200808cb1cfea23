//! Transcripts: commands and their output.
//!
//! ```text
//! # A comment.
//! $ mimic parse nginx x:
//! nginx
//!   …
//! ! error: …
//! [exit 1]
//! ```
//!
//! `sh` runs the command, with `mimic` on the path and `tests/data/files` as the working directory. Below the command are
//! standard output, standard error with `! ` before each line, and the exit status if it is not 0. A fake Harbor that
//! replays recordings answers all HTTP requests, as a proxy.

use std::env;
use std::ffi::OsString;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

use fake_harbor::Fake;

/// The working directory of the commands.
pub(crate) fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/files")
}

/// The HTTP proxy of the commands.
fn proxy() -> &'static Fake {
    static FAKE: OnceLock<Fake> = OnceLock::new();
    FAKE.get_or_init(Fake::start)
}

/// Runs a command line with `sh`.
pub(crate) fn run(command: &str) -> Output {
    let directory = Path::new(env!("CARGO_BIN_EXE_mimic")).parent().unwrap();
    let mut path = OsString::from(directory);
    path.push(":");
    path.push(env::var_os("PATH").unwrap());
    Command::new("sh")
        .args(["-c", command])
        .current_dir(files())
        .env("PATH", path)
        // They set the width of help texts.
        .env_remove("COLUMNS")
        .env_remove("LINES")
        .envs([("http_proxy", proxy().url()), ("HTTP_PROXY", proxy().url())])
        .env_remove("no_proxy")
        .env_remove("NO_PROXY")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// The transcript with the current output of its commands.
pub(crate) fn replay(transcript: &str) -> String {
    let mut played = String::new();
    let mut printed = false;
    let lines: Vec<&str> = transcript.lines().collect();
    // Output can have such lines, too. A comment is followed by a command.
    let is_comment = |line: &&str| line.starts_with("# ");
    for (at, line) in lines.iter().enumerate() {
        if let Some(command) = line.strip_prefix("$ ") {
            if printed {
                played.push('\n');
            }
            writeln!(played, "{line}").unwrap();
            print(&run(command), &mut played);
            printed = true;
        } else if is_comment(line)
            && lines[at..].iter().find(|line| !is_comment(line)).is_some_and(|next| next.starts_with("$ "))
        {
            if printed {
                played.push('\n');
            }
            writeln!(played, "{line}").unwrap();
            printed = false;
        }
    }
    played
}

fn print(output: &Output, to: &mut String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("transcripts are UTF-8");
    to.push_str(&text(&output.stdout));
    for line in text(&output.stderr).lines() {
        writeln!(to, "{}", format!("! {line}").trim_end()).unwrap();
    }
    match output.status.code() {
        Some(0) => {}
        Some(code) => writeln!(to, "[exit {code}]").unwrap(),
        None => panic!("ended by a signal: {:?}", output.status),
    }
}

/// Checks that a file has the expected content. If the variable `update` is set, writes the content instead.
pub(crate) fn hold(path: &Path, expected: &str, update: &str) {
    let found = fs::read_to_string(path).unwrap_or_default();
    if env::var_os(update).is_some() {
        if found != expected {
            fs::write(path, expected).unwrap();
        }
        return;
    }
    let name = path.file_name().unwrap().display();
    for (number, (found, expected)) in (1..).zip(found.lines().zip(expected.lines())) {
        assert_eq!(found, expected, "{name}:{number} is outdated; run {update}=1 cargo test -p mimic-cli");
    }
    assert_eq!(found, expected, "{name} is outdated; run {update}=1 cargo test -p mimic-cli");
}
