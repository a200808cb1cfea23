//! The type of a scalar, and where its value is in the text.

use std::ops::Range;

use crate::tree::{Id, Kind, Style, Tag, Tree};

/// What Kubernetes' tools read a node as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Null,
    /// A number or a boolean of YAML 1.1 or 1.2, or a scalar with another tag.
    OtherScalar,
    List,
    Map,
}

impl Type {
    /// For messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::String => "a string",
            Self::Null => "empty",
            Self::OtherScalar => "a number, a boolean or another type",
            Self::List => "a list",
            Self::Map => "a mapping",
        }
    }
}

impl Tree<'_> {
    /// The type of a node; of an alias, that of its target.
    pub(crate) fn type_of(&self, id: Id) -> Type {
        match self.node(self.resolve(id)).kind {
            Kind::List => Type::List,
            Kind::Map => Type::Map,
            Kind::Scalar(_, Tag::Other) => Type::OtherScalar,
            Kind::Scalar(Style::Plain, Tag::None) => plain(self.text(self.resolve(id))),
            // Quoted, in a block, or with the tag of a string. An alias is resolved already.
            Kind::Scalar(..) | Kind::Alias => Type::String,
        }
    }

    /// The value of a node that is a string.
    pub(crate) fn string(&self, id: Id) -> Option<&str> {
        (self.type_of(id) == Type::String).then(|| self.text(self.resolve(id)))
    }

    /// The bytes to replace to change the value of a scalar, and what to write there. `None` if the scalar spans several
    /// lines in a way that has no single place for the value.
    pub(crate) fn edit(&self, id: Id, value: &str) -> Option<(Range<usize>, String)> {
        let node = self.node(id);
        let Kind::Scalar(style, _) = node.kind else { return None };
        let start = node.start as usize;
        let rest = self.text.get(start..)?;
        // A reference needs no escapes; anything else would.
        if !value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\'' | b'\\')) {
            return None;
        }
        let old = self.text(id);
        match style {
            Style::Plain => {
                let new = if is_plain(value) { value.to_owned() } else { format!("\"{value}\"") };
                rest.starts_with(old).then(|| (start..start + old.len(), new))
            }
            Style::SingleQuoted => {
                let inner = rest.strip_prefix('\'')?;
                let mut end = 0;
                loop {
                    end += inner[end..].find('\'')?;
                    if !inner[end + 1..].starts_with('\'') {
                        break;
                    }
                    end += 2;
                }
                Some((start + 1..start + 1 + end, value.to_owned()))
            }
            Style::DoubleQuoted => {
                let inner = rest.strip_prefix('"')?;
                let mut end = 0;
                loop {
                    end += inner[end..].find(['"', '\\'])?;
                    if inner[end..].starts_with('"') {
                        break;
                    }
                    let escaped = inner[end + 1..].chars().next()?;
                    end += 1 + escaped.len_utf8();
                }
                Some((start + 1..start + 1 + end, value.to_owned()))
            }
            Style::Literal | Style::Folded => {
                let line = old.trim_end_matches('\n');
                (!line.is_empty() && rest.starts_with(line)).then(|| (start..start + line.len(), value.to_owned()))
            }
        }
    }
}

/// Whether a reference can be written without quotes, in block and in flow context.
fn is_plain(value: &str) -> bool {
    value.starts_with(|c: char| c.is_ascii_alphanumeric())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./:_-@+".contains(&byte))
        && !value.ends_with(':')
        && plain(value) == Type::String
}

/// The type of an unquoted scalar. YAML 1.1 counts too, because Kubernetes' tools read its booleans and numbers.
fn plain(text: &str) -> Type {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => Type::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "n" | "N" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false"
        | "False" | "FALSE" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => Type::OtherScalar,
        _ if is_number(text) => Type::OtherScalar,
        _ => Type::String,
    }
}

fn is_number(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let radix = |prefix: &str, is_digit: fn(char) -> bool| {
        let digits = unsigned.strip_prefix(prefix);
        digits.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c == '_' || is_digit(c)))
    };
    if radix("0x", |c| c.is_ascii_hexdigit()) || radix("0o", |c| c.is_digit(8)) || radix("0b", |c| c.is_digit(2)) {
        return true;
    }
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], Some(&unsigned[at + 1..])),
        None => (unsigned, None),
    };
    let is_digits = |text: &str| text.chars().all(|c| c.is_ascii_digit() || c == '_');
    let has_digit = |text: &str| text.contains(|c: char| c.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    is_digits(whole)
        && !whole.starts_with('_')
        && is_digits(fraction)
        && has_digit(mantissa)
        && exponent.is_none_or(|exponent| {
            let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_scalars_have_the_types_of_both_versions_of_yaml() {
        for text in ["", "~", "null"] {
            assert_eq!(plain(text), Type::Null, "{text}");
        }
        for text in [
            "1", "-1", "+1_000", "1.27", "1.", ".5", "1e3", "1.5E-3", "0x1f", "0o7", "017", "0b1", "yes", "Off", "y",
            "True", ".inf", "-.inf", ".NaN",
        ] {
            assert_eq!(plain(text), Type::OtherScalar, "{text}");
        }
        for text in [
            "nginx",
            "1.27.3",
            "1.27-alpine",
            "0xg",
            "0o8x",
            "e3",
            "1e",
            "1e+",
            "_1",
            ".",
            "-",
            "1:30",
            "yess",
            "nginx:1",
            "2024-01-01",
            "._",
            "<<",
        ] {
            assert_eq!(plain(text), Type::String, "{text}");
        }
    }

    #[test]
    fn what_is_not_safe_without_quotes_is_quoted() {
        for value in ["harbor.example.com/a/b:1@sha256:0", "docker://h:5000/x", "1.27-alpine"] {
            assert!(is_plain(value), "{value}");
        }
        for value in ["[::1]:5000/x", "1.27", "x:", "a,b", "@x", "a#b", "{x}", "*a"] {
            assert!(!is_plain(value), "{value}");
        }
    }
}
