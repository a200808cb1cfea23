//! The reference page of the configuration.

use std::fmt::Write as _;

use mimic_config::value_type::EXPLAINED;
use mimic_config::{CONFIG_VARIABLE, Schema};

const INTRODUCTION: &str = "\
<!-- Generated from the settings in the code by `MIMIC_UPDATE_DOCS=1 cargo test -p mimic-server`. -->

# Configuration

Every setting has a key in a YAML file and an environment variable. The key `harbor.api.host` is the variable
`MIMIC_HARBOR_API_HOST`: upper case, with `.` replaced by `_`.

```yaml
listenport: 9443
certificate:
  source: file
  certfile: /certs/tls.crt
  keyfile: /certs/tls.key
file:
  path: [/etc/mimic/mirrors.yaml]
```

* `mimic-server --config FILE` or `CONFIG_VARIABLE` names the file. Variables take precedence over it; an empty one counts as not set.
* An unknown key in the file or an invalid value prevents startup. All errors are listed, with the nearest valid name or the
  allowed values.
* An unknown variable that begins with `MIMIC_` is logged as a warning, unless Kubernetes created it for a Service named `mimic`.
* `mimic-server --check` checks configuration, mirror files and certificate, and exits with 1 if anything is wrong.
* `mimic-server --demo` changes the defaults: a self-signed certificate, loopback addresses, no cluster, and example mirrors unless `mirrors`,
  `file.path` or a Harbor is set.

In variables, write lists with commas. The types below are:

";

/// Every setting with its variable, type, default and meaning.
pub(super) fn reference_page(schema: &Schema) -> String {
    let mut page = INTRODUCTION.replace("CONFIG_VARIABLE", CONFIG_VARIABLE);
    for (name, allowed) in EXPLAINED {
        let _ = writeln!(page, "* *{name}*: {allowed}");
    }
    for row in &schema.rows {
        let _ = write!(page, "\n## {}\n\n`{}`", row.path, row.variable());
        if !row.type_name.is_empty() {
            let _ = write!(page, ", {}", row.type_name);
        }
        if !row.default.is_empty() {
            let _ = write!(page, ", default `{}`", row.default);
        }
        let _ = writeln!(page, ". {}", row.about);
    }
    page
}
