//! The address of a Harbor.

use std::borrow::Cow;
use std::fmt;

use mimic_core::Hint;
use mimic_core::internal::Printable;
use url::{ParseError, Url};

/// The versioned part of every path of Harbor's API.
const API: &str = "api/v2.0/";

/// The address of a Harbor: a host, `host:port` or URL, with the path that a proxy may add before the API.
///
/// The scheme is https unless the URL starts with `http://`.
///
/// ```
/// use mimic_harbor::Address;
///
/// assert_eq!(Address::parse("harbor.example.com")?.to_string(), "https://harbor.example.com");
/// assert_eq!(Address::parse("http://10.0.0.7:8080/harbor/")?.to_string(), "http://10.0.0.7:8080/harbor");
/// # Ok::<(), mimic_harbor::AddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Address {
    /// Ends with [`API`].
    api: Url,
}

/// Why a string is not the address of a Harbor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown} {reason}")]
pub struct AddressError {
    /// The input, unless that holds a password.
    shown: String,
    reason: &'static str,
    hint: &'static str,
    #[source]
    cause: Option<ParseError>,
}

impl Hint for AddressError {
    fn hint(&self) -> Option<Cow<'_, str>> {
        Some(self.hint.into())
    }
}

impl Address {
    /// Parses an address as written in a configuration.
    ///
    /// # Errors
    /// [`AddressError`] if Mimic cannot use the address.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        const FORMS: &str = "write a host, host:port or URL, such as `harbor.example.com`";
        let text = text.trim();
        let error =
            |reason, cause| Err(AddressError { shown: format!("`{}`", Printable(text)), reason, hint: FORMS, cause });
        if text.is_empty() {
            return error("is empty", None);
        }
        let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let mut api = match Url::parse(&full) {
            Ok(url) => url,
            Err(cause) => return error("is not an address", Some(cause)),
        };
        if !matches!(api.scheme(), "http" | "https") {
            return error("is neither http nor https", None);
        }
        if !api.username().is_empty() || api.password().is_some() {
            let shown = "the address".to_owned();
            let hint = "remove them, and set the account's name and password";
            return Err(AddressError { shown, reason: "contains credentials", hint, cause: None });
        }
        if api.query().is_some() || api.fragment().is_some() {
            return error("has a query or a fragment", None);
        }
        // The address of the API itself is accepted, too.
        let path = api.path().trim_end_matches('/');
        let prefix = ["/api/v2.0", "/api"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
        let path = format!("{}/{API}", prefix.trim_end_matches('/'));
        api.set_path(&path);
        Ok(Self { api })
    }

    /// The URL of a path of the API, such as `systeminfo`. `path` may have a query and must be encoded.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }

    /// `host` or `host:port`.
    pub fn host(&self) -> String {
        let host = self.api.host_str().unwrap_or_default();
        self.api.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether connections are encrypted.
    pub fn is_encrypted(&self) -> bool {
        self.api.scheme() == "https"
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let url = self.api.as_str();
        f.write_str(url.strip_suffix(API).unwrap_or(url).trim_end_matches('/'))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_gives_the_url_of_the_api() {
        for (text, systeminfo) in [
            ("harbor.example.com", "https://harbor.example.com/api/v2.0/systeminfo"),
            (" harbor.example.com/ ", "https://harbor.example.com/api/v2.0/systeminfo"),
            ("harbor.example.com:8443", "https://harbor.example.com:8443/api/v2.0/systeminfo"),
            ("harbor.harbor.svc", "https://harbor.harbor.svc/api/v2.0/systeminfo"),
            ("localhost:8080", "https://localhost:8080/api/v2.0/systeminfo"),
            ("http://harbor-core", "http://harbor-core/api/v2.0/systeminfo"),
            ("HTTPS://Harbor.Example.com:443", "https://harbor.example.com/api/v2.0/systeminfo"),
            ("https://example.com/harbor", "https://example.com/harbor/api/v2.0/systeminfo"),
            ("example.com/a/b/", "https://example.com/a/b/api/v2.0/systeminfo"),
            ("https://harbor.example.com/api/v2.0", "https://harbor.example.com/api/v2.0/systeminfo"),
            ("https://harbor.example.com/api/", "https://harbor.example.com/api/v2.0/systeminfo"),
            ("[fd00::7]:8443", "https://[fd00::7]:8443/api/v2.0/systeminfo"),
        ] {
            assert_eq!(Address::parse(text).map(|address| address.endpoint("systeminfo")).as_deref(), Ok(systeminfo));
        }
    }

    #[test]
    fn an_invalid_address_is_an_error_with_the_reason() {
        for (text, message) in [
            ("", "`` is empty"),
            ("ftp://harbor.example.com", "`ftp://harbor.example.com` is neither http nor https"),
            ("harbor example", "`harbor example` is not an address: invalid international domain name"),
            ("https://", "`https://` is not an address: empty host"),
            ("harbor:80x", "`harbor:80x` is not an address: invalid port number"),
            ("https://robot:secret@harbor.example.com", "the address contains credentials"),
            ("harbor.example.com?x=1", "`harbor.example.com?x=1` has a query or a fragment"),
        ] {
            let error = Address::parse(text).expect_err("it is no address").full_message().to_string();
            assert_eq!(error.split_once(" (hint: ").map(|(error, _)| error), Some(message), "{text}");
        }
    }
}
