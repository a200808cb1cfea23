//! A file to import.

/// A file to import.
#[derive(Clone, Copy, Debug)]
pub struct SourceFile<'a> {
    /// Its path, for messages. A `hosts.toml` must be in a directory that is named after the registry.
    pub name: &'a str,
    /// Its content, without a byte order mark.
    pub text: &'a str,
}
