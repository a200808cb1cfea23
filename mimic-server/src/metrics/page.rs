//! The page `docs/metrics.md`, generated from the definitions.

use std::fmt::Write as _;

use super::definitions::{TABLE, Values};
use crate::sources::KINDS;

const INTRODUCTION: &str = "\
<!-- Generated from mimic-server/src/metrics/definitions.rs by `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`. -->

# Metrics

The admin port (8081, or `MIMIC_ADMIN_LISTENPORT`) serves `/metrics` in Prometheus' text format, over plain HTTP and without
authentication:

```console
$ curl -s http://localhost:8081/metrics | grep mimic_images_total
```

The label `source` is the name of the source in the log: SOURCES.

No label contains request data, so users who create pods cannot add series; the [log](logs.md) has the images of each pod.

The usual `process_…` metrics are exposed too. [alerts.md](alerts.md) describes alerting rules and a dashboard.
";

/// `docs/metrics.md`: every metric with its labels and meaning.
pub fn metrics_page() -> String {
    let sources: Vec<String> = KINDS.iter().flat_map(|kind| kind.names).map(|name| format!("`{name}`")).collect();
    let mut page = INTRODUCTION.replace("SOURCES", &sources.join(", "));
    for metric in TABLE {
        let _ = write!(page, "\n## {}\n\nA {}. {}", metric.name, metric.kind.as_str(), metric.help);
        if !metric.about.is_empty() {
            let _ = write!(page, " {}", metric.about);
        }
        page.push('\n');
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
