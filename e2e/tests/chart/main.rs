//! The Helm chart: its documentation, the objects that it renders, and its releases in a cluster.

mod comments;
mod documented;
mod installed;
mod modes;
mod rendered;

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/chart");

/// A file of the chart.
fn chart_file(name: &str) -> anyhow::Result<String> {
    Ok(std::fs::read_to_string(std::path::Path::new(CHART).join(name))?)
}

/// The files with values that the chart is tested with.
fn value_files() -> anyhow::Result<Vec<String>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(std::path::Path::new(CHART).join("ci"))? {
        files.push(entry?.path().display().to_string());
    }
    files.sort();
    anyhow::ensure!(files.len() > 5, "{files:?}");
    Ok(files)
}
