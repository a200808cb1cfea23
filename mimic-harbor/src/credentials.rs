//! Who Harbor is asked as.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::HarborError;

/// The name of a robot account or user, and where its password is. The debug form shows no password.
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
    /// A password that is known.
    pub fn new(username: impl Into<String>, password: impl Into<String>) -> Self {
        Self { username: username.into(), password: Password::Text(password.into()) }
    }

    /// A password in a file, read again for every discovery, so that it can be changed. White space at its end does not
    /// count.
    pub fn from_file(username: impl Into<String>, file: impl Into<PathBuf>) -> Self {
        Self { username: username.into(), password: Password::File(file.into()) }
    }

    /// The account's name.
    pub fn username(&self) -> &str {
        &self.username
    }

    /// The file that holds the password, if one does.
    pub fn file(&self) -> Option<&Path> {
        match &self.password {
            Password::Text(_) => None,
            Password::File(path) => Some(path),
        }
    }

    /// The credentials of this moment.
    pub(crate) fn read(&self) -> Result<Basic, HarborError> {
        let password = match &self.password {
            Password::Text(text) => text.clone(),
            Password::File(path) => {
                let unreadable = |reason| HarborError::PasswordUnreadable { path: path.clone(), reason };
                // A file of a few bytes: no other task waits for long.
                let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
                let text = text.trim_end();
                if text.is_empty() {
                    return Err(unreadable("it is empty".to_owned()));
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

/// A name and a password, for the time of one discovery.
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
    use super::*;

    #[test]
    fn a_password_never_shows() {
        let credentials = Credentials::new("robot$mimic", "s3cret");
        assert_eq!(format!("{credentials:?}"), "Credentials { username: \"robot$mimic\", password: \"…\" }");
        let basic = credentials.read().expect("a password that is known needs no file");
        assert_eq!(format!("{basic:?}"), "Basic { username: \"robot$mimic\", .. }");
    }

    #[test]
    fn a_password_file_is_read_anew_and_without_its_line_end() {
        let file = tempfile::NamedTempFile::new().expect("a temporary file");
        let credentials = Credentials::from_file("robot$mimic", file.path());
        for (content, password) in [("one\n", Ok("one")), ("two", Ok("two")), ("\n", Err("it is empty"))] {
            std::fs::write(file.path(), content).expect("the file can be written");
            let read = credentials.read().map(|basic| basic.password).map_err(|error| error.to_string());
            let expected = password
                .map(str::to_owned)
                .map_err(|reason| format!("the password file `{}` cannot be used: {reason}", file.path().display()));
            assert_eq!(read, expected);
        }
    }
}
