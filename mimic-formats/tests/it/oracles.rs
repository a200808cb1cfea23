//! The parsers of containerd and k3s themselves find in exported and imported files what Mimic's rules say. Runs with
//! `MIMIC_GO_ORACLE=1`, and needs Go.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mimic_core::{Context, ImageRef, MirrorSpec, References, Rewriter, Rule, RuleSpec, parse_rules_file};
use mimic_formats::{ExportFormat, ImportFormat, SourceFile, export, import};

const DIGEST: &str = "@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// A program in `oracles`, built; `None` if the comparison is not requested.
fn oracle(test: &str, name: &str) -> Option<PathBuf> {
    if std::env::var_os("MIMIC_GO_ORACLE").is_none_or(|value| value != "1") {
        // Written to the handle itself: the test harness would hide what `eprintln!` prints.
        writeln!(std::io::stderr(), "{test}: SKIPPED, MIMIC_GO_ORACLE=1 is not set").unwrap();
        return None;
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{test}-{name}"));
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name);
    let status = Command::new("go").args(["build", "-o"]).arg(&program).arg(".").current_dir(source).status();
    assert!(status.expect("MIMIC_GO_ORACLE=1 needs `go` on the PATH").success(), "{name} does not build");
    Some(program)
}

/// The lines that a program prints for these files and this input.
fn ask(program: &Path, files: &BTreeMap<String, String>, argument: &str, input: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = directory.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let mut command = Command::new(program);
    command.arg(directory.path().join(argument)).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn exported(format: ExportFormat, rules: &[Rule]) -> BTreeMap<String, String> {
    let exported = export(format, rules);
    assert_eq!(exported.warnings, [""; 0]);
    exported.files.into_iter().map(|file| (file.path, file.text)).collect()
}

/// The rules of files, whose import can have warnings.
fn imported(format: ImportFormat, files: &BTreeMap<String, String>) -> Vec<Rule> {
    let files: Vec<_> = files.iter().map(|(name, text)| SourceFile { name, text }).collect();
    let imported = import(format, &files).unwrap();
    parse_rules_file("mirrors.yaml", &imported.mirrors).unwrap().rules
}

fn rule(upstream: &str, mirrors: &[(&str, References)]) -> Rule {
    let mirror = |(location, references): &(&str, References)| MirrorSpec {
        location: (*location).to_owned(),
        references: *references,
    };
    let mirrors: Vec<_> = mirrors.iter().map(mirror).collect();
    RuleSpec { upstream: Some(upstream.to_owned()), keep: mirrors.is_empty(), mirrors, ..RuleSpec::default() }
        .check()
        .unwrap()
}

/// What a client asks for the manifest of an image: the host, the path before the manifest. For an image that Mimic leaves
/// unchanged, what the upstream is asked.
fn manifest_of(rewriter: &Rewriter, image: &str) -> String {
    let outcome = rewriter.rewrite(image, &Context::default());
    let parsed = ImageRef::parse(outcome.rewritten().unwrap_or(image)).unwrap();
    let host = if parsed.registry() == "docker.io" { "registry-1.docker.io" } else { parsed.registry() };
    format!("{host}/v2/{}", parsed.repository())
}

/// For each image, with a tag and with a digest, containerd's first host is where Mimic says.
fn holds_in_containerd(program: &Path, files: &BTreeMap<String, String>, rules: Vec<Rule>, images: &[&str]) {
    let rewriter = Rewriter::new([("rules", rules.into())]);
    for image in images {
        let parsed = ImageRef::parse(image).unwrap();
        let lines = ask(program, files, "", &format!("{}\n", parsed.registry()));
        for (column, reference) in [(2, format!("{image}:1")), (3, format!("{image}{DIGEST}"))] {
            let mut hosts = lines.iter().map(|line| line.split(' ').collect::<Vec<_>>());
            let first = hosts.find(|host| host[column] == "true").unwrap();
            let asked = format!("{}/{}", first[1], parsed.repository());
            assert_eq!(asked, manifest_of(&rewriter, &reference), "{reference}: {lines:?}\n{files:#?}");
        }
    }
}

const IMAGES: [&str; 6] = [
    "docker.io/library/nginx",
    "quay.io/a/b",
    "ghcr.io/a/b",
    "reg.example.com:5000/a/b",
    "gcr.io/app",
    "k8s.gcr.io/pause",
];

#[test]
fn containerd_reads_exported_hosts_as_the_rules_say() {
    let Some(program) = oracle("containerd_reads_exported_hosts_as_the_rules_say", "containerd") else { return };
    let any = References::Any;
    let rules = vec![
        rule("docker.io", &[("h.example.net/hub", any), ("other.example.net", any)]),
        rule("quay.io", &[("digests.example.net:5000/quay", References::Digest), ("h.example.net/quay/x", any)]),
        rule("reg.example.com:5000", &[("h.example.net/{host}/{repository}", References::Digest)]),
        rule("ghcr.io", &[]),
        rule("*", &[("all.example.net", any)]),
        rule("registry.k8s.io", &[("h.example.net/k8s", any)]),
        Rule::alias("k8s.gcr.io", "registry.k8s.io").unwrap(),
    ];
    holds_in_containerd(&program, &exported(ExportFormat::HostsToml, &rules), rules, &IMAGES);
}

#[test]
fn containerd_reads_imported_hosts_as_the_rules_say() {
    let Some(program) = oracle("containerd_reads_imported_hosts_as_the_rules_say", "containerd") else { return };
    for text in [
        "[host.\"https://m.example.net/v2/a/b\"]\noverride_path = true\n",
        "[host.\"https://z.example.net\"]\n[host.\"https://a.example.net\"]\n",
        "server = \"https://m.example.net/v2\"\n",
        "server = \"m.example.net\"\n",
        "server = \"https://m.example.net/v2/a\"\noverride_path = true\n",
        "server = \"https://quay.io\"\n[host.\"http://m.example.net:5000/v2/\"]\ncapabilities = [\"pull\"]\n",
        "capabilities = [\"pull\"]\nserver = \"https://m.example.net\"\n[host.\"https://push.example.net\"]\ncapabilities = [\"push\"]\n",
        "[host.\"https://quay.io\"]\n[host.\"https://m.example.net\"]\n",
        "[host]\n",
        "# nothing\n",
    ] {
        for directory in ["quay.io", "reg.example.com_5000_", "reg.example.com:5000", "_default"] {
            let files = BTreeMap::from([(format!("{directory}/hosts.toml"), text.to_owned())]);
            let rules = imported(ImportFormat::HostsToml, &files);
            // Where the registry is not resolved, containerd has no host for tags; Mimic leaves those to the upstream.
            if text.starts_with("capabilities") {
                let rewriter = Rewriter::new([("rules", rules.into())]);
                let outcome = rewriter.rewrite("quay.io/a/b:1", &Context::default());
                assert_eq!(outcome.rewritten(), None, "{text}");
                continue;
            }
            // A host that is the registry of one image is a mirror for the others.
            let images: Vec<_> =
                IMAGES.into_iter().filter(|image| !text.contains("quay.io") || image.starts_with("quay.io")).collect();
            if directory == "_default" && text.contains("quay.io") {
                continue;
            }
            holds_in_containerd(&program, &files, rules, &images);
        }
    }
    let both = BTreeMap::from([
        ("quay.io/hosts.toml".to_owned(), "server = \"https://quay.io\"\n".to_owned()),
        (
            "_default/hosts.toml".to_owned(),
            "[host.\"https://m.example.net/v2/all\"]\noverride_path = true\n".to_owned(),
        ),
        ("reg.example.com:5000/hosts.toml".to_owned(), "[host.\"https://never.example.net\"]\n".to_owned()),
        ("reg.example.com_5000_/hosts.toml".to_owned(), "[host.\"https://one.example.net\"]\n".to_owned()),
    ]);
    holds_in_containerd(&program, &both, imported(ImportFormat::HostsToml, &both), &IMAGES);
}

/// For each image, the first endpoint that k3s' client asks is where Mimic says; none if Mimic leaves it unchanged.
fn holds_in_k3s(program: &Path, text: &str, rules: Vec<Rule>, images: &[&str]) {
    // The program sees plain HTTP only, and answers it.
    let files = BTreeMap::from([("registries.yaml".to_owned(), text.replace("https://", "http://"))]);
    let rewriter = Rewriter::new([("rules", rules.into())]);
    let input: String = images.iter().flat_map(|image| [*image, ":1\n"]).collect();
    let lines = ask(program, &files, "registries.yaml", &input);
    assert_eq!(lines.len(), images.len());
    for line in lines {
        let (image, asked) = line.split_once(' ').unwrap_or((&line, ""));
        let first = asked.split(' ').next().and_then(|url| url.strip_suffix("/manifests/1"));
        let is_changed = rewriter.rewrite(image, &Context::default()).rewritten().is_some();
        let expected = is_changed.then(|| manifest_of(&rewriter, image));
        assert_eq!(first, expected.as_deref(), "{line}\n{text}");
    }
}

#[test]
fn k3s_reads_exported_registries_as_the_rules_say() {
    let Some(program) = oracle("k3s_reads_exported_registries_as_the_rules_say", "wharfie") else { return };
    let any = References::Any;
    let rules = vec![
        rule("docker.io", &[("h.example.net/hub", any), ("other.example.net", any)]),
        rule("quay.io", &[("h.example.net:5000/quay/x", any)]),
        rule("reg.example.com:5000", &[("h.example.net/{host}/{repository}", any)]),
        rule("ghcr.io", &[]),
        rule("*", &[("all.example.net", any)]),
    ];
    let files = exported(ExportFormat::RegistriesYaml, &rules);
    holds_in_k3s(&program, &files["registries.yaml"], rules, &IMAGES);
}

#[test]
fn k3s_reads_imported_registries_as_the_rules_say() {
    let Some(program) = oracle("k3s_reads_imported_registries_as_the_rules_say", "wharfie") else { return };
    for text in [
        "mirrors:\n  docker.io:\n    endpoint: [https://m.example.net]\n    rewrite: {\"^library/(.*)\": \"official/$1\"}\n",
        // This client does not use names of one letter, and adds `library/` to names of one component on Docker Hub.
        "mirrors:\n  quay.io:\n    endpoint: [https://m.example.net/v2/hub/]\n    rewrite: {\"a/\": \"x-\"}\n",
        "mirrors:\n  docker.io:\n    endpoint: [https://m.example.net/v2/hub]\n    rewrite: {\"(i)(b)\": \"${2}$1-\"}\n",
        "mirrors:\n  quay.io:\n    endpoint: [https://m.example.net:5000/v2, https://n.example.net]\n    rewrite: {\"^a/b$\": cc}\n",
        "mirrors:\n  quay.io:443:\n    endpoint: [https://m.example.net]\n  reg.example.com:\n    endpoint: [https://n.example.net]\n",
        "mirrors:\n  \"*\":\n    endpoint: [https://m.example.net/v2/all]\n    rewrite: {\"^(.*)$\": \"x/$1\"}\n  ghcr.io: {}\n  quay.io:\n    endpoint: [https://q.example.net]\n",
        "mirrors:\n",
        "configs: {}\n",
    ] {
        let files = BTreeMap::from([("registries.yaml".to_owned(), text.to_owned())]);
        holds_in_k3s(&program, text, imported(ImportFormat::RegistriesYaml, &files), &IMAGES);
    }
}
