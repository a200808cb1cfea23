//! What the README shows is what happens.

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
fn the_answers_in_the_readme_are_those_that_come() {
    let readme = include_str!("../../README.md");
    // The server answers by the very same code.
    let answer = mimic("review -o json -f examples/mirrors.yaml examples/review.json");
    assert!(readme.contains(&format!("```json\n{answer}```")), "the answer to the curl line is now\n{answer}");

    let mut examples = 0;
    for example in readme.split("```console\n$ cargo run -q --release -p mimic-cli -- ").skip(1) {
        let (arguments, rest) = example.split_once('\n').expect("a command and its output");
        let (expected, _) = rest.split_once("\n```").expect("the block ends");
        let output = mimic(arguments);
        assert!(output.starts_with(expected), "`mimic {arguments}` prints\n{output}\nnot\n{expected}");
        examples += 1;
    }
    assert_eq!(examples, 2);
}
