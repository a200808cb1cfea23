//! Reviews that a pod's author, or any client that reaches the server, can make costly: what each one costs.

use std::time::Duration;

use anyhow::{Result, anyhow, ensure};
use mimic_k8s::admission::{ORIGINAL_IMAGES, Review, ReviewSettings, Skip};
use serde_json::{Value, json};

use crate::cpu::thread_time;
use crate::data;

/// How often each review is measured. The shortest time counts.
const REPEAT: usize = 3;

/// A review of any size, and the rules for it.
#[derive(Clone, Copy)]
pub struct Case {
    /// What there is much of.
    pub name: &'static str,
    /// How many of them a body of at most 8 MiB can have.
    pub size: usize,
    /// The rules as `mirrors.yaml`, and the request.
    make: fn(usize) -> (String, Value),
}

/// What a review costs.
#[derive(Debug)]
pub struct Cost {
    /// Bytes of the request.
    pub body: usize,
    /// Processor time, from the request's body to the response's.
    pub time: Duration,
    /// The work on the images, in steps.
    pub steps: u64,
    /// Bytes of the response.
    pub response: usize,
    /// Why the pod is unchanged.
    pub skipped: Option<Skip>,
}

impl Case {
    /// Measures a review of this size.
    ///
    /// # Errors
    /// When the rules or the review are not valid.
    pub fn measure(&self, size: usize) -> Result<Cost> {
        let (rules, request) = (self.make)(size);
        let list = mimic_core::parse_rules_file("rules", &rules).map_err(|problem| anyhow!("{problem}"))?;
        ensure!(list.problems.is_empty(), "{}: {:?}", self.name, list.problems);
        let (rewriter, settings) = (data::rewriter(list.rules.into()), ReviewSettings::default());
        let body = review(&request);
        let mut costs = (0..REPEAT).map(|_| -> Result<Cost> {
            let start = thread_time();
            let review = Review::parse(&body)?;
            let verdict = review.decide(&rewriter, &settings);
            let response = verdict.to_response().len();
            let time = thread_time().saturating_sub(start);
            Ok(Cost { body: body.len(), time, steps: verdict.steps(), response, skipped: verdict.skipped() })
        });
        let first = costs.next().unwrap_or_else(|| Err(anyhow!("nothing was measured")))?;
        costs.try_fold(first, |best, next| next.map(|next: Cost| if next.time < best.time { next } else { best }))
    }
}

fn review(request: &Value) -> Vec<u8> {
    let mut review = json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request});
    review["request"]["uid"] = json!("705ab4f5-6393-11e8-b7cc-42010a800002");
    review["request"]["resource"] = json!({"group": "", "version": "v1", "resource": "pods"});
    review.to_string().into_bytes()
}

fn create(metadata: &Value, spec: &Value) -> Value {
    json!({"operation": "CREATE", "namespace": "shop", "object": {"metadata": metadata, "spec": spec}})
}

fn list(count: usize, entry: impl Fn(usize) -> Value) -> Value {
    (0..count).map(entry).collect()
}

fn map(count: usize, entry: impl Fn(usize) -> (String, String)) -> Value {
    (0..count).map(entry).map(|(key, value)| (key, Value::from(value))).collect::<serde_json::Map<_, _>>().into()
}

fn containers(count: usize, image: impl Fn(usize) -> String) -> Value {
    list(count, |n| json!({"name": format!("c{n}"), "image": image(n)}))
}

fn pod_of(containers: &Value) -> Value {
    create(&json!({}), &json!({"containers": containers}))
}

/// An image that looks random, the same one every time.
fn random(n: usize) -> String {
    let mut state = n as u64 + 1;
    let mut digits = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:x}", state >> 16)
    };
    let (one, two, three) = (digits(), digits(), digits());
    format!("{one}.example.com/{two}/{three}-{one}/app{n}:{two}")
}

const HUB: &str = "mirrors: {docker.io: harbor.example.com/hub}\n";

fn rules(count: usize, rule: impl Fn(usize) -> String) -> String {
    let lines: Vec<String> = (0..count).map(|n| format!("  - {{name: rule-{n}, {}}}\n", rule(n))).collect();
    format!("rules:\n{}", lines.concat())
}

fn list_of(count: usize, entry: impl Fn(usize) -> String) -> String {
    format!("[{}]", (0..count).map(entry).collect::<Vec<_>>().join(", "))
}

/// All cases, each with the largest size that fits into a review.
pub const CASES: &[Case] = &[
    Case {
        name: "containers, four labels for every three, a rule with `podSelector`",
        size: 45_000,
        make: |n| {
            let selector = "podSelector: {matchLabels: {team: a}}";
            let labels = map(n / 3 * 4, |n| (format!("label-{n}"), "x".to_owned()));
            let rules = rules(1, |_| format!("upstream: docker.io, mirrors: [harbor.example.com/hub], {selector}"));
            (rules, create(&json!({"labels": labels}), &json!({"containers": containers(n, |n| format!("a:{n}"))})))
        },
    },
    Case {
        name: "random images, 64 patterns of any beginning",
        size: 9_000,
        make: |n| {
            let rule = |n: usize| {
                let last = char::from(b"bcdefghijklmnopqrstu"[n % 20]);
                format!("pattern: '.*[a-{last}].{{40}}/.*{n}', mirrors: ['h.example.com/{{repository}}']")
            };
            (rules(64, rule), pod_of(&containers(n, random)))
        },
    },
    Case {
        name: "random images, 64 patterns of a registry each",
        size: 9_000,
        make: |n| {
            let rule = |n| {
                format!(r"pattern: 'registry-{n}\.example\.com/([^/]+)/(.+)', mirrors: ['h.example.com/{{1}}/{{2}}']")
            };
            (rules(64, rule), pod_of(&containers(n, random)))
        },
    },
    Case {
        name: "random images, 64 globs",
        size: 9_000,
        make: |n| {
            let globs = list_of(64, |n| format!("'**/*{n}*/**/app*:*{n}'"));
            let rule = |_| format!("upstream: '*', mirrors: [h.example.com/all], exclude: {globs}");
            (rules(1, rule), pod_of(&containers(n, random)))
        },
    },
    Case {
        name: "containers, a selector with 10,000 values",
        size: 45_000,
        make: |n| {
            let values = list_of(10_000, |n| format!("value-{n}"));
            let selector = format!("podSelector: {{matchExpressions: [{{key: a, operator: In, values: {values}}}]}}");
            let rules = rules(1, |_| format!("upstream: docker.io, mirrors: [harbor.example.com/hub], {selector}"));
            let pod = json!({"containers": containers(n, |n| format!("a:{n}"))});
            (rules, create(&json!({"labels": {"a": "value-10000"}}), &pod))
        },
    },
    Case {
        name: "containers, 1,000 rules for the same registry",
        size: 45_000,
        make: |n| {
            let rule = |n| format!("upstream: docker.io, mirrors: [h.example.com/r{n}], references: digest");
            (rules(1_000, rule), pod_of(&containers(n, |n| format!("a:{n}"))))
        },
    },
    Case {
        name: "equal containers",
        size: 45_000,
        make: |n| (HUB.to_owned(), pod_of(&list(n, |_| json!({"name": "same", "image": "nginx:1.27"})))),
    },
    Case {
        name: "different containers",
        size: 45_000,
        make: |n| (HUB.to_owned(), pod_of(&containers(n, |n| format!("team/service-{n}:v1.{n}")))),
    },
    Case {
        name: "deep images, a deep rule",
        size: 25_000,
        make: |n| {
            let deep = "a/".repeat(120);
            let rules = rules(1, |_| format!("upstream: docker.io/{deep}x, mirrors: [harbor.example.com/{deep}y]"));
            (rules, pod_of(&containers(n, |n| format!("{deep}b{n}"))))
        },
    },
    Case {
        name: "image volumes",
        size: 45_000,
        make: |n| {
            let volume = |n| json!({"name": format!("v{n}"), "image": {"reference": format!("a:{n}")}});
            (HUB.to_owned(), create(&json!({}), &json!({"volumes": list(n, volume)})))
        },
    },
    Case {
        name: "invalid images",
        size: 45_000,
        make: |n| (HUB.to_owned(), pod_of(&containers(n, |n| format!("UPPER/{n}:x:y")))),
    },
    Case {
        name: "bytes of an image's registry, a rule for a domain",
        size: 4_000_000,
        make: |n| {
            let rules = rules(1, |_| "upstream: '*.example.com', mirrors: ['h.example.com/{repository}']".to_owned());
            (rules, pod_of(&containers(1, |_| format!("{}example.com/x", "a.".repeat(n / 2)))))
        },
    },
    Case {
        name: "bytes of an image's registry, 64 patterns",
        size: 4_000_000,
        make: |n| {
            let rule = |n| format!("pattern: '.*[ab].{{20}}/{n}', mirrors: ['h.example.com/{{repository}}']");
            (rules(64, rule), pod_of(&containers(1, |_| format!("{}example.com/x", "a.".repeat(n / 2)))))
        },
    },
    Case {
        name: "bytes of the namespace, a rule for namespaces",
        size: 4_000_000,
        make: |n| {
            let location = "h.example.com/{namespace}-{namespace}-{namespace}/{repository}";
            let rule = |_| format!("upstream: docker.io, mirrors: ['{location}'], namespaces: {{exclude: ['*b*c*d']}}");
            let mut request = pod_of(&containers(10_000, |n| format!("a:{n}")));
            request["namespace"] = json!("a".repeat(n));
            (rules(1, rule), request)
        },
    },
    Case {
        name: "pull secrets and containers, updated",
        size: 20_000,
        make: |n| {
            let rule = |_| "upstream: docker.io, mirrors: [h.example.com/hub], pullSecret: pull".to_owned();
            let secrets = list(n, |n| json!({"name": format!("s{n}")}));
            let pod = |tag: &str| json!({"metadata": {}, "spec": {"imagePullSecrets": secrets, "containers": containers(n, |n| format!("a{n}:{tag}"))}});
            (
                rules(1, rule),
                json!({"operation": "UPDATE", "namespace": "a", "object": pod("2"), "oldObject": pod("1")}),
            )
        },
    },
    Case {
        name: "new ephemeral containers",
        size: 20_000,
        make: |n| {
            let pod = |name: &str| json!({"metadata": {}, "spec": {"ephemeralContainers": list(n, |n| json!({"name": format!("{name}{n}"), "image": "a"}))}});
            let request = json!({"operation": "UPDATE", "subResource": "ephemeralcontainers", "namespace": "a", "object": pod("new"), "oldObject": pod("old")});
            (HUB.to_owned(), request)
        },
    },
    Case {
        name: "recorded original images",
        size: 30_000,
        make: |n| {
            let record = map(n, |n| (format!("c{n}"), format!("a:{n}"))).to_string();
            let mut all = containers(n, |n| format!("harbor.example.com/hub/library/a:{n}"));
            all[0]["image"] = json!("new");
            (HUB.to_owned(), create(&json!({"annotations": {ORIGINAL_IMAGES: record}}), &json!({"containers": all})))
        },
    },
    Case {
        name: "annotations",
        size: 60_000,
        make: |n| {
            let annotations = map(n, |n| (format!("example.com/{n}"), "{\"a\":\"\\\"\"}".to_owned()));
            (HUB.to_owned(), create(&json!({"annotations": annotations}), &json!({"containers": [{"image": "a"}]})))
        },
    },
    Case {
        name: "environment variables",
        size: 100_000,
        make: |n| {
            let env = list(n, |n| json!({"name": format!("V{n}"), "value": "\\\"\n"}));
            (HUB.to_owned(), pod_of(&json!([{"name": "a", "image": "a", "env": env}])))
        },
    },
    Case {
        name: "escapes in names",
        size: 45_000,
        make: |n| (HUB.to_owned(), pod_of(&list(n, |n| json!({"name": format!("\"\\\n{n}\u{1}"), "image": "a"})))),
    },
    Case {
        name: "bytes of an image",
        size: 4_000_000,
        make: |n| (HUB.to_owned(), pod_of(&containers(1, |_| "a/".repeat(n / 2)))),
    },
    Case {
        name: "values of a hundred levels, which are skipped",
        size: 30_000,
        make: |n| {
            let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
            let mut request = pod_of(&containers(1, |_| "a".to_owned()));
            request["options"] = list(n, |_| deep.clone());
            (HUB.to_owned(), request)
        },
    },
];
