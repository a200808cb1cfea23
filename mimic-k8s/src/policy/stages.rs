//! The stages of the policy: one variable each, so that each has a budget of its own.

use std::fmt::Write as _;

use mimic_core::REPOSITORY_MAX;

use super::alternative::{ALTERNATIVE, Alternative, FIELD, UNCHANGED};
use super::literal::{lists, maps, string};
use super::lookup::{ANY_PORT, DOMAIN, EVERYTHING, Lookup};
use crate::admission::ORIGINAL_IMAGES;

const HOST: &str = r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)*|\[[a-fA-F0-9:]+\])(?::[0-9]+)?";
const REPOSITORY: &str = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*";
const TAG: &str = "(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?";
const DIGEST: &str = "(?:@(?:sha256:[a-f0-9]{64}|sha384:[a-f0-9]{96}|sha512:[a-f0-9]{128}))?";
/// A first component that is a registry, with its slash.
const REGISTRY: &str = "^(?:[^/]*[.:A-Z][^/]*|localhost)/";
/// An image ID, or the placeholder of sidecar injectors.
const NO_NAME: &str = "^(?:auto|(?:sha256:)?[a-f0-9]{64})$";
/// The value of the annotation, as Mimic writes it.
const RECORD: &str = r#"^\{"[^"\\]+":"[^"\\]+"(?:,"[^"\\]+":"[^"\\]+")*\}$"#;
/// Kubernetes rejects an object whose annotations are larger, in bytes of keys and values together.
const MAX_ANNOTATIONS: usize = 256 << 10;

/// A variable of the policy.
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) expression: String,
}

/// The variables, in the order in which they use each other.
pub(super) fn variables(lookup: &Lookup, annotate: bool) -> Vec<Variable> {
    let mut stages = Stages { lookup, annotate, variables: Vec::new() };
    let rules = stages.maps("rules", lookup.rules.iter().map(|(key, value)| (&**key, string(value))).collect());
    let locations = lookup.locations.iter().map(|location| (&**location, "true".to_owned())).collect();
    let locations = stages.maps("locations", locations);
    let aliases = lookup.aliases.iter().map(|(host, of)| (&**host, string(of))).collect();
    let aliases = stages.maps("aliases", aliases);
    stages.pod();
    stages.names(&aliases);
    stages.keys();
    stages.selection(&rules, &locations);
    stages.results();
    stages.metadata();
    stages.variables
}

/// The operations of the JSON Patch.
pub(super) fn patch(lookup: &Lookup, annotate: bool) -> String {
    let mut patch = "variables.rewritten.map(t, JSONPatch{op: 'replace', path: t.path, value: t.result})".to_owned();
    if !lookup.secrets.is_empty() {
        patch.push_str(
            "\n+ (variables.secrets.size() == 0 ? [] : has(object.spec.imagePullSecrets)\n\
             \x20 ? variables.secrets.map(s, JSONPatch{op: 'add', path: '/spec/imagePullSecrets/-', value: {'name': s}})\n\
             \x20 : [JSONPatch{op: 'add', path: '/spec/imagePullSecrets', value: variables.secrets.map(s, {'name': s})}])",
        );
    }
    if annotate {
        let name = string(ORIGINAL_IMAGES);
        let _ = write!(
            patch,
            "\n+ (!variables.annotate ? [] : has(object.metadata.annotations)\n\
             \x20 ? [JSONPatch{{op: 'add', path: '/metadata/annotations/' + jsonpatch.escapeKey({name}), value: variables.record}}]\n\
             \x20 : [JSONPatch{{op: 'add', path: '/metadata/annotations', value: {{{name}: variables.record}}}}])"
        );
    }
    patch
}

struct Stages<'l> {
    lookup: &'l Lookup,
    annotate: bool,
    variables: Vec<Variable>,
}

impl Stages<'_> {
    fn add(&mut self, name: &str, expression: impl Into<String>) {
        self.variables.push(Variable { name: name.to_owned(), expression: expression.into() });
    }

    /// Adds a map, in several variables if it is large. Returns their names.
    fn maps(&mut self, name: &str, mut entries: Vec<(&str, String)>) -> Vec<String> {
        if entries.is_empty() {
            // An empty map would have no type. No image has this key.
            entries.push(("", string("")));
        }
        self.literals(name, maps(entries))
    }

    /// Adds a list, in several variables if it is large. Returns whether `test` is true of one of its entries.
    fn exists(&mut self, name: &str, entries: &[String], test: &str) -> String {
        let lists = self.literals(name, lists(entries.iter().map(String::as_str)));
        let tests: Vec<String> = lists.iter().map(|list| format!("{list}.exists({test})")).collect();
        tests.join(" || ")
    }

    fn literals(&mut self, name: &str, literals: Vec<String>) -> Vec<String> {
        let is_one = literals.len() == 1;
        let mut names = Vec::new();
        for (number, literal) in literals.into_iter().enumerate() {
            let name = if is_one { name.to_owned() } else { format!("{name}{number}") };
            self.add(&name, literal);
            names.push(format!("variables.{name}"));
        }
        names
    }

    /// The images of the pod.
    fn pod(&mut self) {
        self.add(
            "operation",
            "request.?subResource.orValue('') == 'ephemeralcontainers' ? 'EPHEMERAL' : request.operation",
        );
        let kinds = ["initContainers", "containers", "ephemeralContainers"];
        let before = kinds.map(|kind| {
            format!(
                "{}.map(c, ['{kind}/' + string(c.?name.orValue('')), string(c.?image.orValue(''))])",
                entries("oldObject", kind)
            )
        });
        let volumes = entries("oldObject", "volumes");
        self.add(
            "before",
            format!(
                "variables.operation == 'CREATE' ? {{}} : (\n  {}\n  + {volumes}.filter(v, has(v.image)).map(v, \
                 ['volumes/' + string(v.?name.orValue('')), string(v.image.?reference.orValue(''))])\n\
                 ).transformMapEntry(i, e, {{e[0]: e[1]}})",
                before.join("\n  + ")
            ),
        );
        let listed = kinds.map(|kind| {
            format!(
                "{}.transformList(i, c, c.?imagePullPolicy.orValue('') != 'Never', {{'path': '/spec/{kind}/' + string(i) + \
                 '/image', 'name': string(c.?name.orValue('')), 'key': '{kind}/' + string(c.?name.orValue('')), 'image': \
                 string(c.?image.orValue(''))}})",
                entries("object", kind)
            )
        });
        let volumes = entries("object", "volumes");
        self.add(
            "listed",
            format!(
                "{}\n+ {volumes}.transformList(i, v, has(v.image) && v.image.?pullPolicy.orValue('') != 'Never', {{'path': \
                 '/spec/volumes/' + string(i) + '/image/reference', 'name': 'volumes/' + string(v.?name.orValue('')), 'key': \
                 'volumes/' + string(v.?name.orValue('')), 'image': string(v.image.?reference.orValue(''))}})",
                listed.join("\n+ ")
            ),
        );
        if self.annotate {
            // What an earlier review recorded counts if rewriting it gives the container's image.
            let value = format!("object.metadata.?annotations[?{}].orValue('')", string(ORIGINAL_IMAGES));
            self.add(
                "recorded",
                format!(
                    "variables.operation == 'CREATE' && {value}.matches({}) ? {value}.findAll('\"[^\"]+\":\"[^\"]+\"')\
                     .map(e, {{'path': '', 'name': e.split('\"')[1], 'key': '', 'image': e.split('\"')[3]}}) : []",
                    string(RECORD)
                ),
            );
        }
        let recorded = if self.annotate { " + variables.recorded" } else { "" };
        self.add(
            "images",
            format!(
                "variables.listed.filter(t, t.image != '' && (variables.operation == 'CREATE'\n\
                 \x20 || variables.operation == 'UPDATE' && variables.before[?t.key].orValue(t.image) != t.image\n\
                 \x20 || variables.operation == 'EPHEMERAL' && t.key.startsWith('ephemeralContainers/') && !(t.key in variables.before)\
                 )){recorded}"
            ),
        );
    }

    /// The parts of the images.
    fn names(&mut self, aliases: &[String]) {
        let host = string(&format!("^{HOST}/$"));
        let rest = string(&format!("^{REPOSITORY}{TAG}{DIGEST}$"));
        self.add(
            "valid",
            format!(
                "variables.images.filter(t, !t.image.matches({}))\n\
                 .map(t, {{'path': t.path, 'name': t.name, 'image': t.image, 'host': t.image.find({})}})\n\
                 .filter(t, (t.host == '' || t.host.matches({host}))\n\
                 \x20 && t.image.substring(t.host.size()).matches({rest}))",
                string(NO_NAME),
                string(REGISTRY)
            ),
        );
        self.add(
            "parts",
            format!(
                // The kubelet treats `Docker.io` as another host than `docker.io`.
                "variables.valid.filter(t, t.host.replace(':443/', '/').lowerAscii() != 'docker.io/'\n\
                 \x20 || t.host.replace(':443/', '/') == 'docker.io/')\n\
                 .map(t, {{'path': t.path, 'name': t.name, 'image': t.image, 'host': t.host, 'repository': \
                 t.image.substring(t.host.size()).find('^[a-z0-9._/-]+')}})\n\
                 .map(t, {{'path': t.path, 'name': t.name, 'image': t.image,\n\
                 \x20 'registry': t.host in ['', 'index.docker.io/'] ? 'docker.io' : t.host.replace(':443/', \
                 '/').replace('/', '').lowerAscii(),\n\
                 \x20 'repository': (t.host in ['', 'docker.io/', 'index.docker.io/'] && !t.repository.contains('/') ? \
                 'library/' : '') + t.repository,\n\
                 \x20 'suffix': t.image.substring(t.host.size() + t.repository.size())}})\n\
                 .filter(t, t.repository.size() <= {REPOSITORY_MAX})"
            ),
        );
        self.add(
            "normalised",
            format!(
                "variables.parts.map(t, {{'path': t.path, 'name': t.name, 'image': t.image, 'written': t.registry, 'registry': \
                 {}.orValue(t.registry), 'repository': t.repository, 'suffix': t.suffix}})",
                entry(aliases, "t.registry")
            ),
        );
    }

    /// The keys of all rules that could match, the most specific last.
    fn keys(&mut self) {
        let patterns = if self.lookup.patterns.is_empty() {
            String::new()
        } else {
            let patterns = self.literals("patterns", lists(self.lookup.patterns.iter().map(String::as_str)));
            let matching = patterns
                .iter()
                .map(|patterns| format!("\n  + {patterns}.filter(p, (t.registry + '/' + t.repository).matches(p))"));
            matching.collect()
        };
        let suffix = |host: &str, of: &str| {
            // What follows the dot with this number, counted from the end.
            format!("'{DOMAIN}.' + {host}.split('.', n.size() - {of} + 1)[n.size() - {of}]")
        };
        let domains = match self.lookup.domains {
            (false, _) => String::new(),
            (true, false) => format!(
                "\n  + [t.registry.split('.')].map(n, n.transformList(k, p, k > 0, {}))[0]",
                suffix("t.registry", "k")
            ),
            (true, true) => format!(
                "\n  + [t.registry.split('.')].map(n, (n + n).transformList(k, p, k > 1, k % 2 == 0 ? {} + '{ANY_PORT}' : \
                 {}))[0]",
                suffix("t.registry.split(':')[0]", "k / 2"),
                suffix("t.registry", "k / 2")
            ),
        };
        self.add(
            "keys",
            format!(
                "variables.normalised.map(t, ['{EVERYTHING}']{patterns}{domains}\n\
                 \x20 + [t.registry + '/' + t.repository].map(e, (t.repository + '/').split('/').transformList(k, p, \
                 e.substring(0,\n\
                 \x20   e.size() - (k == 0 ? t.repository.size() + 1 : (t.repository + '/').split('/', k + \
                 1)[k].size()))))[0])"
            ),
        );
    }

    /// The rules that match, and the one that is selected.
    fn selection(&mut self, rules: &[String], locations: &[String]) {
        let is_location: Vec<String> = locations.iter().map(|map| format!("k in {map}")).collect();
        let mut open = format!("!variables.keys[i].exists(k, {})", is_location.join(" || "));
        let lookup = self.lookup;
        if !lookup.stems.is_empty() {
            let begins = "s, (t.registry + '/' + t.repository).startsWith(s)";
            let stems = self.exists("stems", &lookup.stems, begins);
            let _ = write!(open, "\n  && !({stems})");
        }
        if !lookup.domain_locations.is_empty() {
            let ends = "d, t.registry.endsWith(d) || t.written.endsWith(d)";
            let domains = self.exists("domains", &lookup.domain_locations, ends);
            let _ = write!(open, "\n  && !({domains})");
        }
        let of_key = entry(rules, "k");
        let empty = FIELD.to_string().repeat(Alternative::FIELDS - 1);
        let image = if self.lookup.has_conditions || self.lookup.has_excludes {
            // Name, tag and digest, which globs match.
            "[t.registry + '/' + t.repository + ' ' + (t.suffix == '' ? 'latest' : t.suffix.startsWith(':') ? \
             t.suffix.split('@')[0].substring(1) : '') + ' ' + (t.suffix.contains('@') ? t.suffix.split('@')[1] : '')]"
        } else {
            "['']"
        };
        let field = format!("'{FIELD}'");
        let chosen = if self.lookup.has_conditions {
            format!(
                ".map(k, {of_key}.orValue('').split('{ALTERNATIVE}')\n\
                 \x20   .map(a, [k] + (a + '{empty}').split({field}))\n\
                 \x20   .filter(a, (a[2] == '' || (a[2] == 'digest') == t.suffix.contains('@')) && (a[3] == '' || \
                 s.matches(a[3]))))\n\
                 \x20 .filter(a, a.size() > 0).map(a, a[0])"
            )
        } else {
            format!(".map(k, [k] + ({of_key}.orValue('') + '{empty}').split({field}))")
        };
        self.add(
            "candidates",
            format!(
                "variables.normalised.transformList(i, t, {open},\n\
                 \x20 {image}.map(s, [[t.path, t.name, t.image, t.registry, t.repository, t.suffix, s]]\n\
                 \x20 + variables.keys[i].filter(k, {of_key}.hasValue()){chosen})[0])"
            ),
        );
        let most_specific = "c[c.size() - 1]".to_owned();
        let selected = if self.lookup.priorities.differ() {
            let priority = Alternative::FIELDS;
            format!(
                "[c.filter(a, a.size() > {priority})].map(c, [c.map(a, a[{priority}]).max()].map(p, c.filter(a, a[{priority}] \
                 == p))[0]).map(c, {most_specific})[0]"
            )
        } else {
            most_specific
        };
        self.add("selected", format!("variables.candidates.filter(c, c.size() > 1).map(c, [c[0], {selected}])"));
    }

    /// The images at the mirrors.
    fn results(&mut self) {
        let exclude = if self.lookup.has_excludes { " && (c[1][4] == '' || !c[0][6].matches(c[1][4]))" } else { "" };
        self.add(
            "matched",
            format!(
                "variables.selected.filter(c, c[1][1] != '{UNCHANGED}'{exclude})\n\
                 .map(c, {{'path': c[0][0], 'name': c[0][1], 'image': c[0][2], 'registry': c[0][3], 'suffix': c[0][5],\n\
                 \x20 'key': c[1][0], 'location': c[1][1], 'secret': c[1][6], 'full': c[0][4],\n\
                 \x20 'repository': c[1][5] == 'strip' && c[0][3] == 'docker.io' && c[0][4].matches('^library/[^/]+$') ? \
                 c[0][4].substring(8) : c[0][4]}})"
            ),
        );
        // After a prefix follows the rest of the repository; for a pattern, the location is the whole name.
        let plain = format!(
            "t.location + (t.key.startsWith('^') ? '' : t.key.startsWith('{EVERYTHING}') || t.key == t.registry ? '/' + \
             t.repository : t.full.substring(t.key.size() - t.registry.size() - 1))"
        );
        let template = "t.location.replace('{registry}', t.registry).replace('{host}', t.registry.matches(':[0-9]+$') ? \
                        t.registry.substring(0, t.registry.lastIndexOf(':')) : t.registry).replace('{repository}', \
                        t.repository).replace('{namespace}', request.?namespace.orValue(''))";
        let name = if self.lookup.has_templates {
            format!("t.location.contains('{{') ? {template}\n  : {plain}")
        } else {
            plain
        };
        self.add(
            "named",
            format!(
                "variables.matched.map(t, {{'path': t.path, 'name': t.name, 'image': t.image, 'secret': t.secret, \
                 'suffix': t.suffix,\n  'at': {name}}})"
            ),
        );
        // The kubelet must read the result as it is meant.
        let mut results = format!(
            "variables.named.filter(t, t.at.matches({}) && t.at.matches({}) && t.at.split('/', 2)[1].size() <= \
             {REPOSITORY_MAX}\n\
             \x20 && !t.at.matches('^(?:index[.]docker[.]io/|docker[.]io/[^/]*$)'))",
            string(&format!("^{HOST}/{REPOSITORY}$")),
            string(REGISTRY),
        );
        if !self.lookup.secrets.is_empty() {
            results.push_str(
                "\n.filter(t, t.secret == '' || variables.operation == 'CREATE' || \
                 object.spec.?imagePullSecrets.orValue([]).exists(s, s.?name.orValue('') == t.secret))",
            );
        }
        results.push_str(
            "\n.map(t, {'path': t.path, 'name': t.name, 'image': t.image, 'secret': t.secret, 'result': t.at + t.suffix})",
        );
        self.add("results", results);
        let is_new = if self.annotate { ".filter(t, t.path != '')" } else { "" };
        self.add("rewritten", format!("variables.results{is_new}"));
    }

    /// Pull secrets and the annotation.
    fn metadata(&mut self) {
        if !self.lookup.secrets.is_empty() {
            let all = self.literals("pullSecrets", lists(self.lookup.secrets.iter().map(String::as_str)));
            self.add(
                "secrets",
                format!(
                    "variables.operation != 'CREATE' ? [] : ({}).filter(s, variables.rewritten.exists(t, t.secret == s) \
                     && !object.spec.?imagePullSecrets.orValue([]).exists(o, o.?name.orValue('') == s))",
                    all.join(" + ")
                ),
            );
        }
        if !self.annotate {
            return;
        }
        self.add(
            "current",
            "variables.operation == 'CREATE' && variables.recorded.size() > 0 ? variables.listed.transformMapEntry(i, t, \
             {t.name: t.image}) : {}",
        );
        self.add(
            "record",
            "'{' + (variables.results.filter(t, t.path == '' && variables.current[?t.name].orValue('') == t.result) + \
             variables.rewritten).map(t, '\"' + t.name + '\":\"' + t.image + '\"').join(',') + '}'",
        );
        let name = string(ORIGINAL_IMAGES);
        self.add(
            "annotate",
            format!(
                "variables.operation == 'CREATE' && variables.rewritten.size() > 0\n\
                 && object.metadata.?annotations.orValue({{}}).transformList(k, v, k != {name}, bytes(string(k)).size() + \
                 bytes(string(v)).size()).sum() + {} + variables.record.size() <= {MAX_ANNOTATIONS}",
                ORIGINAL_IMAGES.len()
            ),
        );
    }
}

/// The entry of a key in a map that is in several variables, as an optional value.
fn entry(maps: &[String], key: &str) -> String {
    let entries: Vec<String> = maps.iter().map(|map| format!("{map}[?{key}]")).collect();
    match &entries[..] {
        [first, others @ ..] => others.iter().fold(first.clone(), |all, other| format!("{all}.or({other})")),
        [] => "optional.none()".to_owned(),
    }
}

/// A list of the pod. Lists that the API server sends can be null.
fn entries(object: &str, list: &str) -> String {
    let entries = format!("{object}.spec.?{list}.orValue([])");
    if list == "containers" { format!("({entries} == null ? [] : {entries})") } else { entries }
}
