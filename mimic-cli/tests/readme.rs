//! The samples in the README agree with the command.

use std::process::Command;

fn mimic(arguments: &str) -> String {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let output = Command::new(env!("CARGO_BIN_EXE_mimic"))
        .args(arguments.split_whitespace())
        .current_dir(root)
        .output()
        .expect("the command runs");
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("output is UTF-8")
}

#[test]
fn the_samples_in_the_readme_agree_with_the_command() {
    let readme = include_str!("../../README.md");
    // The server uses the same code.
    let answer = mimic("review -o json -f examples/mirrors.yaml examples/review.json");
    assert_eq!(include_str!("../../examples/response.json"), answer, "examples/response.json is outdated");
    let (_, rest) = readme.split_once("```json\n").expect("the README shows the answer");
    let (begin, _) = rest.split_once("…\n```").expect("it shows the beginning of it");
    assert!(begin.contains("\"patch\":\"") && answer.starts_with(begin), "the README shows\n{begin}");

    let mut examples = 0;
    for example in readme.split("```console\n$ cargo mimic ").skip(1) {
        let (arguments, rest) = example.split_once('\n').expect("a command and its output");
        let (expected, _) = rest.split_once("\n```").expect("the block ends");
        let output = mimic(arguments);
        assert_eq!(output, format!("{expected}\n"), "`mimic {arguments}`");
        examples += 1;
    }
    assert_eq!(examples, 1);
}

#[test]
fn the_aliases_in_the_readme_exist() {
    let readme = include_str!("../../README.md");
    let config = include_str!("../../.cargo/config.toml");
    for (command, alias) in [
        ("\ncargo demo\n", "demo = \"run --locked --profile demo --no-default-features -p mimic-server -- --demo\""),
        ("\n$ cargo mimic ", "mimic = \"run --locked --quiet --profile demo --no-default-features -p mimic-cli --\""),
    ] {
        assert!(readme.contains(command), "{command}");
        assert!(config.lines().any(|line| line == alias), "{alias}");
    }
    assert!(include_str!("../../Cargo.toml").contains("\n[profile.demo]\n"));
}
