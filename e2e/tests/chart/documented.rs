//! What is said of the chart is what it is. None of this takes Helm or a cluster.

use std::{collections::BTreeSet, env, fmt::Write as _, fs, path::Path};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    CHART, chart_file,
    comments::{self, Commented},
    value_files,
};

const UPDATE: &str = "MIMIC_UPDATE_DOCS=1 cargo test -p mimic-e2e --test chart";
const MARKER: &str =
    "<!-- From here on made from values.yaml: MIMIC_UPDATE_DOCS=1 cargo test -p mimic-e2e --test chart -->\n";

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

/// Makes a file of the chart what it should be when asked to, and otherwise insists that it is.
fn hold(file: &str, content: &str) -> Result<()> {
    if env::var_os("MIMIC_UPDATE_DOCS").is_some() {
        fs::write(Path::new(CHART).join(file), content)?;
    }
    ensure!(chart_file(file)? == content, "deploy/chart/{file} is stale; run `{UPDATE}`");
    Ok(())
}

/// Helm reads nothing outside of a chart.
#[test]
fn alerts_and_dashboard_are_the_ones_that_are_shipped_beside_the_chart() -> Result<()> {
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
        // What is explained as a whole needs no comment for its parts; what is explained in parts needs all of them.
        let explained = commented(&key.path) || key.path.len() > 1 && !siblings_are(key);
        ensure!(explained, "`{}` has no comment", key.path.join("."));
    }
    ensure!(keys.len() > 100, "{} keys", keys.len());
    Ok(())
}

/// Text as it is in a table.
fn sentence(comment: &[String]) -> String {
    comment.join(" ").replace('|', "\\|")
}

/// Comments as paragraphs; what is indented is an example in YAML.
fn paragraphs(comment: &[String]) -> String {
    let mut text = String::new();
    let mut in_example = false;
    for line in comment {
        let example = line.strip_prefix("    ");
        if example.is_some() != in_example && !line.is_empty() {
            text += if in_example { "```\n" } else { "```yaml\n" };
            in_example = !in_example;
        }
        text += example.unwrap_or(line);
        text.push('\n');
    }
    if in_example {
        text += "```\n";
    }
    text
}

fn reference(values: &str) -> Result<String> {
    let parsed: Value = serde_saphyr::from_str(values)?;
    let keys = comments::read(values);
    let mut page = String::from("## Values\n");
    for key in keys.iter().filter(|key| key.path.len() == 1) {
        let name = &key.path[0];
        write!(page, "\n### {name}\n\n{}", paragraphs(&key.comment))?;
        let parts: Vec<&Commented> = keys
            .iter()
            .filter(|part| part.path.len() > 1 && part.path[0] == *name && !part.comment.is_empty())
            .collect();
        if parts.is_empty() {
            writeln!(page, "\nDefault: `{}`", at(&parsed, &key.path))?;
        } else {
            page += "\n| value | default | |\n|---|---|---|\n";
        }
        for part in parts {
            let is_group = keys.iter().any(|inner| {
                inner.path.len() > part.path.len() && inner.path.starts_with(&part.path) && !inner.comment.is_empty()
            });
            let default = if is_group { String::new() } else { format!("`{}`", at(&parsed, &part.path)) };
            writeln!(page, "| `{}` | {default} | {} |", part.path.join("."), sentence(&part.comment))?;
        }
    }
    Ok(page)
}

#[test]
fn the_readme_is_made_from_the_comments() -> Result<()> {
    let readme = chart_file("README.md")?;
    let (guide, _) = readme.split_once(MARKER).context("the page has a line where the values begin")?;
    hold("README.md", &format!("{guide}{MARKER}\n{}", reference(&chart_file("values.yaml")?)?))
}

/// Compares the keys of maps; lists and what Kubernetes defines have none in the schema.
fn compare(path: &str, values: &Value, schema: &Value) -> Result<()> {
    let (Some(values), Some(known)) = (values.as_object(), schema["properties"].as_object()) else { return Ok(()) };
    // The maps that come empty or in part, for users to fill in.
    if values.is_empty() || path == ".config" {
        return Ok(());
    }
    ensure!(schema["additionalProperties"] == false, "`{path}` takes anything");
    let in_values: BTreeSet<&String> = values.keys().collect();
    // What a chart that has this one in it hands down to all.
    let in_schema: BTreeSet<&String> = known.keys().filter(|key| *key != "global").collect();
    assert_eq!(in_values, in_schema, "of `{path}`");
    for (key, value) in values {
        compare(&format!("{path}.{key}"), value, &known[key])?;
    }
    Ok(())
}

#[test]
fn the_schema_knows_the_values_that_there_are_and_no_others() -> Result<()> {
    compare("", &yaml("values.yaml")?, &schema()?)
}

/// Variables that other values set, or that this version refuses.
const NOT_IN_CONFIG: [&str; 15] = [
    "MIMIC_ADMIN_LISTENPORT",
    "MIMIC_CERTIFICATE_CERTFILE",
    "MIMIC_CERTIFICATE_KEYFILE",
    "MIMIC_CERTIFICATE_SERVICE",
    "MIMIC_CERTIFICATE_SOURCE",
    "MIMIC_CERTIFICATE_WEBHOOK",
    "MIMIC_EXCLUDE_NAMESPACES",
    "MIMIC_KUBERNETES_CERTSECRET",
    "MIMIC_KUBERNETES_CONFIGMAP",
    "MIMIC_KUBERNETES_NAMESPACE",
    "MIMIC_LISTENPORT",
    "MIMIC_LOGFORMAT",
    "MIMIC_LOGLEVEL",
    "MIMIC_MIRRORS",
    "MIMIC_OPENSHIFT_ENABLED",
];

#[test]
fn config_takes_every_setting_of_the_server_that_is_no_value_of_its_own() -> Result<()> {
    let page = repository("docs/configuration.md")?;
    let documented = page.lines().filter_map(|line| line.strip_prefix("| [`")?.split_once('`')).map(|(name, _)| name);
    let documented: BTreeSet<&str> = documented.filter(|name| !name.starts_with("MIMIC_HARBOR_")).collect();
    let schema = schema()?;
    let config = schema["properties"]["config"]["properties"].as_object().context("config has properties")?;
    let mut taken: BTreeSet<&str> = config.keys().map(String::as_str).collect();
    for name in NOT_IN_CONFIG {
        ensure!(taken.insert(name), "`{name}` is in the schema, and set by another value");
    }
    assert_eq!(taken, documented, "values.schema.json, with those that are set otherwise, and docs/configuration.md");
    Ok(())
}

#[test]
fn every_value_is_tried_out_by_one_of_the_files_in_ci() -> Result<()> {
    fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
        found.insert(path.to_owned());
        for (key, value) in value.as_object().into_iter().flatten() {
            paths(value, &format!("{path}.{key}"), found);
        }
    }
    let mut tried = BTreeSet::new();
    for file in value_files()? {
        paths(&serde_saphyr::from_str(&fs::read_to_string(file)?)?, "", &mut tried);
    }
    let keys = comments::read(&chart_file("values.yaml")?);
    let untried = keys.iter().map(|key| format!(".{}", key.path.join("."))).filter(|path| !tried.contains(path));
    // The parts of what is replaced as a whole.
    let untried: Vec<String> =
        untried.filter(|path| !path.starts_with(".strategy.") && !path.starts_with(".config.")).collect();
    assert_eq!(untried, [""; 0]);
    Ok(())
}
