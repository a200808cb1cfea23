//! The reference page of the configuration, made from the table.

use std::fmt::Write as _;

use super::table::{CONFIG_VARIABLE, TABLE};

const INTRODUCTION: &str = "\
<!-- Made from the table in mimic-server/src/config/table.rs by `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`. -->

# Configuration

Every setting has a key and an environment variable. The key `harbor.api.host` is the variable `MIMIC_HARBOR_API_HOST`:
upper case, `_` for `.`, and every level is one word. Keys go into a YAML file:

```yaml
listenport: 9443
certificate:
  source: file
  certfile: /certs/tls.crt
  keyfile: /certs/tls.key
file:
  path: [/etc/mimic/mirrors.yaml]
```

* The file is named by `mimic-server --config FILE` or by `CONFIG_VARIABLE`; the option wins. The environment wins over
  the file, the file over the defaults. An empty variable counts as not set.
* A file can list several Harbors, each with the keys of `harbor` and a name of its own. Variables that begin with
  `MIMIC_HARBOR_` set the only one, and are an error beside a list.
* An unknown key in the file and an impossible value anywhere stop the start. All mistakes are listed at once, each with
  the nearest valid name or what is allowed.
* An unknown variable that begins with `MIMIC_` is warned about. The variables that Kubernetes itself makes for a Service
  called `mimic` (`MIMIC_SERVICE_HOST`, `MIMIC_PORT_8443_TCP_ADDR` and the like) are known and ignored; set
  `enableServiceLinks: false` in the pod to be rid of them.
* `mimic-server --check` checks all of it, the files with mirrors and the certificate included, starts nothing, and exits
  with 1 if anything is wrong.
* `mimic-server --demo` replaces some defaults: a self-signed certificate, loopback addresses, no cluster, and example
  mirrors unless `mirrors` or `file.path` is set.

Durations are written as `500ms`, `30s`, `5m`, `1h30m`; sizes in bytes or as `64KiB`, `8MiB`; lists with commas, or as
lists in YAML; booleans as `true` or `false`.

";

/// `docs/configuration.md`: every key with its variable, values, default and meaning.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.replace("CONFIG_VARIABLE", CONFIG_VARIABLE);
    page.push_str("| variable | default |\n|---|---|\n");
    for row in TABLE {
        let _ = writeln!(page, "| [`{}`](#{}) | {} |", row.variable(), row.path.replace('.', ""), shown(row.default));
    }
    for row in TABLE {
        let _ = write!(
            page,
            "\n## {path}\n\n`{variable}`, {what}: {allowed}. Default: {default}.\n\n{about}\n",
            path = row.path,
            variable = row.variable(),
            what = row.what,
            allowed = row.allowed,
            default = shown(row.default),
            about = row.about,
        );
    }
    page
}

fn shown(default: &str) -> String {
    if default.is_empty() { "none".to_owned() } else { format!("`{default}`") }
}

#[test]
fn the_reference_page_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");
    let rendered = reference_page();
    if std::env::var_os("MIMIC_UPDATE_DOCS").is_some() {
        std::fs::write(path, &rendered).expect("docs/configuration.md can be written");
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        committed == rendered,
        "docs/configuration.md is stale; run `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`"
    );
}
