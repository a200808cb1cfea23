//! The page `docs/metrics.md`, made from the table.

use std::fmt::Write as _;

use super::table::{TABLE, Values};

const INTRODUCTION: &str = "\
<!-- Made from the table in mimic-server/src/metrics/table.rs by `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`. -->

# Metrics

The second port (8081 unless `MIMIC_ADMIN_LISTENPORT` says otherwise) serves `/metrics` in Prometheus' text format, over
plain HTTP and to whoever can reach it:

```console
$ curl -s http://localhost:8081/metrics | grep mimic_images_total
```

No label ever holds something out of a request, neither an image nor a namespace: whoever may create pods cannot grow
Mimic's memory or Prometheus' by it. Which image of which pod was rewritten is in the [log](operation.md).

The usual `process_…` metrics (CPU, memory, file descriptors, start time) are there as well. Alerting
rules and a dashboard over them are shipped: [alerts.md](alerts.md).

";

/// `docs/metrics.md`: every metric with its labels and meaning.
pub fn metrics_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page.push_str("| metric | type | meaning |\n|---|---|---|\n");
    for metric in TABLE {
        let (name, kind) = (metric.name, metric.kind.as_str());
        let _ = writeln!(page, "| [`{name}`](#{name}) | {kind} | {} |", metric.help);
    }
    for metric in TABLE {
        let _ = writeln!(page, "\n## {}\n\n{}: {}", metric.name, metric.kind.as_str(), metric.help);
        if !metric.about.is_empty() {
            let _ = writeln!(page, "\n{}", metric.about);
        }
        if !metric.labels.is_empty() {
            page.push('\n');
        }
        for label in metric.labels {
            let values = match &label.values {
                Values::Closed(values) => {
                    values.iter().map(|value| format!("`{value}`")).collect::<Vec<_>>().join(", ")
                }
                Values::Configured(what) => (*what).to_owned(),
            };
            let _ = writeln!(page, "* `{}`: {values}", label.name);
        }
    }
    page
}

#[test]
fn the_metrics_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let rendered = metrics_page();
    if std::env::var_os("MIMIC_UPDATE_DOCS").is_some() {
        std::fs::write(path, &rendered).expect("docs/metrics.md can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(committed == rendered, "docs/metrics.md is stale; run `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`");
}
