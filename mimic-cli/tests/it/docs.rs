//! `docs/cli.md` is what the command says and does: its examples are run, and its reference is made from the grammar.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use clap::{Arg, Command};

use crate::transcript;

/// What stands before the reference is written by hand, but for the output of its examples.
const REFERENCE: &str = "<!-- From here on made from the code: MIMIC_UPDATE_DOCS=1 cargo test -p mimic-cli -->\n";
const EXAMPLE: &str = "```console\n";
const END: &str = "```\n";

#[test]
fn the_page_is_what_the_command_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/cli.md");
    let page = fs::read_to_string(&path).unwrap();
    let (guide, _) = page.split_once(REFERENCE).expect("the page has a line where the reference begins");
    let page = format!("{}{REFERENCE}\n{}", replay_examples(guide), reference());
    transcript::hold(&path, &page, "MIMIC_UPDATE_DOCS");
}

#[test]
fn the_example_of_the_page_on_decisions_is_what_the_command_says() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/how-it-decides.md");
    let page = fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once("  $ mimic explain").expect("there is an example");
    let (example, after) = rest.split_once("  ```\n").expect("it has an end");
    // It stands in a list.
    let example: String = format!("$ mimic explain{example}").replace("\n  ", "\n");
    let replayed: String = transcript::replay(&example).lines().flat_map(|line| ["  ", line, "\n"]).collect();
    transcript::hold(&path, &format!("{before}{replayed}  ```\n{after}"), "MIMIC_UPDATE_DOCS");
}

#[test]
fn examples_in_the_help_work() {
    let mut count = 0;
    for command in leaves(&mimic_cli::command()) {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        for example in help.lines().filter_map(|line| line.strip_prefix("  ")) {
            let output = transcript::run(example);
            // The list of images has one in it that is wrong.
            let expected = i32::from(example.contains("images.txt"));
            assert_eq!(output.status.code(), Some(expected), "{example}: {}", String::from_utf8_lossy(&output.stderr));
            assert!(!output.stdout.is_empty(), "{example}");
            count += 1;
        }
    }
    assert!(count >= leaves(&mimic_cli::command()).len());
}

/// The sub-commands that have none of their own.
fn leaves(command: &Command) -> Vec<&Command> {
    let below = |command| if Command::has_subcommands(command) { leaves(command) } else { vec![command] };
    command.get_subcommands().flat_map(below).collect()
}

/// The guide, with what its examples print now.
fn replay_examples(guide: &str) -> String {
    let mut parts = guide.split(EXAMPLE);
    let mut replayed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (example, rest) = part.split_once(END).expect("an example has an end");
        write!(replayed, "{EXAMPLE}{}{END}{rest}", transcript::replay(example)).unwrap();
    }
    replayed
}

/// A section for the command as a whole and one for each of its sub-commands.
fn reference() -> String {
    let mut mimic =
        mimic_cli::command().disable_help_subcommand(true).disable_help_flag(true).disable_version_flag(true);
    mimic.build();
    let mut page = String::from("## Reference\n");
    sections(&mimic, &mut page);
    page
}

fn sections(command: &Command, page: &mut String) {
    section(command, page);
    for command in command.get_subcommands() {
        sections(command, page);
    }
}

fn section(command: &Command, page: &mut String) {
    let name = command.get_bin_name().unwrap_or("mimic");
    let about = command.get_long_about().or(command.get_about()).unwrap();
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    write!(page, "\n### `{name}`\n\n{about}\n\n```text\n{usage}\n```\n").unwrap();
    let is_sub_command = name != "mimic";
    let (positional, options): (Vec<&Arg>, Vec<&Arg>) = command
        .get_arguments()
        // What every sub-command has is told once.
        .filter(|arg| !(is_sub_command && arg.is_global_set()))
        .partition(|arg| arg.is_positional());
    table("Argument", &positional, page);
    table("Option", &options, page);
}

fn table(title: &str, args: &[&Arg], page: &mut String) {
    if args.is_empty() {
        return;
    }
    write!(page, "\n| {title} | Default | Meaning |\n|---|---|---|\n").unwrap();
    for arg in args {
        let name = match (arg.get_short(), arg.get_long()) {
            (Some(short), Some(long)) => format!("`-{short}`, `--{long}{}`", value(arg)),
            (_, Some(long)) => format!("`--{long}{}`", value(arg)),
            _ => format!("`{arg}`"),
        };
        let defaults: Vec<String> = if arg.get_action().takes_values() {
            arg.get_default_values().iter().map(|value| format!("`{}`", value.display())).collect()
        } else {
            Vec::new()
        };
        let mut meaning = arg.get_long_help().or(arg.get_help()).unwrap().to_string();
        for value in arg.get_possible_values() {
            let help = value.get_help().map(|help| format!(": {help}")).unwrap_or_default();
            write!(meaning, "<br>`{}`{help}", value.get_name()).unwrap();
        }
        writeln!(page, "| {name} | {} | {} |", defaults.join(", "), meaning.replace('|', "\\|")).unwrap();
    }
}

/// The value of an option as its help shows it.
fn value(arg: &Arg) -> String {
    if !arg.get_action().takes_values() {
        return String::new();
    }
    arg.get_value_names().unwrap_or_default().iter().fold(String::new(), |all, name| format!("{all} <{name}>"))
}
