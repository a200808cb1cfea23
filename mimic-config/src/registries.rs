//! Registry products such as Harbor, of which the file can list several.

use crate::layers::Layers;
use crate::setting::Setting;

/// Reads the registries of a group: the single one, or all that the file lists. Each of several must have a name of its
/// own. `read` gets the name, and returns `None` for a registry that is not enabled.
pub(crate) fn read_each<T>(
    layers: &mut Layers,
    group: &'static str,
    name_setting: &Setting<String>,
    read: fn(&mut Layers, String) -> Option<T>,
) -> Vec<T> {
    let length = layers.list_length(group);
    let mut registries = Vec::new();
    let mut names: Vec<String> = Vec::new();
    for index in 0..length.unwrap_or(1) {
        if length.is_some() {
            layers.enter(group, index);
        }
        let name = layers.read(name_setting);
        if length.is_some_and(|length| length > 1) {
            if name.is_empty() {
                layers.note(name_setting, "not set, but required for each entry of a list", "");
            } else if names.contains(&name) {
                layers.note(name_setting, format!("`{name}` is already the name of another entry"), "");
            }
        }
        names.push(name.clone());
        registries.extend(read(layers, name));
    }
    layers.leave();
    registries
}

/// The name of a registry's source: `harbor`, or `harbor:NAME`.
pub fn source_name(kind: &str, name: &str) -> String {
    if name.is_empty() { kind.to_owned() } else { format!("{kind}:{name}") }
}
