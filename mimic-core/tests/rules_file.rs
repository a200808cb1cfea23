//! Every file of `tests/data/problems` is a `mirrors.yaml`. The `.txt` file of the same name has the expected problems.

use std::fmt::Write as _;
use std::path::Path;

use mimic_core::internal::ListBuilder;
use mimic_core::{
    Context, Hint as _, MirrorSpec, Problem, ReasonCode, Rewriter, Rule, RuleSpec, Upstream, parse_rules_file,
    parse_short_form,
};

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

    // The reader of YAML keeps a list that could be a key.
    for text in [format!("rules:\n [{}]", "a,".repeat(200_000)), format!("{{a: [{}]}}", "\"\",".repeat(200_000))] {
        let error = parse_rules_file("f", &text).unwrap_err().full_message().to_string();
        assert!(
            error.contains("a list or mapping in brackets has too many values (hint: write one value a line"),
            "{error}"
        );
    }

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

/// Most memory of a list, in bytes.
const LIST_MEMORY: usize = 64 << 20;

#[test]
fn after_a_thousand_mistakes_the_rest_is_skipped() {
    let mistakes = " A: b\n".repeat(2_000);
    let text = format!("mirrors:\n a.b: c.d\n{mistakes} e.f: g.h\n");
    let list = parse_rules_file("f", &text).unwrap();
    assert_eq!((list.rules.len(), list.problems.len()), (1, 1_001));
    let end = list.problems[1_000].to_string();
    assert_eq!(end, "f:1002: 1000 invalid entries; everything after them is skipped");
}

#[test]
fn a_list_takes_no_more_rules_than_fit() {
    let mirrors = "c.d,".repeat(8_000);
    let text = format!("rules:\n{}", format!("- {{upstream: a.b, mirrors: [{mirrors}]}}\n").repeat(20));
    let list = parse_rules_file("f", &text).unwrap();
    let memory: usize = list.rules.iter().map(Rule::memory).sum();
    assert!(memory <= LIST_MEMORY && memory > LIST_MEMORY / 2, "{memory}");
    assert_eq!(list.problems.len(), 1);
    let problem = format!(
        "f:{}: the rules need more than 64 MiB of memory; this one and all after it are skipped",
        2 + list.rules.len()
    );
    assert_eq!(list.problems[0].to_string(), problem);
    // What the other part of a list needs counts.
    let mut builder = ListBuilder::after(LIST_MEMORY - 1);
    builder.add(Ok(list.rules[0].clone()), |message| Problem::new("f", message));
    assert!(builder.is_full() && builder.finish().rules.is_empty());
}

#[test]
fn one_rule_is_limited() {
    let exclude = "\"**:a*\",".repeat(2_000);
    let long = "x".repeat(2_000);
    for (rule, problem) in [
        (format!("exclude: [{exclude}], mirrors: [c.d]"), "`exclude` needs more than 16 MiB of memory"),
        (
            format!("exclude: ['{long}'], mirrors: [c.d]"),
            "`xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` in `exclude` is longer than 1024 bytes",
        ),
        (
            format!("mirrors: ['c.d/{long}']"),
            "`c.d/xxxxxxxxxxxxxxxxxxxxxxxxxxxx…` in `mirrors` is longer than 1024 bytes",
        ),
    ] {
        let list = parse_rules_file("f", &format!("rules: [{{upstream: a.b, {rule}}}]")).unwrap();
        assert_eq!(list.problems.iter().map(Problem::message).collect::<Vec<_>>(), [problem]);
    }
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

#[test]
fn problems_name_the_line_of_the_mistake_also_at_the_end() {
    for (text, line) in [
        ("mirrors:\n  a.b: [c\n", 2),
        ("mirrors:\n  a.b: \"c\n\n\n", 2),
        ("mirrors: {a.b: c.d\r\n", 1),
        ("mirrors:\r  a.b: [c\r", 2),
        ("[", 1),
        ("a: &a [*a", 1),
        ("mirrors:\n  a.b:\n", 2),
        ("mirrors:\n  a.b:\n  c.d: e.f/g\n", 2),
        ("mirrors:\n  a.b: # later\n\n\n  c.d: e.f/g\n", 2),
        ("rules:\n- upstream: a.b\n  mirrors:\n  - c.d\n  -\n  - e.f\n", 5),
        ("rules:\n- upstream: a.b\n  mirrors:\n  -\n", 4),
        ("rules:\n-\n- {upstream: a.b, mirrors: [c.d]}\n", 2),
        ("rules:\n- {upstream: a.b,\n   mirrors: }\n\n", 3),
        ("mirrors:\n  ? a.b\n", 2),
        ("mirrors:\n  : b\n", 2),
    ] {
        let lines: Vec<_> = match parse_rules_file("f", text) {
            Ok(list) => list.problems.iter().map(Problem::line).collect(),
            Err(problem) => vec![problem.line()],
        };
        assert_eq!(lines, [Some(line)], "{text:?}");
    }
}

#[test]
fn registries_of_one_label_are_written_so_that_they_are_read_again() {
    for text in ["CACHE", "Cache/a", "cache:5000", "LOCALHOST", "*.Cache", "Docker.io", "[::1]", "A"] {
        let upstream: Upstream = text.parse().unwrap();
        let again: Upstream = upstream.to_string().parse().unwrap();
        assert_eq!(again.to_string(), upstream.to_string(), "{text}");
    }
    let rule = Rule::mirror("CACHE/team", "Mirror/a").unwrap();
    let template = RuleSpec {
        upstream: Some("quay.io".to_owned()),
        mirrors: vec![MirrorSpec { location: "MIRROR/q-{repository}".to_owned(), ..MirrorSpec::default() }],
        ..RuleSpec::default()
    };
    assert_eq!((rule.name(), rule.mirrors()[0].location().as_str()), ("CACHE/team", "MIRROR/a"));
    let rewriter = Rewriter::new([("test", vec![rule, template.check().unwrap()].into())]);
    for (image, expected) in [
        ("Cache/team/app:1", Some("MIRROR/a/app:1")),
        ("quay.io/x/y", Some("MIRROR/q-x/y")),
        ("cache/team/app:1", None),
        ("mirror/a/app", None),
    ] {
        assert_eq!(rewriter.rewrite(image, &Context::default()).rewritten(), expected, "{image}");
    }
    for image in ["MIRROR/a/app:1", "mIrror/q-x/y"] {
        assert_eq!(rewriter.rewrite(image, &Context::default()).reason(), ReasonCode::OnMirror, "{image}");
    }
    let error = Rule::mirror("quay.io", "Mirror/{repository}").unwrap_err();
    assert_eq!(error.hint().as_deref(), Some("write `MIRROR`"));
}
