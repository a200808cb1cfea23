//! Where a Harbor is.

use std::fmt;

use url::Url;

/// The versioned part of every path of Harbor's API.
const API: &str = "api/v2.0/";

/// The address of a Harbor: a host, `host:port` or URL, with a path in front of the API where a proxy adds one.
///
/// The scheme is https unless `http://` is written out.
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

/// Why a text is not the address of a Harbor.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{shown} {reason}")]
pub struct AddressError {
    /// What was written, unless that holds a password.
    shown: String,
    reason: String,
    hint: &'static str,
}

impl AddressError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        self.hint
    }
}

impl Address {
    /// Parses an address as configuration writes it.
    ///
    /// # Errors
    /// [`AddressError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        const FORMS: &str = "write a host, host:port or URL, such as `harbor.example.com`";
        let text = text.trim();
        let error = |reason: &str, hint| {
            Err(AddressError { shown: format!("`{}`", text.escape_debug()), reason: reason.to_owned(), hint })
        };
        if text.is_empty() {
            return error("is empty", FORMS);
        }
        let full = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
        let mut api = match Url::parse(&full) {
            Ok(url) => url,
            Err(reason) => return error(&format!("is not an address: {reason}"), FORMS),
        };
        if !matches!(api.scheme(), "http" | "https") {
            return error("is neither http nor https", FORMS);
        }
        if !api.username().is_empty() || api.password().is_some() {
            let shown = "the address".to_owned();
            let hint = "leave them out and set the account's name and password";
            return Err(AddressError { shown, reason: "has credentials in it".to_owned(), hint });
        }
        if api.query().is_some() || api.fragment().is_some() {
            return error("has a query or a fragment", FORMS);
        }
        // Whoever copied the address of the API itself means the same.
        let path = api.path().trim_end_matches('/');
        let prefix = ["/api/v2.0", "/api"].iter().find_map(|end| path.strip_suffix(end)).unwrap_or(path);
        let path = format!("{}/{API}", prefix.trim_end_matches('/'));
        api.set_path(&path);
        Ok(Self { api })
    }

    /// The URL of a path of the API, such as `systeminfo`; `path` may carry a query and is taken as it is.
    pub(crate) fn endpoint(&self, path: &str) -> String {
        format!("{}{path}", self.api)
    }

    /// `host` or `host:port`.
    pub fn host(&self) -> String {
        let host = self.api.host_str().unwrap_or_default();
        self.api.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }

    /// Whether nothing on the way can read what is sent.
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
    fn every_way_to_write_an_address_leads_to_the_api() {
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
    fn what_is_no_address_is_refused_with_the_reason() {
        for (text, message) in [
            ("", "`` is empty"),
            ("ftp://harbor.example.com", "`ftp://harbor.example.com` is neither http nor https"),
            ("harbor example", "`harbor example` is not an address: invalid international domain name"),
            ("https://", "`https://` is not an address: empty host"),
            ("harbor:80x", "`harbor:80x` is not an address: invalid port number"),
            ("https://robot:secret@harbor.example.com", "the address has credentials in it"),
            ("harbor.example.com?x=1", "`harbor.example.com?x=1` has a query or a fragment"),
        ] {
            assert_eq!(Address::parse(text).map_err(|error| error.to_string()), Err(message.to_owned()), "{text}");
        }
    }
}
