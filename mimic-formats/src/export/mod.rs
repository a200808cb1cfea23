//! From rules to the configuration of another tool.

mod files;
pub(crate) mod format;
mod rows;
mod scope;

use mimic_core::Rule;

use crate::export::format::{ExportFormat, ExportedFile};
use crate::export::rows::Table;

/// The result of an export.
#[derive(Clone, Debug)]
pub struct Exported {
    /// The files, sorted by path.
    pub files: Vec<ExportedFile>,
    /// What the format cannot express. Without warnings, the tool pulls each image first from where Mimic would.
    pub warnings: Vec<String>,
    /// What differs in any case.
    pub note: Option<String>,
}

/// Writes rules, in their order of precedence, in the format of another tool.
///
/// ```
/// use mimic_core::Rule;
/// use mimic_formats::{ExportFormat, export};
///
/// let rule = Rule::mirror("quay.io", "harbor.example.com/quay")?;
/// let exported = export(ExportFormat::HostsToml, [&rule]);
/// assert_eq!(exported.files[0].path, "quay.io/hosts.toml");
/// assert!(exported.files[0].text.contains("[host.\"https://harbor.example.com/v2/quay\"]"));
/// # Ok::<(), mimic_core::RuleError>(())
/// ```
pub fn export<'r>(format: ExportFormat, rules: impl IntoIterator<Item = &'r Rule>) -> Exported {
    let mut table = Table::new(format, rules);
    let rows = table.rows();
    let files = match format {
        ExportFormat::HostsToml => files::hosts_toml(&rows),
        ExportFormat::RegistriesYaml => files::registries_yaml(&rows),
        ExportFormat::RegistriesConf => files::registries_conf(&rows),
        ExportFormat::Idms | ExportFormat::Itms => files::mirror_set(format, &rows),
    };
    let (warnings, note) = table.finish(&rows);
    Exported { files, warnings, note }
}
