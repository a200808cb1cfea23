//! Finds globs of a rule that can never match one of its images.

use crate::glob::{Globs, is_literal};
use crate::grammar::{check_digest, scan_repository, scan_tag};
use crate::host::{ANY_PORT, without_https_port, without_port};
use crate::reference::LIBRARY;
use crate::rule_error::Advice;
use crate::upstream::Upstream;

/// Checks that an image of the upstream can match.
///
/// `names` are the globs over `registry/repository` that the glob `text` stands for.
///
/// # Errors
/// Why the glob never matches, and how to write it.
pub(crate) fn check(
    text: &str,
    (tag, digest): (Option<&str>, Option<&str>),
    names: &[String],
    upstream: &Upstream,
) -> Result<(), Advice> {
    let never = |reason: &str, hint: String| Err(Advice::new(reason.to_owned(), hint));
    if text.contains(char::is_whitespace) {
        return never("contains a space", format!("write `{}`", text.replace(char::is_whitespace, "")));
    }
    for name in names {
        if name.split('/').any(str::is_empty) {
            return never("has an empty component", String::new());
        }
        let Some((_, path)) = name.split_once('/') else { continue };
        if is_literal(path) && scan_repository(path, 0) != Ok(path.len())
            || path.contains(|c: char| c.is_ascii_uppercase()) && !path.contains('[')
        {
            return never("has an invalid path", "path components are lower case".to_owned());
        }
    }
    if let Some(tag) = tag.filter(|tag| is_literal(tag))
        && scan_tag(tag, 0) != Ok(tag.len())
    {
        return never(&format!("has the invalid tag `{tag}`"), String::new());
    }
    if let Some(digest) = digest.filter(|digest| is_literal(digest))
        && check_digest(digest, 0).is_err()
    {
        return never(&format!("has the invalid digest `{digest}`"), "write `@sha256:*` for every digest".to_owned());
    }
    if names.iter().any(|name| can_match(name, upstream)) {
        return Ok(());
    }
    let hint = format!("globs match the whole name: start with `{upstream}`");
    never(&format!("is outside the rule's upstream `{upstream}`"), hint)
}

/// Whether a glob over `registry/repository` could match an image of the upstream.
fn can_match(glob: &str, upstream: &Upstream) -> bool {
    match upstream {
        Upstream::Prefix { registry, path } => {
            let registry = without_https_port(registry);
            starts_like(glob, &format!("{registry}/{path}"))
                || upstream.is_official() && starts_like(glob, &format!("{registry}/{LIBRARY}{path}"))
        }
        Upstream::Wildcard(domain) => {
            let registry = glob.split('/').next().unwrap_or_default();
            let (host, domain) = match domain.strip_suffix(ANY_PORT) {
                Some(domain) => (without_port(registry), domain),
                None => (registry, without_https_port(domain)),
            };
            !is_literal(registry) || host.ends_with(domain)
        }
        Upstream::All | Upstream::Pattern(_) => true,
    }
}

/// Whether a glob could match a name that starts with these components.
fn starts_like(glob: &str, prefix: &str) -> bool {
    let mut components = glob.split('/');
    for part in prefix.trim_end_matches('/').split('/') {
        match components.next() {
            None => return false,
            Some(component) if component.contains("**") => return true,
            // A component that is not a glob is part of an alternative with a slash.
            Some(component) if Globs::new([component]).is_ok_and(|glob| !glob.is_match(part)) => return false,
            Some(_) => {}
        }
    }
    true
}
