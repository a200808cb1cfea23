//! The documentation of the chart agrees with the chart. These tests need neither Helm nor a cluster.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    CHART, chart_file,
    comments::{self, Commented},
    value_files,
};

const UPDATE: &str = "MIMIC_UPDATE_DOCS=1 cargo test -p mimic-e2e --test chart";
const MARKER: &str = "<!-- Generated from values.yaml: MIMIC_UPDATE_DOCS=1 cargo test -p mimic-e2e --test chart -->\n";

fn repository(file: &str) -> Result<String> {
    let path = Path::new(CHART).join("../..").join(file);
    fs::read_to_string(&path).with_context(|| path.display().to_string())
}

fn yaml(file: &str) -> Result<Value> {
    Ok(serde_saphyr::from_str(&chart_file(file)?)?)
}

fn schema() -> Result<Value> {
    Ok(serde_json::from_str(&chart_file("values.schema.json")?)?)
}

/// Checks that a file of the chart has the expected content. If `MIMIC_UPDATE_DOCS` is set, writes the content first.
fn hold(file: &str, content: &str) -> Result<()> {
    if env::var_os("MIMIC_UPDATE_DOCS").is_some() {
        fs::write(Path::new(CHART).join(file), content)?;
    }
    ensure!(chart_file(file)? == content, "deploy/chart/{file} is outdated; run `{UPDATE}`");
    Ok(())
}

/// Copied, because Helm reads only files of the chart.
#[test]
fn alerts_and_dashboard_equal_those_in_deploy_monitoring() -> Result<()> {
    for file in ["alerts.yaml", "dashboard.json"] {
        hold(&format!("files/{file}"), &repository(&format!("deploy/monitoring/{file}"))?)?;
    }
    Ok(())
}

fn at<'v>(values: &'v Value, path: &[String]) -> &'v Value {
    path.iter().fold(values, |value, key| &value[key])
}

#[test]
fn every_value_has_a_comment() -> Result<()> {
    let keys = comments::read(&chart_file("values.yaml")?);
    let commented = |path: &[String]| keys.iter().any(|key| key.path == path && !key.comment.is_empty());
    let siblings_are = |key: &Commented| {
        let parent = &key.path[..key.path.len() - 1];
        keys.iter().any(|other| {
            other.path.len() == key.path.len() && other.path.starts_with(parent) && !other.comment.is_empty()
        })
    };
    for key in &keys {
        // A value with a comment needs none for its parts. If one of its parts has a comment, all need one.
        let documented = commented(&key.path) || key.path.len() > 1 && !siblings_are(key);
        ensure!(documented, "`{}` has no comment", key.path.join("."));
    }
    ensure!(keys.len() > 100, "{} keys", keys.len());
    Ok(())
}

/// A comment as the text of a list item. Indented lines are an example in YAML.
fn item_text(comment: &[String], indent: &str) -> String {
    let first_of_example = comment.iter().position(|line| line.is_empty() || line.starts_with("    "));
    let (text, example) = comment.split_at(first_of_example.unwrap_or(comment.len()));
    let mut item = text.join(" ");
    let mut example = example.iter().filter_map(|line| line.strip_prefix("    ")).peekable();
    if example.peek().is_some() {
        let lines: String = example.flat_map(|line| [indent, line, "\n"]).collect();
        item.extend(["\n\n", indent, "```yaml\n", &lines, indent, "```\n"]);
    }
    item
}

/// A nested list of the values with their defaults and comments.
fn reference(values: &str) -> Result<String> {
    let parsed: Value = serde_saphyr::from_str(values)?;
    let keys = comments::read(values);
    let mut page = String::from("## Values\n\n");
    for key in keys.iter().filter(|key| !key.comment.is_empty()) {
        let is_group = keys.iter().any(|inner| {
            inner.path.len() > key.path.len() && inner.path.starts_with(&key.path) && !inner.comment.is_empty()
        });
        let default = if is_group { String::new() } else { format!(" (`{}`)", at(&parsed, &key.path)) };
        let indent = "  ".repeat(key.path.len() - 1);
        let text = item_text(&key.comment, &format!("{indent}  "));
        writeln!(page, "{indent}* `{}`{default}: {text}", key.path.join("."))?;
    }
    Ok(page)
}

#[test]
fn the_readme_is_generated_from_the_comments() -> Result<()> {
    let readme = chart_file("README.md")?;
    let (guide, _) = readme.split_once(MARKER).context("the page has the line before the generated values")?;
    hold("README.md", &format!("{guide}{MARKER}\n{}", reference(&chart_file("values.yaml")?)?))
}

/// Compares the keys of maps. The schema has no keys of lists and of types that Kubernetes defines.
fn compare(path: &str, values: &Value, schema: &Value) -> Result<()> {
    let (Some(values), Some(known)) = (values.as_object(), schema["properties"].as_object()) else { return Ok(()) };
    // Maps that users fill in.
    if values.is_empty() || path == ".config" {
        return Ok(());
    }
    ensure!(schema["additionalProperties"] == false, "`{path}` accepts unknown keys");
    let in_values: BTreeSet<&String> = values.keys().collect();
    // `global` comes from a parent chart.
    let in_schema: BTreeSet<&String> = known.keys().filter(|key| *key != "global").collect();
    assert_eq!(in_values, in_schema, "of `{path}`");
    for (key, value) in values {
        compare(&format!("{path}.{key}"), value, &known[key])?;
    }
    Ok(())
}

#[test]
fn the_schema_has_the_same_values() -> Result<()> {
    compare("", &yaml("values.yaml")?, &schema()?)
}

/// Variables that other values set, or that this version rejects.
const NOT_IN_CONFIG: [&str; 18] = [
    "MIMIC_ADMIN_LISTENPORT",
    "MIMIC_CERTIFICATE_CERTFILE",
    "MIMIC_CERTIFICATE_KEYFILE",
    "MIMIC_CERTIFICATE_SERVICE",
    "MIMIC_CERTIFICATE_SOURCE",
    "MIMIC_CERTIFICATE_WEBHOOK",
    "MIMIC_CLIENTCA",
    "MIMIC_EXCLUDE_NAMESPACES",
    "MIMIC_KUBERNETES_CERTSECRET",
    "MIMIC_KUBERNETES_CONFIGMAP",
    "MIMIC_KUBERNETES_NAMESPACE",
    "MIMIC_LISTENPORT",
    "MIMIC_LOGFORMAT",
    "MIMIC_LOGLEVEL",
    "MIMIC_MIRRORS",
    "MIMIC_OPENSHIFT_ENABLED",
    "MIMIC_POLICY_ENABLED",
    "MIMIC_POLICY_NAME",
];

#[test]
fn config_accepts_every_setting_without_its_own_value() -> Result<()> {
    let page = repository("docs/configuration.md")?;
    let documented = page.lines().filter_map(|line| line.strip_prefix('`')?.split_once('`')).map(|(name, _)| name);
    let documented = documented.filter(|name| name.starts_with("MIMIC_") && !name.starts_with("MIMIC_HARBOR_"));
    let documented: BTreeSet<&str> = documented.collect();
    let schema = schema()?;
    let config = schema["properties"]["config"]["properties"].as_object().context("config has properties")?;
    let mut accepted: BTreeSet<&str> = config.keys().map(String::as_str).collect();
    for name in NOT_IN_CONFIG {
        ensure!(accepted.insert(name), "`{name}` is in the schema, and set by another value");
    }
    assert_eq!(
        accepted, documented,
        "values.schema.json with the settings that other values set, and docs/configuration.md"
    );
    Ok(())
}

#[test]
fn every_value_is_used_by_a_file_in_ci() -> Result<()> {
    fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        found.insert(path.to_owned());
        for (key, value) in value.as_object().into_iter().flatten() {
            paths(value, &format!("{path}.{key}"), found);
        }
    }
    let mut used = BTreeSet::new();
    for file in value_files()? {
        paths(&serde_saphyr::from_str(&fs::read_to_string(file)?)?, "", &mut used);
    }
    let keys = comments::read(&chart_file("values.yaml")?);
    let unused = keys.iter().map(|key| format!(".{}", key.path.join("."))).filter(|path| !used.contains(path));
    // Parts of values that are replaced as a whole.
    let unused: Vec<String> =
        unused.filter(|path| !path.starts_with(".strategy.") && !path.starts_with(".config.")).collect();
    assert_eq!(unused, [""; 0]);
    Ok(())
}
