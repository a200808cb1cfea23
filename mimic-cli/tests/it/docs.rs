//! `docs/cli.md` agrees with the command: its examples are run, and its reference is generated from the grammar.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::builder::StyledStr;
use clap::{Arg, Command};

use crate::transcript;

/// Begins the generated reference. Before it, only the output of the examples is generated.
const REFERENCE: &str = "<!-- Generated from the code: MIMIC_UPDATE_DOCS=1 cargo test -p mimic-cli -->\n";
const EXAMPLE: &str = "```console\n";
const END: &str = "```\n";

#[test]
fn the_page_agrees_with_the_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = fs::read_to_string(&path).unwrap();
    let (guide, _) = page.split_once(REFERENCE).expect("the page has a line where the reference begins");
    let page = format!("{}{REFERENCE}\n{}", replay_examples(guide), reference());
    transcript::hold(&path, &page, "MIMIC_UPDATE_DOCS");
}

#[test]
fn the_examples_of_the_page_on_manifests_agree_with_the_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/manifests.md");
    let page = fs::read_to_string(&path).unwrap();
    assert!(page.contains(EXAMPLE), "the page has examples");
    transcript::hold(&path, &replay_examples(&page), "MIMIC_UPDATE_DOCS");
}

#[test]
fn the_example_of_the_page_on_decisions_agrees_with_the_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-it-decides.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("  $ mimic explain").expect("there is an example");
    let (example, after) = rest.split_once("  ```\n").expect("it has an end");
    // The example is in a list.
    let example: String = format!("$ mimic explain{example}").replace("\n  ", "\n");
    let replayed: String = transcript::replay(&example).lines().flat_map(|line| ["  ", line, "\n"]).collect();
    transcript::hold(&path, &format!("{before}{replayed}  ```\n{after}"), "MIMIC_UPDATE_DOCS");
}

#[test]
fn the_page_on_other_tools_agrees_with_the_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/import-export.md");
    let page = replay_examples(&fs::read_to_string(&path).unwrap());
    transcript::hold(&path, &page, "MIMIC_UPDATE_DOCS");
}

#[test]
fn examples_in_the_help_work() {
    let mut count = 0;
    for command in leaves(&mimic_cli::command()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for example in help.lines().filter_map(|line| line.strip_prefix("  ")) {
            let output = transcript::run(example);
            // The list of images has an invalid one, and some examples list changes.
            let fails = ["images.txt", "--diff", "--check"].iter().any(|part| example.contains(part));
            let expected = i32::from(fails);
            assert_eq!(output.status.code(), Some(expected), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty(), "{example}");
            count += 1;
        }
    }
    assert!(count >= leaves(&mimic_cli::command()).len());
}

/// The sub-commands without sub-commands.
fn leaves(command: &Command) -> Vec<&Command> {
    let below = |command| if Command::has_subcommands(command) { leaves(command) } else { vec![command] };
    command.get_subcommands().flat_map(below).collect()
}

/// The guide, with the current output of its examples.
fn replay_examples(guide: &str) -> String {
    let mut parts = guide.split(EXAMPLE);
    let mut replayed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (example, rest) = part.split_once(END).expect("an example has an end");
        write!(replayed, "{EXAMPLE}{}{END}{rest}", transcript::replay(example)).unwrap();
    }
    replayed
}

/// A section for each sub-command and one for each group of options that several of them share.
fn reference() -> String {
    let mut mimic =
        mimic_cli::command().disable_help_subcommand(true).disable_help_flag(true).disable_version_flag(true);
    mimic.build();
    let mut page = format!("## Reference\n\n{}\n\n", about(&mimic));
    list(&mimic.get_arguments().collect::<Vec<_>>(), &mut page);
    let mut shared: Vec<(String, String)> = Vec::new();
    for command in leaves(&mimic) {
        section(command, &mut shared, &mut page);
    }
    for (heading, options) in shared {
        write!(page, "\n### {heading}\n\n{options}").unwrap();
    }
    page
}

fn about(command: &Command) -> &StyledStr {
    command.get_long_about().or(command.get_about()).unwrap()
}

/// Writes the section of a sub-command. Options under a heading are collected in `shared`, once for all commands.
fn section(command: &Command, shared: &mut Vec<(String, String)>, page: &mut String) {
    let name = command.get_bin_name().unwrap();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(page, "\n### `{usage}`\n\n{}\n\n", about(command)).unwrap();
    // The options of all commands are above.
    let args: Vec<&Arg> = command.get_arguments().filter(|arg| !arg.is_global_set()).collect();
    let (own, grouped): (Vec<&Arg>, Vec<&Arg>) = args.iter().partition(|arg| arg.get_help_heading().is_none());
    list(&own, page);
    let mut links = Vec::new();
    for group in grouped.chunk_by(|a, b| a.get_help_heading() == b.get_help_heading()) {
        let heading = group[0].get_help_heading().unwrap();
        let mut options = String::new();
        list(group, &mut options);
        match shared.iter().find(|(known, _)| known == heading) {
            Some((_, known)) => assert_eq!(*known, options, "`{name}` differs from other commands in its {heading}"),
            None => shared.push((heading.to_owned(), options)),
        }
        links.push(format!("[{heading}](#{})", heading.to_lowercase().replace(' ', "-")));
    }
    if !links.is_empty() {
        writeln!(page, "* {}", links.join(", ")).unwrap();
    }
}

fn list(args: &[&Arg], page: &mut String) {
    for arg in args {
        let name = match (arg.get_short(), arg.get_long()) {
            (Some(short), Some(long)) => format!("`-{short}`, `--{long}{}`", value(arg)),
            (_, Some(long)) => format!("`--{long}{}`", value(arg)),
            _ => format!("`{arg}`"),
        };
        let mut meaning = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
        let values = arg.get_possible_values();
        if arg.get_action().takes_values() && !values.is_empty() {
            let values = values.iter().map(|value| match value.get_help() {
                Some(help) => format!("`{}` ({help})", value.get_name()),
                None => format!("`{}`", value.get_name()),
            });
            write!(meaning, ": {}", values.collect::<Vec<_>>().join(", ")).unwrap();
        }
        let defaults: Vec<String> =
            arg.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect();
        if arg.get_action().takes_values() && !arg.is_hide_default_value_set() && !defaults.is_empty() {
            write!(meaning, ". Default: {}", defaults.join(", ")).unwrap();
        }
        writeln!(page, "* {name}: {meaning}").unwrap();
    }
}

/// The value of an option, as in its help.
fn value(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    arg.get_value_names().unwrap_or_default().iter().fold(String::new(), |all, name| format!("{all} <{name}>"))
}
