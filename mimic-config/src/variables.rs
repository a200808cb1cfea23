//! Finds Mimic's settings among the environment variables of the process. `value_type.rs` parses their values.

use std::collections::BTreeMap;
use std::ffi::OsString;

use mimic_core::Problem;
use mimic_core::internal::nearest;

use crate::schema::{CONFIG_VARIABLE, Schema, suggest};

/// The variables of the process that begin with `MIMIC_`, sorted.
#[derive(Debug, Default)]
pub(crate) struct Variables {
    /// Settings, by variable. An empty variable counts as not set.
    pub(crate) known: BTreeMap<String, String>,
    /// `MIMIC_CONFIG`.
    pub(crate) config: Option<String>,
    /// Unknown variables.
    pub(crate) warnings: Vec<Problem>,
    /// Values that are not UTF-8.
    pub(crate) problems: Vec<Problem>,
}

impl Variables {
    pub(crate) fn sort_out(schema: &Schema, all: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let names: Vec<String> =
            schema.rows.iter().map(|row| row.variable()).chain([CONFIG_VARIABLE.to_owned()]).collect();
        let mut sorted = Self::default();
        for (name, value) in all {
            let Some(name) = name.to_str().filter(|name| name.starts_with("MIMIC_") && schema.covers_variable(name))
            else {
                continue;
            };
            let known = names.iter().any(|known| known == name);
            let Some(value) = value.to_str() else {
                if known {
                    sorted.problems.push(Problem::new(name, "the value is not valid UTF-8"));
                }
                continue;
            };
            match name {
                _ if value.is_empty() => {}
                CONFIG_VARIABLE => sorted.config = Some(value.to_owned()),
                _ if known => drop(sorted.known.insert(name.to_owned(), value.to_owned())),
                _ if is_service_link(name, value) => {}
                _ => {
                    let nearest = nearest(name, names.iter().map(String::as_str));
                    sorted.warnings.push(suggest(Problem::new(name, "unknown variable, ignored"), nearest));
                }
            }
        }
        sorted
    }
}

/// Whether Kubernetes created this variable for a Service named `mimic` or `mimic-…`
/// (<https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables>).
fn is_service_link(name: &str, value: &str) -> bool {
    let is_address = ["tcp://", "udp://", "sctp://"].iter().any(|scheme| value.starts_with(scheme));
    if name.ends_with("_SERVICE_HOST") {
        return true;
    }
    // `MIMIC_SERVICE_PORT` and `MIMIC_SERVICE_PORT_HTTPS`, for a named port.
    if name.find("_SERVICE_PORT").is_some_and(|at| matches!(name.as_bytes().get(at + 13), None | Some(b'_'))) {
        return value.bytes().all(|b| b.is_ascii_digit());
    }
    // `MIMIC_PORT=tcp://…`; the value distinguishes it from a typing error such as `MIMIC_LISTEN_PORT=8443`.
    if name.ends_with("_PORT") && is_address {
        return true;
    }
    // `MIMIC_PORT_8443_TCP`, with `_ADDR`, `_PORT` or `_PROTO`.
    let bare = ["_ADDR", "_PORT", "_PROTO"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    let Some(numbered) = ["_TCP", "_UDP", "_SCTP"].iter().find_map(|end| bare.strip_suffix(end)) else { return false };
    numbered.rsplit_once("_PORT_").is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use mimic_core::Hint as _;

    use super::*;
    use crate::test_schema::schema;

    fn sort_out(variables: &[(&str, &str)]) -> Variables {
        Variables::sort_out(&schema(), variables.iter().map(|(name, value)| (name.into(), value.into())))
    }

    #[test]
    fn what_kubernetes_injects_for_a_service_called_mimic_is_ignored_silently() {
        let sorted = sort_out(&[
            ("MIMIC_SERVICE_HOST", "10.96.0.7"),
            ("MIMIC_SERVICE_PORT", "443"),
            ("MIMIC_SERVICE_PORT_HTTPS", "443"),
            ("MIMIC_PORT", "tcp://10.96.0.7:443"),
            ("MIMIC_PORT_8443_TCP", "tcp://10.96.0.7:8443"),
            ("MIMIC_PORT_8443_TCP_ADDR", "10.96.0.7"),
            ("MIMIC_PORT_8443_TCP_PORT", "8443"),
            ("MIMIC_PORT_8443_TCP_PROTO", "tcp"),
            ("MIMIC_ADMIN_SERVICE_HOST", "10.96.0.8"),
            ("MIMIC_ADMIN_PORT_53_UDP_ADDR", "10.96.0.8"),
            ("MIMIC_LISTENPORT_SERVICE_PORT_A_B", "1"),
        ]);
        assert!(sorted.warnings.is_empty(), "{:?}", sorted.warnings);
        assert!(sorted.known.is_empty());
    }

    #[test]
    fn an_unknown_variable_is_warned_about_with_the_nearest_name() {
        let sorted = sort_out(&[
            ("MIMIC_LISTEN_PORT", "9443"),
            ("MIMIC_PORT", "9443"),
            ("MIMIC_WHATEVER_ELSE", "x"),
            ("MIMIC_KUBERNETES_CONFIGMAPS", "mirrors"),
            ("OTHER", "x"),
        ]);
        let warnings: Vec<String> = sorted.warnings.iter().map(|warning| warning.full_message().to_string()).collect();
        assert_eq!(
            warnings,
            [
                "MIMIC_LISTEN_PORT: unknown variable, ignored (hint: did you mean `MIMIC_LISTENPORT`?)",
                "MIMIC_PORT: unknown variable, ignored",
                "MIMIC_WHATEVER_ELSE: unknown variable, ignored",
                "MIMIC_KUBERNETES_CONFIGMAPS: unknown variable, ignored (hint: did you mean `MIMIC_KUBERNETES_CONFIGMAP`?)",
            ]
        );
    }

    #[test]
    fn an_empty_variable_is_as_good_as_not_set() {
        let sorted = sort_out(&[("MIMIC_LISTENPORT", ""), ("MIMIC_NONSENSE", ""), ("MIMIC_CONFIG", "")]);
        assert!(sorted.known.is_empty() && sorted.warnings.is_empty() && sorted.config.is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_value_that_is_not_text_is_a_problem() {
        use std::os::unix::ffi::OsStringExt;
        let sorted = Variables::sort_out(&schema(), [("MIMIC_LISTENHOST".into(), OsString::from_vec(vec![0xff]))]);
        assert_eq!(sorted.problems, [Problem::new("MIMIC_LISTENHOST", "the value is not valid UTF-8")]);
    }
}
