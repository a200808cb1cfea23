//! The format of `mirrors.yaml`.

use std::collections::{HashMap, HashSet};

use crate::host::as_read;
use crate::list_builder::ListBuilder;
use crate::nearest::nearest;
use crate::other_tools::{self, kubernetes_object};
use crate::problem::Problem;
use crate::rule::{NamesAlias, Rule};
use crate::rule_error::{Advice, RuleError};
use crate::rule_list::RuleList;
use crate::rule_spec::{Library, MirrorSpec, References, RuleSpec};
use crate::selector::{Operator, PodSelector, Requirement};
use crate::yaml::{self, MAX_BYTES, Node, Value};

/// Parses the content of `mirrors.yaml`. `name` names it in problems. Requires the feature `file`.
///
/// An invalid entry is skipped and reported; the other entries are used. An empty text has no rules.
///
/// ```
/// let list = mimic_core::parse_rules_file("mirrors.yaml", "
/// mirrors:
///   docker.io: harbor.example.com/dockerhub
/// rules:
///   - upstream: quay.io
///     mirrors: [harbor.example.com/quay]
///     exclude: [quay.io/acme/**]
/// ")?;
/// assert_eq!((list.rules.len(), list.problems.len()), (2, 0));
/// # Ok::<(), mimic_core::Problem>(())
/// ```
///
/// # Errors
/// [`Problem`] if the text is not YAML, not a mapping, or a file of another tool.
pub fn parse_rules_file(name: &str, text: &str) -> Result<RuleList, Problem> {
    rules_of(name, &rules_document(name, text)?, &[])
}

/// As [`parse_rules_file`], for a file that is a part of a list whose other rules need `used` bytes.
///
/// # Errors
/// As for [`parse_rules_file`].
pub fn parse_rules_part(name: &str, text: &str, used: usize) -> Result<RuleList, Problem> {
    read_rules(name, &rules_document(name, text)?, &[], ListBuilder::after(used))
}

/// Parses the YAML of a document that is or contains a rules file.
///
/// # Errors
/// [`Problem`] if the text is not YAML, or a file of another tool.
pub fn rules_document(name: &str, text: &str) -> Result<Node, Problem> {
    let parsed = yaml::parse(text, MAX_BYTES);
    if let Some(problem) = other_tools::problem(name, text, parsed.as_ref().ok(), &FILE_KEYS) {
        return Err(problem);
    }
    parsed.map_err(|error| Problem::from_error(name, &error).at_line(error.line))
}

/// The problem with a text that is a file of another tool.
pub fn other_tool(name: &str, text: &str) -> Option<Problem> {
    other_tools::problem(name, text, yaml::parse(text, MAX_BYTES).ok().as_ref(), &FILE_KEYS)
}

/// The rules of a document. `others` are further keys that it can have; they are ignored.
///
/// # Errors
/// [`Problem`] if the document is not a mapping.
pub fn rules_of(name: &str, root: &Node, others: &[&str]) -> Result<RuleList, Problem> {
    read_rules(name, root, others, ListBuilder::default())
}

fn read_rules(name: &str, root: &Node, others: &[&str], list: ListBuilder) -> Result<RuleList, Problem> {
    if let Some(problem) = kubernetes_object(name, root) {
        return Err(problem);
    }
    let mut reader = Reader { name, list, aliases: HashMap::new() };
    match &root.value {
        Value::Null => {}
        Value::Map(_) => reader.file(root, others),
        _ => {
            let message = format!("the file must be a mapping, not {}", root.kind());
            return Err(Problem::new(name, message)
                .at_line(root.line)
                .with_hint(format!("valid keys: {}", quoted(&FILE_KEYS))));
        }
    }
    let mut list = reader.list.finish();
    list.problems.sort_by_key(Problem::line);
    Ok(list)
}

const FILE_KEYS: [&str; 3] = ["mirrors", "rules", "aliases"];
const RULE_KEYS: [&str; 13] = [
    "name",
    "upstream",
    "pattern",
    "mirrors",
    "references",
    "library",
    "include",
    "exclude",
    "priority",
    "namespaces",
    "podSelector",
    "pullSecret",
    "keep",
];

impl References {
    /// The value in `mirrors.yaml`. Requires the feature `file`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Tag => "tag",
            Self::Digest => "digest",
        }
    }
}

struct Reader<'n> {
    name: &'n str,
    list: ListBuilder,
    aliases: HashMap<String, String>,
}

/// A part of an entry, or why the entry is skipped.
type Entry<T> = Result<T, Problem>;

impl Reader<'_> {
    fn file(&mut self, root: &Node, others: &[&str]) {
        let Value::Map(entries) = &root.value else { return };
        let (mut seen, mut values) = (HashSet::new(), Vec::new());
        for (key, value) in entries {
            if matches!(&key.value, Value::Text(text) if others.contains(&text.as_str())) {
                continue;
            }
            match self.key(key, &FILE_KEYS, &mut seen) {
                Ok(key) => values.push((key, value)),
                Err(problem) => self.list.problem(problem),
            }
        }
        // Rules are checked against the aliases.
        values.sort_by_key(|(key, _)| *key != "aliases");
        for (key, value) in values {
            match key {
                "mirrors" => self.mirrors(value),
                "rules" => self.rules(value),
                _ => self.aliases(value),
            }
        }
    }

    /// `mirrors:`, the short form.
    fn mirrors(&mut self, node: &Node) {
        self.pairs(node, "mirrors", ("upstream", "mirror"), Rule::mirror);
    }

    /// `aliases:`, registries with other names.
    fn aliases(&mut self, node: &Node) {
        let alias = |(key, value): &(Node, Node)| match (&key.value, &value.value) {
            (Value::Text(alias), Value::Text(of)) => Some(Rule::alias(alias, of).ok()?.name().to_owned()),
            _ => None,
        };
        let names: HashSet<String> = match &node.value {
            Value::Map(entries) => entries.iter().filter_map(alias).collect(),
            _ => HashSet::new(),
        };
        self.pairs(node, "aliases", ("alias", "registry"), |alias, of| {
            let rule = Rule::alias(alias, of)?;
            match rule.alias_of().filter(|of| names.contains(*of)) {
                Some(of) => Err(RuleError::chained_alias(rule.name(), of)),
                None => Ok(rule),
            }
        });
        let accepted = self.list.rules().iter();
        let names = accepted.filter_map(|rule| Some((rule.name().to_owned(), rule.alias_of()?.to_owned())));
        self.aliases.extend(names);
    }

    /// A mapping of one string to another, which `check` turns into a rule.
    fn pairs(
        &mut self,
        node: &Node,
        key: &str,
        names: (&str, &str),
        check: impl Fn(&str, &str) -> Result<Rule, RuleError>,
    ) {
        let entries = match &node.value {
            Value::Null => return,
            Value::Map(entries) => entries,
            _ => {
                let expected = format!("a mapping of {} to {}", names.0, names.1);
                let problem = self.wrong(node, &format!("`{key}`"), &expected);
                return self.list.problem(problem);
            }
        };
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let rule = self.pair(key, value, names, &check, &mut seen);
            self.add(rule, key.line);
            if self.list.is_full() {
                break;
            }
        }
    }

    fn add(&mut self, rule: Entry<Rule>, line: usize) {
        let name = self.name;
        self.list.add(rule, |message| Problem::new(name, message).at_line(line));
    }

    fn pair<'n>(
        &self,
        key: &'n Node,
        value: &'n Node,
        names: (&str, &str),
        check: impl Fn(&str, &str) -> Result<Rule, RuleError>,
        seen: &mut HashSet<&'n str>,
    ) -> Entry<Rule> {
        let upstream = self.text(key, &format!("an {}", names.0))?;
        if !seen.insert(upstream) {
            return Err(self.problem(key, format!("duplicate key `{upstream}`")).with_hint("the first one is used"));
        }
        let location = self.text(value, &format!("the {} of `{upstream}`", names.1))?;
        check(upstream, location).map_err(|error| {
            Problem::from_error(self.name, &error).at_line(if error.field() == Some("mirrors") {
                value.line
            } else {
                key.line
            })
        })
    }

    /// `rules:`, the long form.
    fn rules(&mut self, node: &Node) {
        let items = match &node.value {
            Value::Null => return,
            Value::List(items) => items,
            _ => {
                let problem = self.wrong(node, "`rules`", "a list of rules");
                return self.list.problem(problem);
            }
        };
        for item in items {
            match self.rule(item) {
                Ok(rule) => self.add(Ok(rule), item.line),
                Err(problems) => problems.into_iter().for_each(|problem| self.list.problem(problem)),
            }
            if self.list.is_full() {
                break;
            }
        }
    }

    /// One rule, or all problems with its keys.
    fn rule(&self, node: &Node) -> Result<Rule, Vec<Problem>> {
        let Value::Map(entries) = &node.value else {
            return Err(vec![self.wrong(node, "a rule", "a mapping")]);
        };
        let mut spec = RuleSpec::default();
        let mut problems = Vec::new();
        let mut seen = HashSet::new();
        for (key, value) in entries {
            let read = self.key(key, &RULE_KEYS, &mut seen).and_then(|key| self.rule_key(key, value, &mut spec));
            problems.extend(read.err());
        }
        if !problems.is_empty() {
            return Err(problems);
        }
        spec.check().and_then(|rule| self.without_aliases(rule)).map_err(|error| {
            let at = entries
                .iter()
                .find(|(key, _)| matches!(&key.value, Value::Text(text) if error.field() == Some(text.as_str())));
            let line = at.map_or(node.line, |(_, value)| value.line);
            vec![Problem::from_error(self.name, &error).at_line(line)]
        })
    }

    /// The rule, if it names no alias where the registry that the alias stands for is matched.
    fn without_aliases(&self, rule: Rule) -> Result<Rule, RuleError> {
        let found = rule.names_alias(|host| self.aliases.get(host).map(String::as_str));
        let Some(NamesAlias { field, text, alias, registry }) = found else { return Ok(rule) };
        let what = if field == "pattern" { field } else { "glob" };
        let reason = format!("names `{alias}`, an alias of `{registry}`, and never matches");
        let advice = Advice::new(reason, format!("write `{}`, also as the rule's upstream", as_read(registry)));
        Err(RuleError::advised(field, what, text, &advice))
    }

    fn rule_key(&self, key: &str, value: &Node, spec: &mut RuleSpec) -> Entry<()> {
        let name = format!("`{key}`");
        match key {
            "name" => spec.name = Some(self.text(value, &name)?.to_owned()),
            "upstream" => spec.upstream = Some(self.text(value, &name)?.to_owned()),
            "pattern" => spec.pattern = Some(self.text(value, &name)?.to_owned()),
            "mirrors" => {
                let items = self.list(value, &name)?;
                spec.mirrors = items.iter().map(|item| self.mirror_spec(item)).collect::<Entry<_>>()?;
            }
            "references" => spec.references = self.references(value)?,
            "library" => {
                spec.library = match self.word(value, &name, &["keep", "strip"])? {
                    "strip" => Library::Strip,
                    _ => Library::Keep,
                }
            }
            "include" => spec.include = Some(self.texts(value, &name)?),
            "exclude" => spec.exclude = self.texts(value, &name)?,
            "priority" => {
                let text = self.text(value, &name)?;
                spec.priority = text.parse().map_err(|_| {
                    self.problem(value, format!("invalid value `{text}` for {name}")).with_hint("write a whole number")
                })?;
            }
            "namespaces" => {
                let entries = self.map(value, &name)?;
                let mut seen = HashSet::new();
                for (key, value) in entries {
                    match self.key(key, &["include", "exclude"], &mut seen)? {
                        "include" => spec.include_namespaces = Some(self.texts(value, "`include`")?),
                        _ => spec.exclude_namespaces = self.texts(value, "`exclude`")?,
                    }
                }
            }
            "podSelector" => spec.pod_selector = Some(self.selector(value)?),
            "pullSecret" => spec.pull_secret = Some(self.text(value, &name)?.to_owned()),
            _ => {
                let Value::Bool(keep) = value.value else { return Err(self.wrong(value, &name, "`true` or `false`")) };
                spec.keep = keep;
            }
        }
        Ok(())
    }

    /// A mirror is a location, or a mapping with a location and the references that the mirror accepts.
    fn mirror_spec(&self, node: &Node) -> Entry<MirrorSpec> {
        let Value::Map(entries) = &node.value else {
            let location = self.text(node, "a mirror")?.to_owned();
            return Ok(MirrorSpec { location, references: References::Any });
        };
        let mut spec = MirrorSpec::default();
        let mut seen = HashSet::new();
        for (key, value) in entries {
            match self.key(key, &["location", "references"], &mut seen)? {
                "location" => self.text(value, "`location`")?.clone_into(&mut spec.location),
                _ => spec.references = self.references(value)?,
            }
        }
        Ok(spec)
    }

    fn references(&self, node: &Node) -> Entry<References> {
        let kinds = [References::Any, References::Tag, References::Digest];
        let word = self.word(node, "`references`", &kinds.map(References::as_str))?;
        Ok(kinds.into_iter().find(|kind| kind.as_str() == word).unwrap_or_default())
    }

    /// A label selector as in Kubernetes: `matchLabels` and `matchExpressions`.
    fn selector(&self, node: &Node) -> Entry<PodSelector> {
        let mut requirements = Vec::new();
        let mut seen = HashSet::new();
        for (key, value) in self.map(node, "`podSelector`")? {
            if self.key(key, &["matchLabels", "matchExpressions"], &mut seen)? == "matchLabels" {
                for (key, value) in self.map(value, "`matchLabels`")? {
                    let key = self.text(key, "a label's key")?;
                    let value = match &value.value {
                        // YAML reads an unquoted `true` as a boolean, but the value of a label is a string.
                        Value::Bool(value) => value.to_string(),
                        _ => self.text(value, &format!("label `{key}`"))?.to_owned(),
                    };
                    requirements.push(Requirement { key: key.to_owned(), operator: Operator::In(vec![value]) });
                }
            } else {
                for item in self.list(value, "`matchExpressions`")? {
                    requirements.push(self.expression(item)?);
                }
            }
        }
        Ok(PodSelector { requirements })
    }

    fn expression(&self, node: &Node) -> Entry<Requirement> {
        let (mut label, mut operator, mut values) = ("", None, None);
        let mut seen = HashSet::new();
        for (key, value) in self.map(node, "an expression")? {
            match self.key(key, &["key", "operator", "values"], &mut seen)? {
                "key" => label = self.text(value, "`key`")?,
                "operator" => {
                    operator = Some(self.word(value, "`operator`", &["In", "NotIn", "Exists", "DoesNotExist"])?);
                }
                _ => values = Some(self.texts(value, "`values`")?),
            }
        }
        if label.is_empty() {
            return Err(self.problem(node, "an expression has no `key`"));
        }
        let operator = match (operator, values.filter(|values| !values.is_empty())) {
            (Some("In"), Some(values)) => Operator::In(values),
            (Some("NotIn"), Some(values)) => Operator::NotIn(values),
            (Some("Exists"), None) => Operator::Exists,
            (Some("DoesNotExist"), None) => Operator::DoesNotExist,
            (None, _) => return Err(self.problem(node, format!("the expression on `{label}` has no `operator`"))),
            (Some(operator), None) => {
                return Err(self.problem(node, format!("`{operator}` on `{label}` needs `values`")));
            }
            (Some(operator), Some(_)) => {
                return Err(self.problem(node, format!("`{operator}` on `{label}` takes no `values`")));
            }
        };
        Ok(Requirement { key: label.to_owned(), operator })
    }

    /// A key of a mapping, which must be one of `known`.
    fn key<'k, 'n>(&self, node: &'n Node, known: &[&'k str], seen: &mut HashSet<&'n str>) -> Entry<&'k str> {
        let text = self.text(node, "a key")?;
        let Some(key) = known.iter().copied().find(|key| *key == text) else {
            let hint = match nearest(text, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("valid keys: {}", quoted(known)),
            };
            return Err(self.problem(node, format!("unknown key `{text}`")).with_hint(hint));
        };
        if !seen.insert(text) {
            return Err(self.problem(node, format!("duplicate key `{text}`")).with_hint("remove one of them"));
        }
        Ok(key)
    }

    fn text<'n>(&self, node: &'n Node, what: &str) -> Entry<&'n str> {
        match &node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.wrong(node, what, "a string")),
        }
    }

    fn texts(&self, node: &Node, what: &str) -> Entry<Vec<String>> {
        self.list(node, what)?
            .iter()
            .map(|item| Ok(self.text(item, &format!("an entry of {what}"))?.to_owned()))
            .collect()
    }

    fn list<'n>(&self, node: &'n Node, what: &str) -> Entry<&'n [Node]> {
        match &node.value {
            Value::List(items) => Ok(items),
            _ => Err(self.wrong(node, what, "a list")),
        }
    }

    fn map<'n>(&self, node: &'n Node, what: &str) -> Entry<&'n [(Node, Node)]> {
        match &node.value {
            Value::Map(entries) => Ok(entries),
            _ => Err(self.wrong(node, what, "a mapping")),
        }
    }

    fn word<'n>(&self, node: &'n Node, what: &str, allowed: &[&str]) -> Entry<&'n str> {
        let text = self.text(node, what)?;
        if allowed.contains(&text) {
            return Ok(text);
        }
        Err(self
            .problem(node, format!("invalid value `{text}` for {what}"))
            .with_hint(format!("valid values: {}", quoted(allowed))))
    }

    fn wrong(&self, node: &Node, what: &str, expected: &str) -> Problem {
        self.problem(node, format!("{what} must be {expected}, not {}", node.kind()))
    }

    fn problem(&self, node: &Node, message: impl Into<String>) -> Problem {
        Problem::new(self.name, message).at_line(node.line)
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}
