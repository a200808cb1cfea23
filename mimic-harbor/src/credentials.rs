//! The account that Mimic uses at a Harbor.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::HarborError;

/// The name of a robot account or user, and its password. `Debug` does not show the password.
#[derive(Clone)]
pub struct Credentials {
    username: String,
    password: Password,
}

#[derive(Clone)]
enum Password {
    Text(String),
    File(PathBuf),
}

impl Credentials {
    /// A password in memory.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Password::Text(password.into()) }
    }

    /// A password in a file, which is read again for every discovery. White space at its end and a byte order mark are
    /// removed.
    pub fn from_file(username: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self { username: username.into(), password: Password::File(file.into()) }
    }

    /// The account's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The file with the password, if there is one.
    pub fn file(&self) -> Option<&Path> {
        match &self.password {
            Password::Text(_) => None,
            Password::File(path) => Some(path),
        }
    }

    /// The name and the current password. Blocks on the disk.
    pub(crate) fn read(&self) -> Result<Basic, HarborError> {
        let password = match &self.password {
            Password::Text(text) => text.clone(),
            Password::File(path) => {
                let unusable = |cause| HarborError::PasswordFile { path: path.clone(), cause };
                let text = std::fs::read_to_string(path).map_err(unusable)?;
                let text = text.strip_prefix('\u{feff}').unwrap_or(&text).trim_end();
                if text.is_empty() {
                    return Err(unusable(io::Error::new(io::ErrorKind::InvalidData, "it is empty")));
                }
                text.to_owned()
            }
        };
        Ok(Basic { username: self.username.clone(), password })
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = match &self.password {
            Password::Text(_) => "…".to_owned(),
            Password::File(path) => format!("in {}", path.display()),
        };
        f.debug_struct("Credentials").field("username", &self.username).field("password", &password).finish()
    }
}

/// A name and a password, for one discovery.
#[derive(Clone)]
pub(crate) struct Basic {
    pub(crate) username: String,
    pub(crate) password: String,
}

impl fmt::Debug for Basic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Basic").field("username", &self.username).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use mimic_core::Hint as _;

    use super::*;

    const HINT: &str = " (hint: the file must hold the password and nothing else)";

    #[test]
    fn debug_never_shows_a_password() {
        let credentials = Credentials::new("robot$mimic", "s3cret");
        assert_eq!(format!("{credentials:?}"), "Credentials { username: \"robot$mimic\", password: \"…\" }");
        let basic = credentials.read().expect("a password in memory needs no file");
        assert_eq!(format!("{basic:?}"), "Basic { username: \"robot$mimic\", .. }");
    }

    #[test]
    fn a_password_file_is_read_each_time_without_its_line_end_and_byte_order_mark() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let credentials = Credentials::from_file("robot$mimic", file.path());
        for (content, password) in [
            ("one\n", Ok("one")),
            ("two", Ok("two")),
            ("\u{feff}three\r\n", Ok("three")),
            ("\n", Err("it is empty")),
            ("\u{feff}", Err("it is empty")),
        ] {
            std::fs::write(file.path(), content).expect("the file can be written");
            let read = credentials.read().map(|basic| basic.password).map_err(|error| error.full_message().to_string());
            let expected = password
                .map(str::to_owned)
                .map_err(|reason| format!("cannot use the password file `{}`: {reason}{HINT}", file.path().display()));
            assert_eq!(read, expected);
        }
    }
}
