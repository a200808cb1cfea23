//! The Harbors that a command uses: all that the server is configured with, or one of them, or another one.

use std::ffi::OsString;
use std::path::Path;

use mimic_core::Problem;
use mimic_harbor::Address;

use crate::harbor::{self, API_HOST, ConfiguredHarbor, ENABLED, GROUP, NAME};
use crate::layers::Layers;
use crate::options::Options;
use crate::schema::{CONFIG_VARIABLE, Schema};

/// Which Harbors a command uses.
#[derive(Clone, Copy, Debug)]
pub struct Selection<'s> {
    /// The configuration file of the command line, which takes precedence over `MIMIC_CONFIG`.
    pub file: Option<&'s Path>,
    /// A single Harbor: the name or the address of a configured one, or another address. `None` for all that are enabled.
    pub harbor: Option<&'s str>,
    /// The options of the command that set settings of a Harbor.
    pub options: &'s Options,
}

/// The result of reading the settings of Harbors.
#[derive(Debug)]
pub struct SelectedHarbors {
    /// The Harbors in order of precedence, or all errors.
    pub harbors: Result<Vec<ConfiguredHarbor>, Vec<Problem>>,
    /// Warnings, such as unknown variables.
    pub warnings: Vec<Problem>,
}

impl Selection<'_> {
    /// Reads the settings of the Harbors as the server reads them. Settings of other groups are ignored.
    pub fn load(&self, environment: &[(OsString, OsString)]) -> SelectedHarbors {
        let Some(named) = self.harbor else {
            let mut layers = merge(environment, self.file, self.options.clone());
            let harbors = harbor::read(&mut layers);
            return finish(layers, harbors);
        };
        // A Harbor that is named is used also if the server does not use it.
        let options = self.options.clone().with(ENABLED.path, "true");
        let mut layers = merge(environment, self.file, options.clone());
        match find(&mut layers, named) {
            Found::Element(index) => {
                layers.enter(GROUP, index);
                let name = layers.read(&NAME);
                let harbor = harbor::read_one(&mut layers, name);
                layers.leave();
                return finish(layers, harbor.into_iter().collect());
            }
            Found::Single => {
                let harbors = harbor::read(&mut layers);
                return finish(layers, harbors);
            }
            // It may be in the file.
            Found::Nothing if layers.has_unreadable_file() => return finish(layers, Vec::new()),
            Found::Nothing => {}
        }
        // The file is about other Harbors: their passwords are not for this one.
        let is_other = layers.list_length(GROUP).is_some() || layers.is_in_file(&API_HOST);
        let file = if is_other { None } else { self.file };
        let environment: Vec<_> =
            environment.iter().filter(|(name, _)| !is_other || name != CONFIG_VARIABLE).cloned().collect();
        let mut layers = merge(&environment, file, options.with(API_HOST.path, named));
        let harbors = harbor::read(&mut layers);
        finish(layers, harbors)
    }
}

fn merge(environment: &[(OsString, OsString)], file: Option<&Path>, options: Options) -> Layers {
    let schema = Schema { rows: harbor::ROWS.iter().collect(), lists: vec![GROUP], is_partial: true };
    Layers::merge(schema, environment.iter().cloned(), file, &[], options)
}

fn finish(layers: Layers, harbors: Vec<ConfiguredHarbor>) -> SelectedHarbors {
    let (problems, warnings) = layers.finish();
    SelectedHarbors { harbors: if problems.is_empty() { Ok(harbors) } else { Err(problems) }, warnings }
}

/// Where a Harbor is configured.
enum Found {
    /// In this element of the list.
    Element(usize),
    /// It is the only one.
    Single,
    Nothing,
}

/// Finds a Harbor by its name or its address.
fn find(layers: &mut Layers, named: &str) -> Found {
    let address = Address::parse(named).ok();
    let is_named = |layers: &mut Layers| {
        let (name, host) = (layers.text(&NAME), layers.text(&API_HOST));
        name == named || address.is_some() && Address::parse(&host).ok() == address
    };
    let Some(length) = layers.list_length(GROUP) else {
        return if is_named(layers) { Found::Single } else { Found::Nothing };
    };
    let found = (0..length).find(|&index| {
        layers.enter(GROUP, index);
        is_named(layers)
    });
    layers.leave();
    found.map_or(Found::Nothing, Found::Element)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mimic_core::Hint as _;
    use mimic_harbor::Credentials;

    use super::*;

    static OPTIONS: &[(&str, &str)] =
        &[("--harbor", "harbor.api.host"), ("--username", "harbor.robot.username"), ("--private", "harbor.private")];

    /// The Harbors, each as its source, address and account; or the errors.
    fn load(
        variables: &[(&str, &str)],
        file: Option<&str>,
        harbor: Option<&str>,
        options: &[(&'static str, &str)],
    ) -> Result<Vec<String>, Vec<String>> {
        let folder = tempfile::tempdir().expect("a folder can be created");
        let path = folder.path().join("mimic.yaml");
        if let Some(text) = file {
            fs::write(&path, text).expect("it can be written");
        }
        let environment: Vec<_> = variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let options = options.iter().fold(Options::new(OPTIONS), |all, (path, value)| all.with(path, *value));
        let file = file.map(|_| path.as_path());
        let selected = Selection { file, harbor, options: &options }.load(&environment);
        let shown = |harbor: &ConfiguredHarbor| {
            let account = harbor.settings.credentials.as_ref().map_or("anonymous", Credentials::username);
            format!("{} {} {account} {}", harbor.source_name(), harbor.settings.address, harbor.settings.private)
        };
        let place = format!("{}/", folder.path().display());
        let problem = |problem: &Problem| problem.full_message().to_string().replace(&place, "");
        let harbors = selected.harbors.map(|harbors| harbors.iter().map(shown).collect());
        harbors.map_err(|problems| problems.iter().chain(&selected.warnings).map(problem).collect())
    }

    #[expect(clippy::unnecessary_wraps, reason = "it is compared with what `load` returns")]
    fn listed(sources: &[&str]) -> Result<Vec<String>, Vec<String>> {
        Ok(sources.iter().map(|source| (*source).to_owned()).collect())
    }

    const SEVERAL: &str = "
listenport: 9443
harbor:
  - name: main
    api: {host: harbor.example.com}
    robot: {username: robot$main, password: a}
    private: true
  - name: lab
    api: {host: 'http://lab.example.com:8080'}
    robot: {username: robot$lab, password: b}
  - name: old
    api: {host: old.example.com}
    enabled: false
";
    const SINGLE: &str = "harbor: {enabled: true, api: {host: harbor.example.com}, robot: {username: r, password: p}}";

    #[test]
    fn without_a_name_all_are_used_that_the_server_uses() {
        let main = "harbor:main https://harbor.example.com robot$main true";
        let lab = "harbor:lab http://lab.example.com:8080 robot$lab false";
        assert_eq!(load(&[("MIMIC_DRAIN", "soon")], Some(SEVERAL), None, &[]), listed(&[main, lab]));
        assert_eq!(load(&[], Some(SINGLE), None, &[]), listed(&["harbor https://harbor.example.com r false"]));
        assert_eq!(load(&[("MIMIC_HARBOR_API_HOST", "a.example.com")], None, None, &[]), listed(&[]));
        let variables = [("MIMIC_HARBOR_API_HOST", "a.example.com"), ("MIMIC_HARBOR_ENABLED", "true")];
        assert_eq!(load(&variables, None, None, &[]), listed(&["harbor https://a.example.com anonymous false"]));
        // The environment takes precedence over the file, an option over both.
        let variables = [("MIMIC_HARBOR_API_HOST", "a.example.com"), ("MIMIC_HARBOR_PRIVATE", "false")];
        let option = [("harbor.private", "true")];
        assert_eq!(load(&variables, Some(SINGLE), None, &option), listed(&["harbor https://a.example.com r true"]));
        let all_private = [main, "harbor:lab http://lab.example.com:8080 robot$lab true"];
        assert_eq!(load(&[], Some(SEVERAL), None, &option), listed(&all_private));
    }

    #[test]
    fn one_of_several_is_selected_by_name_or_address() {
        let lab = listed(&["harbor:lab http://lab.example.com:8080 robot$lab false"]);
        for named in ["lab", "http://lab.example.com:8080", "http://LAB.example.com:8080/"] {
            assert_eq!(load(&[], Some(SEVERAL), Some(named), &[]), lab, "{named}");
        }
        let old = listed(&["harbor:old https://old.example.com anonymous false"]);
        assert_eq!(load(&[], Some(SEVERAL), Some("old.example.com"), &[]), old, "although it is not enabled");
    }

    #[test]
    fn the_file_gives_no_password_to_another_harbor_and_variables_do() {
        let variables = [("MIMIC_HARBOR_ROBOT_USERNAME", "v"), ("MIMIC_HARBOR_ROBOT_PASSWORD", "p")];
        let other = Some("other.example.com");
        for file in [SEVERAL, SINGLE] {
            assert_eq!(
                load(&[], Some(file), other, &[]),
                listed(&["harbor https://other.example.com anonymous false"])
            );
            assert_eq!(load(&variables, Some(file), other, &[]), listed(&["harbor https://other.example.com v false"]));
        }
        let file = "harbor: {private: true}";
        assert_eq!(load(&variables, Some(file), other, &[]), listed(&["harbor https://other.example.com v true"]));
        let configured = [variables[0], variables[1], ("MIMIC_HARBOR_API_HOST", "harbor.example.com")];
        assert_eq!(load(&configured, None, other, &[]), listed(&["harbor https://other.example.com v false"]));
    }

    #[test]
    fn errors_name_the_option_the_variable_or_the_line() {
        let problems =
            |problems: &[&str]| Err(problems.iter().map(|problem| (*problem).to_owned()).collect::<Vec<_>>());
        let option = [("harbor.private", "true")];
        assert_eq!(
            load(&[], None, Some("h.example.com"), &option),
            problems(&["--private: private projects are visible to accounts only: `--username` is required"])
        );
        let variable = [("MIMIC_HARBOR_PRIVATE", "true")];
        assert_eq!(
            load(&variable, None, Some("h.example.com"), &[]),
            problems(&[
                "MIMIC_HARBOR_PRIVATE: private projects are visible to accounts only: `--username` is required"
            ])
        );
        let file =
            "drain: soon\nlistnport: 1\nharbor:\n  enabled: true\n  api: {host: h}\n  privat: true\n  private: maybe\n";
        let unknown = "mimic.yaml:6: unknown key `harbor.privat` (hint: did you mean `harbor.private`?)";
        let invalid = "mimic.yaml:7: `harbor.private`: `maybe` is not a boolean (hint: allowed: true or false)";
        let warning = "MIMIC_HARBOR_PRIVAT: unknown variable, ignored (hint: did you mean `MIMIC_HARBOR_PRIVATE`?)";
        let misspelt = [("MIMIC_HARBOR_PRIVAT", "true"), ("MIMIC_DRAIM", "1s")];
        assert_eq!(load(&misspelt, Some(file), None, &[]), problems(&[unknown, invalid, warning]));
        let absent = [("MIMIC_CONFIG", "/does/not/exist")];
        let unreadable = "/does/not/exist: cannot read the configuration file: No such file or directory (os error 2)";
        assert_eq!(load(&absent, None, Some("h.example.com"), &[]), problems(&[unreadable]));
    }
}
