//! Every file of `tests/data/problems` is a `mirrors.yaml`. The `.txt` file of the same name has the expected problems.

use std::fmt::Write as _;
use std::path::Path;

use mimic_core::{Hint as _, parse_rules_file, parse_short_form};

#[test]
fn every_error_is_reported_with_its_line_and_a_hint() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/problems");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "yaml") {
            let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap();
            assert_eq!(report(&std::fs::read_to_string(&path).unwrap()), expected, "{}", path.display());
            files += 1;
        }
    }
    assert!(files >= 7, "files are missing");
}

fn report(text: &str) -> String {
    match parse_rules_file("mirrors.yaml", text) {
        Ok(list) => list.problems.iter().fold(String::new(), |mut report, problem| {
            let _ = writeln!(report, "{}", problem.full_message());
            report
        }),
        Err(problem) => format!("{}\n", problem.full_message()),
    }
}

#[test]
fn neighbours_of_a_mistake_are_read() {
    let text = include_str!("data/problems/every-mistake.yaml");
    let list = parse_rules_file("mirrors.yaml", text).unwrap();
    let names: Vec<_> = list.rules.iter().map(mimic_core::Rule::name).collect();
    assert_eq!(names, ["registry.k8s.io", "good"]);
}

#[test]
fn the_short_form_is_read_and_its_mistakes_are_reported() {
    let list = parse_short_form("MIMIC_MIRRORS", " docker.io=h.example.com/hub, quay.io = h.example.com/quay ,,\n");
    let rules: Vec<_> = list.rules.iter().map(|rule| (rule.name(), rule.mirrors()[0].location().as_str())).collect();
    assert_eq!(rules, [("docker.io", "h.example.com/hub"), ("quay.io", "h.example.com/quay")]);
    assert_eq!(list.problems, []);

    let list = parse_short_form("MIMIC_MIRRORS", "docker.io,=x.example.com,quay.io=,ghcr.io=http://h.example.com");
    let problems: Vec<_> = list.problems.iter().map(|problem| problem.full_message().to_string()).collect();
    assert_eq!(
        problems,
        [
            "MIMIC_MIRRORS: entry `docker.io` has no `=` (hint: an entry is `upstream=mirror`, as in \
             `docker.io=harbor.example.com/dockerhub`)",
            "MIMIC_MIRRORS: upstream is empty (hint: write a registry such as `docker.io`)",
            "MIMIC_MIRRORS: location is empty (hint: write `host/path`, as in `harbor.example.com/dockerhub`)",
            "MIMIC_MIRRORS: location `http://h.example.com` has a scheme (hint: write `h.example.com`)",
        ]
    );
    assert_eq!(list.rules.len(), 0);
}

#[test]
fn a_file_cannot_cost_more_than_a_bounded_amount() {
    let nested = format!("rules: {}{}", "[".repeat(10_000), "]".repeat(10_000));
    let error = parse_rules_file("f", &nested).unwrap_err().to_string();
    assert!(error.starts_with("f:1: not valid YAML: "), "{error}");

    // Ten aliases of ten aliases of …: a few lines that expand to ten thousand million values.
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..10 {
        let previous = vec![format!("*a{}", level - 1); 10].join(",");
        let _ = writeln!(bomb, "a{level}: &a{level} [{previous}]");
    }
    let error = parse_rules_file("f", &bomb).unwrap_err().to_string();
    assert!(error.contains("needs more than 40 MiB of memory"), "{error}");

    // 130 KB with a large string that is used ten thousand times.
    let large = format!("a: &a {}\nrules: [{}]", "x".repeat(100_000), "*a,".repeat(10_000));
    let error = parse_rules_file("f", &large).unwrap_err().to_string();
    assert!(error.contains("needs more than 40 MiB of memory"), "{error}");

    // Aliases nest, too.
    let mut chain = String::from("a0: &a0 [x]\n");
    for level in 1..100 {
        let _ = writeln!(chain, "a{level}: &a{level} [*a{}]", level - 1);
    }
    let error = parse_rules_file("f", &chain).unwrap_err().to_string();
    assert!(error.contains("more than 64 levels of nesting"), "{error}");

    let pattern = format!("rules: [{{pattern: '{}', mirrors: [m.example.com]}}]", "(a{1000}){1000}");
    let list = parse_rules_file("f", &pattern).unwrap();
    assert!(list.problems[0].to_string().contains("size limit"), "{}", list.problems[0]);
}

#[test]
fn every_sample_loads_and_is_refused_with_a_bogus_key() {
    let page = include_str!("../../docs/mirrors.md");
    let blocks = page.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    // Kubernetes objects are tested elsewhere.
    let files = blocks.filter(|block| !block.contains("apiVersion:"));
    let samples: Vec<&str> = files.chain([include_str!("../../examples/mirrors.yaml")]).collect();
    assert_eq!(samples.len(), 4);
    for sample in samples {
        assert_eq!(report(sample), "", "{sample}");
        assert_eq!(report(&format!("{sample}\nbogus: 1\n")).lines().count(), 1, "{sample}");
        let in_a_rule = sample.replacen("    upstream:", "    bogus: 1\n    upstream:", 1);
        assert!(in_a_rule == sample || report(&in_a_rule).contains("unknown key `bogus`"), "{in_a_rule}");
    }
}
