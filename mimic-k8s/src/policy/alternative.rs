//! What a rule does with an image, as a value in the policy's table.

use std::collections::BTreeSet;

use mimic_core::{ImageExpression, Library, References, Rule, Upstream};

use super::expression::{SEPARATOR, is_short, rewrite_part};

/// The location of images that the policy does not change: those of rules with `keep`, and those that it leaves to the
/// webhook.
pub(super) const UNCHANGED: &str = "-";
/// Between the fields of an alternative. Occurs in none of them.
pub(super) const FIELD: char = ';';
/// Between the alternatives of a key. Occurs in none of them.
pub(super) const ALTERNATIVE: char = '#';

/// What happens to an image if a rule matches. The fields are strings, as they are in the policy; an empty one is the
/// default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Alternative {
    pub(super) location: String,
    /// `tag` or `digest` if it is for such references only.
    pub(super) references: &'static str,
    /// Expression that the image must match.
    pub(super) include: String,
    /// Expression that the image must not match.
    pub(super) exclude: String,
    /// `strip` if official images have no `library/` at the mirror.
    pub(super) library: &'static str,
    pub(super) secret: String,
    /// [`Priorities::text`] of the rule's priority.
    pub(super) priority: String,
}

/// The alternatives of one rule, and why the rule stays with the webhook if it does.
pub(super) struct Compiled {
    pub(super) alternatives: Vec<Alternative>,
    pub(super) left: Option<&'static str>,
}

impl Alternative {
    /// The number of [fields](Self::fields).
    pub(super) const FIELDS: usize = 7;

    fn fields(&self) -> [&str; Self::FIELDS] {
        let Self { location, references, include, exclude, library, secret, priority } = self;
        [location, references, include, exclude, library, secret, priority]
    }

    /// Whether it is for all images that have its key.
    pub(super) fn is_unconditional(&self) -> bool {
        self.references.is_empty() && self.include.is_empty()
    }

    /// The fields as one string, without empty ones at the end.
    pub(super) fn text(&self) -> String {
        let text = self.fields().join(&FIELD.to_string());
        text.trim_end_matches(FIELD).to_owned()
    }

    /// Leaves all images of a key to the webhook.
    pub(super) fn unchanged(priority: String) -> Self {
        Self { location: UNCHANGED.to_owned(), priority, ..Self::default() }
    }
}

/// The priorities of all rules, as strings that sort in the same order.
#[derive(Debug, Default)]
pub(super) struct Priorities(Vec<i32>);

impl Priorities {
    pub(super) fn new(priorities: impl Iterator<Item = i32>) -> Self {
        Self(priorities.collect::<BTreeSet<_>>().into_iter().collect())
    }

    /// Whether there are different ones.
    pub(super) fn differ(&self) -> bool {
        self.0.len() > 1
    }

    /// The rank of a priority. Empty for the lowest one.
    pub(super) fn text(&self, priority: i32) -> String {
        let digits = self.0.len().to_string().len();
        match self.0.partition_point(|&other| other < priority) {
            0 => String::new(),
            rank => format!("{rank:0digits$}"),
        }
    }
}

/// Compiles one rule.
pub(super) fn compile(rule: &Rule, priorities: &Priorities) -> Compiled {
    let mut alternative = Alternative::unchanged(priorities.text(rule.priority()));
    let mut left = left_by_conditions(rule).or_else(|| left_by_locations(rule));
    match rule.include().map(|globs| expression(&globs)) {
        None => {}
        Some(Some(include)) => alternative.include = include,
        // Any image that has the key may be one of the rule.
        Some(None) => left = left.or(Some("its `include` is too long, or has no equivalent in CEL")),
    }
    let exclude = rule.exclude();
    if !exclude.is_empty() {
        match expression(&exclude) {
            Some(exclude) => alternative.exclude = exclude,
            None => left = left.or(Some("its `exclude` is too long, or has no equivalent in CEL")),
        }
    }
    rule.pull_secret().unwrap_or_default().clone_into(&mut alternative.secret);
    if rule.library() == Library::Strip {
        alternative.library = "strip";
    }
    let is_left = left.is_some();
    let of = |references: References, name: &'static str| {
        let location = if is_left { None } else { location(rule, references) };
        let mut alternative = Alternative { references: name, ..alternative.clone() };
        if let Some(location) = location {
            location.clone_into(&mut alternative.location);
        } else {
            let Alternative { include, priority, .. } = alternative;
            alternative = Alternative { references: name, include, ..Alternative::unchanged(priority) };
        }
        alternative
    };
    let alternatives = match rule.references() {
        References::Tag => vec![of(References::Tag, "tag")],
        References::Digest => vec![of(References::Digest, "digest")],
        References::Any if is_left || location(rule, References::Tag) == location(rule, References::Digest) => {
            vec![of(References::Tag, "")]
        }
        References::Any => vec![of(References::Tag, "tag"), of(References::Digest, "digest")],
    };
    Compiled { alternatives, left }
}

/// The location of the first mirror that accepts such references. If its result is not valid, the webhook tries the
/// others.
fn location(rule: &Rule, references: References) -> Option<&str> {
    let accepts = |accepted| accepted == References::Any || accepted == references;
    rule.mirrors().iter().find(|mirror| accepts(mirror.references())).map(|mirror| mirror.location().as_str())
}

fn left_by_conditions(rule: &Rule) -> Option<&'static str> {
    if rule.has_namespaces() {
        return Some("it has `namespaces`");
    }
    rule.has_pod_selector().then_some("it has a `podSelector`")
}

fn left_by_locations(rule: &Rule) -> Option<&'static str> {
    let uses_groups = |location: &str| {
        let names = location.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        names.into_iter().any(|(name, _)| !matches!(name, "registry" | "host" | "repository" | "namespace"))
    };
    let is_pattern = matches!(rule.upstream(), Upstream::Pattern(_));
    let groups = is_pattern && rule.mirrors().iter().any(|mirror| uses_groups(mirror.location().as_str()));
    groups.then_some("its location uses groups of its pattern, which CEL does not have")
}

/// One expression for globs of which one must match. Its text is the name, the tag and the digest.
fn expression(globs: &[ImageExpression]) -> Option<String> {
    let parts = globs.iter().map(|glob| {
        let names: Option<Vec<String>> = glob.names.iter().map(|name| rewrite_part(name)).collect();
        let part = |part: &Option<String>| match part {
            Some(part) => Some(format!("(?:{})", rewrite_part(part)?)),
            None => Some(format!("[^{}]*", char::from(SEPARATOR))),
        };
        let separator = char::from(SEPARATOR);
        Some(format!("(?:{}){separator}{}{separator}{}", names?.join("|"), part(&glob.tag)?, part(&glob.digest)?))
    });
    let parts: Option<Vec<String>> = parts.collect();
    let expression = format!("^(?:{})$", parts?.join("|"));
    is_short(&expression).then_some(expression)
}
