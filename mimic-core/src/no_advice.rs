//! In place of the advice of the feature `lint`: that something is not valid, and which forms are.

use crate::rule_error::Advice;

pub(crate) fn upstream(_: &str) -> Advice {
    Advice::new("is not valid", "write `host`, `host:port`, `host/path`, `*.domain` or `*`")
}

pub(crate) fn location(_: &str, _: Option<Vec<String>>) -> Advice {
    Advice::new("is not valid", "write `host/path`, or a template with `{repository}`")
}

pub(crate) fn glob(_: &str, _: &str) -> Advice {
    Advice::new("is not valid", "write `host/path/**`")
}

pub(crate) fn never_matches(_: &str) -> Option<Advice> {
    None
}
