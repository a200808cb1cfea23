//! URLs of registries, as container runtimes have them in place of image prefixes.

use mimic_core::Upstream;

/// The URL of a registry's API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) is_plain_http: bool,
    /// `host[:port]`, in lower case.
    pub(crate) host: String,
    /// Components of the path.
    path: Vec<String>,
}

/// Why a URL has no image prefix.
pub(crate) struct NoPrefix {
    pub(crate) reason: &'static str,
    pub(crate) hint: String,
}

impl Endpoint {
    /// Parses a URL, with or without its scheme. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, &'static str> {
        let (is_plain_http, rest) = match text.split_once("://") {
            None => (false, text),
            Some(("http", rest)) => (true, rest),
            Some(("https", rest)) => (false, rest),
            Some(_) => return Err("has a scheme that is neither `http` nor `https`"),
        };
        if rest.contains(['?', '#']) {
            return Err("has a query or a fragment");
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        if host.contains('@') {
            return Err("has a user");
        }
        if host.is_empty() {
            return Err("has no host");
        }
        let mut components: Vec<String> = Vec::new();
        for component in path.split('/') {
            match component {
                "" | "." => {}
                ".." => drop(components.pop()),
                _ => components.push(component.to_owned()),
            }
        }
        Ok(Self { is_plain_http, host: host.to_ascii_lowercase(), path: components })
    }

    /// The image prefix whose references make a client send the same requests. `is_whole` is containerd's `override_path`:
    /// the path is complete; otherwise it ends before `/v2`.
    pub(crate) fn prefix(&self, is_whole: bool) -> Result<String, NoPrefix> {
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        let below = match (is_whole, path.as_slice()) {
            (false, [] | ["v2"]) => &[][..],
            (true, ["v2", below @ ..]) => below,
            (false, path) => {
                let path = path.strip_prefix(&["v2"]).unwrap_or(path).join("/");
                let hint = format!(
                    "for images below `{0}/{path}`, it is `https://{0}/v2/{path}` with `override_path = true`",
                    self.host
                );
                return Err(NoPrefix { reason: "has a path but no `override_path`", hint });
            }
            (true, path) => {
                let path = path.join("/");
                let hint = format!("for images below `{0}/{path}`, it is `https://{0}/v2/{path}`", self.host);
                return Err(NoPrefix { reason: "has a path that does not begin with `/v2`", hint });
            }
        };
        Ok(below.iter().fold(self.host.clone(), |prefix, component| prefix + "/" + component))
    }

    /// Whether this is a registry itself.
    pub(crate) fn is_registry(&self, registry: &str) -> bool {
        matches!(self.path.as_slice(), [] | [_])
            && self.path.iter().all(|path| path == "v2")
            && is_same(&self.host, registry)
    }
}

/// Whether two names are those of the same registry or prefix.
pub(crate) fn is_same(a: &str, b: &str) -> bool {
    canonical(a) == canonical(b)
}

/// A registry or prefix with Docker Hub's other names replaced, and without port 443.
pub(crate) fn canonical(name: &str) -> String {
    let name = Upstream::parse(name).map_or_else(|_| name.to_owned(), |upstream| upstream.to_string());
    let (host, path) = name.split_once('/').map_or((name.as_str(), None), |(host, path)| (host, Some(path)));
    let host = host.strip_suffix(":443").unwrap_or(host);
    path.map_or_else(|| host.to_owned(), |path| format!("{host}/{path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_become_image_prefixes() {
        for (url, is_whole, prefix) in [
            ("https://m.example", false, Some("m.example")),
            ("m.example:5000", false, Some("m.example:5000")),
            ("http://M.example/", false, Some("m.example")),
            ("https://m.example/v2", false, Some("m.example")),
            ("https://m.example/v2/", true, Some("m.example")),
            ("https://m.example/v2/a/b", true, Some("m.example/a/b")),
            ("https://m.example//v2/./a/../b/", true, Some("m.example/b")),
            ("https://[::1]:5000/v2/a", true, Some("[::1]:5000/a")),
            ("https://m.example/a", false, None),
            ("https://m.example/v2/a", false, None),
            ("https://m.example/a", true, None),
            ("https://m.example", true, None),
        ] {
            let found = Endpoint::parse(url).unwrap().prefix(is_whole);
            assert_eq!(found.ok().as_deref(), prefix, "{url} {is_whole}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["ftp://m", "https://", "", "https://u:p@m", "https://m?ns=a", "/v2", "https://m/#a"] {
            assert!(Endpoint::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn a_registry_is_known_by_its_other_names() {
        for (url, registry) in [
            ("https://registry-1.docker.io", "docker.io"),
            ("https://docker.io/v2", "docker.io"),
            ("https://quay.io:443", "quay.io"),
            ("https://quay.io/v2/", "quay.io:443"),
        ] {
            assert!(Endpoint::parse(url).unwrap().is_registry(registry), "{url}");
        }
        assert!(!Endpoint::parse("https://quay.io/v2/a").unwrap().is_registry("quay.io"));
        assert!(!Endpoint::parse("https://quay.io:5000").unwrap().is_registry("quay.io"));
    }
}
