//! Versions that repeat those of the workspace's `Cargo.toml` agree with it.

use std::{fs, path::Path};

use anyhow::{Context, Result};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The text between the first `before` of a file in the repository and the next `after`.
fn find(file: &str, before: &str, after: &str) -> Result<String> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file))?;
    let rest = text.split_once(before).with_context(|| format!("{file} has `{before}`"))?.1;
    Ok(rest.split_once(after).with_context(|| format!("{file} goes on"))?.0.to_owned())
}

#[test]
fn the_image_is_labelled_with_the_version() -> Result<()> {
    assert_eq!(find("Dockerfile", "image.version=\"", "\"")?, VERSION);
    Ok(())
}

#[test]
fn the_chart_has_the_version() -> Result<()> {
    assert_eq!(find("deploy/chart/Chart.yaml", "\nversion: ", "\n")?, VERSION);
    assert_eq!(find("deploy/chart/Chart.yaml", "\nappVersion: \"", "\"")?, VERSION);
    Ok(())
}

#[test]
fn the_image_is_built_with_the_toolchain_of_the_repository() -> Result<()> {
    let toolchain = find("rust-toolchain.toml", "channel = \"", "\"")?;
    assert_eq!(find("Dockerfile", "ARG BUILDER=docker.io/library/rust:", "-")?, toolchain);
    Ok(())
}

#[test]
fn the_programs_of_neighbours_are_built_from_the_modules_whose_charts_are_installed() -> Result<()> {
    for (name, module) in [
        ("cert-manager", "github.com/cert-manager/cert-manager"),
        ("istio", "istio.io/istio"),
        ("prometheus-operator", "github.com/prometheus-operator/prometheus-operator"),
    ] {
        let built = find(&format!("e2e/neighbours/{name}/go.mod"), &format!("{module} v"), "\n")?;
        let installed = find("e2e/src/crds.rs", &format!("path: \"{module}\",\n    version: \"v"), "\"")?;
        assert_eq!(built.trim_end_matches(" // indirect"), installed, "{name}");
    }
    Ok(())
}
