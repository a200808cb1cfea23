//! Random rules, and references that they match or just miss.

use mimic_core::{Library, MirrorSpec, Operator, PodSelector, References, Requirement, Rule, RuleSpec};

/// A generator of pseudo-random numbers ([SplitMix64](https://prng.di.unimi.it/splitmix64.c)).
pub(crate) struct Random(u64);

const HOSTS: &[&str] = &[
    "docker.io",
    "index.docker.io",
    "registry-1.docker.io",
    "hub.docker.com",
    "quay.io",
    "ghcr.io",
    "gcr.io",
    "eu.gcr.io",
    "a.eu.gcr.io",
    "eu.gcr.io:5000",
    "gitlab.example.com",
    "gitlab.example.com:443",
    "gitlab.example.com:5000",
    "localhost",
    "localhost:5000",
    "k8s.gcr.io",
    "registry.k8s.io",
    "old.example",
    "127.0.0.1:5000",
    "[::1]:5000",
    "[2001:db8::1]",
    "eu-docker.pkg.dev",
    "m.example.com",
    "m.example.com:8443",
];
const ODD_HOSTS: &[&str] = &[
    "Docker.io",
    "DOCKER.IO:443",
    "Index.Docker.io",
    "Quay.IO",
    "docker.io:443",
    "a_b.com",
    "-a.b",
    "a.",
    "quay.io:",
    "[::g]",
    "LOCALHOST",
    "x.m.example.com",
    "GitLab.example.com:443",
    "x.mirror.example.net",
];
const COMPONENTS: &[&str] =
    &["library", "redis", "nginx", "acme", "app", "a", "b1", "secret-x", "sha256", "team__x", "debug-tools"];
const TAGS: &[&str] = &["latest", "v1", "v1.2", "1.36.1", "1.", "_", "V-2", "a..b"];
const ODD_ENDS: &[&str] =
    &[":", ":-a", "@", "@sha256:ab", "@md5:00", "/", "//x", ":a:b", ":A@", "-", "..x", "___a", ":latest@sha512:00"];
const DIGESTS: &[&str] = &[
    "sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39",
    "sha512:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f390b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39",
];
const WHOLE: &[&str] = &[
    "auto",
    "nginx",
    "library/nginx",
    "docker.io/nginx",
    "redis",
    "docker.io/redis/stack",
    "docker.io/library/redis",
    "redis:7",
    "0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39",
    "docker.io",
    "sha256:0b4a3ab41a4760d86b7fc945b8783747ba27f29dac30dd434d94f2c9e3679f39",
    "Nginx",
    "a/B",
    "docker.io/library",
    "library",
    "m.example.com/hub/library/nginx",
    "m.example.com/proxy-quay.io/a",
    "registry-1.docker.io/nginx",
    "k8s.gcr.io/pause:3.9",
    "docker.io/library/a/b",
    "localhost/app",
    "[::1]/app",
    "docker.io:443/nginx",
    "é/x",
    "quay.io/é",
    "a b",
    "a\tb",
];
const UPSTREAMS: &[&str] = &[
    "*",
    "*.gcr.io",
    "*.gcr.io:*",
    "*.gcr.io:5000",
    "*.eu.gcr.io",
    "*.io",
    "*.example.com",
    "*.example.com:443",
    "*.example.com:*",
];
const LOCATIONS: &[&str] = &[
    "m.example.com/hub",
    "m.example.com",
    "m.example.com:8443/x",
    "m.example.com/a/b/c",
    "localhost:5000/cache",
    "localhost",
    "docker.io/mirrored",
    "docker.io",
    "quay.io/mirrored",
    "[::1]:5000/m",
    "m.example.com:443/port",
    "registry-1.docker.io/up",
];
const TEMPLATES: &[&str] = &[
    "m.example.com/{registry}/{repository}",
    "m.example.com/{host}/{repository}",
    "m.example.com/proxy-{registry}/{repository}",
    "{registry}.mirror.example.net/{repository}",
    "{host}.mirror.example.net/x/{repository}",
    "m.example.com/n/{namespace}/{repository}",
    "m.example.com/p{repository}",
    "{registry}.docker.io/{repository}",
    "m.example.com/x/{repository}/y",
];
const GLOBS: &[&str] = &[
    "**",
    "**:latest",
    "**:v*",
    "**@sha256:*",
    "**/secret-*",
    "docker.io/library/*",
    "nginx",
    "redis:7",
    "acme/*",
    "*/acme/**",
    "quay.io",
    "quay.io/acme",
    "{quay,ghcr}.io/**",
    "**/[a-b]*",
    "**/{a,b1}/**",
    "docker.io/*/app",
    "*.gcr.io/**",
    "**/[!a-m]*",
    "**:1.*",
    "docker.io/redis",
    "**/acme/**:V-?",
    "ghcr.io/**/app",
    "gitlab.example.com:5000/**",
    "[[]::1[]]:5000/**",
    "docker.io/*:*",
    "**/a/**/b1",
    "**/???",
];
const PATTERNS: &[&str] = &[
    r"docker\.io/library/(?P<name>.+)",
    r"[a-z]+\.io/acme/.*",
    r"(?P<region>[a-z]+)-docker\.pkg\.dev/(?P<rest>.+)",
    r"quay\.io/[^/]+",
    r".*/(a|b1)(/.*)?",
    r"(?i)GHCR\.IO/.+",
    r"^gitlab\.example\.com(:\d+)?/.+$",
    r"\S+/app\b.*",
    r"localhost(:5000)?/(\w+/)*app",
    r"[[:alnum:].]+/acme/(app|a){1,2}",
    r".+",
];

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or_default()
    }

    /// True once in `times`.
    fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn of<'t>(&mut self, list: &[&'t str]) -> &'t str {
        list[self.below(list.len())]
    }

    fn path(&mut self, most: usize) -> String {
        let components = 1 + self.below(most);
        (0..components).map(|_| self.of(COMPONENTS)).collect::<Vec<_>>().join("/")
    }

    /// A reference, mostly valid.
    pub(crate) fn image(&mut self) -> String {
        if self.once_in(8) {
            return self.of(WHOLE).to_owned();
        }
        let mut image = String::new();
        if !self.once_in(6) {
            let host = if self.once_in(8) { self.of(ODD_HOSTS) } else { self.of(HOSTS) };
            image = format!("{host}/");
        }
        image += &match self.below(40) {
            0 => "a".repeat(240 + self.below(20)),
            1 => self.path(1) + "-x.y_z__w---v",
            _ => self.path(4),
        };
        if !self.once_in(4) {
            image = format!("{image}:{}", self.of(TAGS));
        }
        if self.once_in(4) {
            image = format!("{image}@{}", self.of(DIGESTS));
        }
        if self.once_in(20) {
            image += self.of(ODD_ENDS);
        }
        image
    }

    fn globs(&mut self) -> Vec<String> {
        (0..=self.below(3)).map(|_| self.of(GLOBS).to_owned()).collect()
    }

    fn references(&mut self) -> References {
        match self.below(6) {
            0 => References::Tag,
            1 => References::Digest,
            _ => References::Any,
        }
    }

    /// Rules, in which every key occurs. `all_claimed` is whether a policy can have them all.
    pub(crate) fn rules(&mut self, all_claimed: bool) -> Vec<Rule> {
        let count = 4 + self.below(30);
        let mut rules: Vec<Rule> = (0..count).filter_map(|_| self.rule(all_claimed).check().ok()).collect();
        if self.once_in(2) {
            rules.extend(Rule::alias("k8s.gcr.io", "registry.k8s.io"));
            rules.extend(Rule::alias("old.example", "quay.io"));
        }
        if self.once_in(6) {
            rules.extend(Rule::alias("docker.io", "m2.example.com"));
        }
        if all_claimed {
            // Only images that name the port as the rules do are decided by the policy.
            rules.retain(|rule| !rule.upstream().to_string().contains(":443"));
        }
        rules
    }

    fn rule(&mut self, all_claimed: bool) -> RuleSpec {
        let mut rule = RuleSpec::default();
        if self.once_in(6) {
            let pattern = self.of(PATTERNS);
            rule.pattern = Some(pattern.to_owned());
        } else if self.once_in(4) {
            rule.upstream = Some(self.of(UPSTREAMS).to_owned());
        } else {
            let mut upstream = self.of(HOSTS).to_owned();
            if !self.once_in(3) {
                upstream = format!("{upstream}/{}", self.path(2));
            }
            rule.upstream = Some(upstream);
        }
        rule.keep = self.once_in(10);
        if !rule.keep {
            rule.mirrors = (0..=self.below(8) / 6).map(|_| self.mirror(rule.pattern.is_some(), all_claimed)).collect();
        }
        rule.references = self.references();
        if self.once_in(6) {
            rule.library = Library::Strip;
        }
        if self.once_in(4) {
            rule.include = Some(self.globs());
        }
        if self.once_in(4) {
            rule.exclude = self.globs();
        }
        if self.once_in(5) {
            rule.pull_secret = Some(self.of(&["pull-a", "pull-b"]).to_owned());
        }
        if self.once_in(5) {
            rule.priority = [-1, 1, 5][self.below(3)];
        }
        if !all_claimed && self.once_in(5) {
            rule.include_namespaces = Some(vec![self.of(&["team-*", "random-*"]).to_owned()]);
        }
        if !all_claimed && self.once_in(8) {
            let operator = if self.once_in(2) { Operator::Exists } else { Operator::DoesNotExist };
            rule.pod_selector =
                Some(PodSelector { requirements: vec![Requirement { key: "tier".to_owned(), operator }] });
        }
        rule
    }

    fn mirror(&mut self, is_pattern: bool, all_claimed: bool) -> MirrorSpec {
        let location = if is_pattern && !all_claimed && self.once_in(2) {
            self.of(&["m.example.com/{rest}", "m.example.com/g/{1}", "m.example.com/n/{name}"])
        } else if is_pattern || self.once_in(3) {
            self.of(TEMPLATES)
        } else {
            self.of(LOCATIONS)
        };
        MirrorSpec { location: location.to_owned(), references: self.references() }
    }
}
