//! Secrets in the configuration.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::files;
use crate::layers::Layers;
use crate::setting::Setting;

/// Largest file in bytes.
const LARGEST: u64 = 1 << 20;

/// A secret: its value, or the name of a file that contains it. The debug form shows neither.
#[derive(Clone, PartialEq, Eq)]
pub enum Secret {
    /// Neither is set.
    Absent,
    /// The secret itself.
    Value(String),
    /// Read whenever the secret is needed, so that it can be changed.
    File(PathBuf),
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Absent => "Absent",
            Self::Value(_) => "Value(…)",
            Self::File(_) => "File(…)",
        })
    }
}

/// Reads a secret that can be set by value or by file, and checks that the file is readable.
pub fn read_secret(layers: &mut Layers, value_setting: &Setting<String>, file_setting: &Setting<PathBuf>) -> Secret {
    let value = layers.read(value_setting);
    let file = layers.read(file_setting);
    match (value.is_empty(), file.as_os_str().is_empty()) {
        (true, true) => Secret::Absent,
        (false, true) => Secret::Value(value),
        (true, false) => {
            let read = files::read(&file, LARGEST);
            if let Err(error) = read.and_then(|bytes| String::from_utf8(bytes).map_err(io::Error::other)) {
                layers.note(file_setting, format!("cannot read `{}`: {error}", file.display()), "");
            }
            Secret::File(file)
        }
        (false, false) => {
            let other = layers.setter(value_setting);
            layers.note(file_setting, format!("cannot be combined with `{other}`; remove one of them"), "");
            Secret::Absent
        }
    }
}
