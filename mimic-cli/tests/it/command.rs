//! Cases that transcripts cannot hold: input that is not UTF-8, large input, and pipes that are closed early.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::thread;

use serde_json::{Value, json};

/// One byte longer than the longest line that is read.
const TOO_LONG: usize = (1 << 20) + 1;

const RULES: [&str; 2] = ["-m", "docker.io=harbor.example.com/dockerhub"];
const REWRITE: [&str; 3] = ["rewrite", RULES[0], RULES[1]];

fn mimic(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mimic"));
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn spawn(args: &[&str]) -> Child {
    mimic(args).spawn().unwrap()
}

fn with_input(args: &[&str], input: &[u8]) -> Output {
    let mut child = spawn(args);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

fn stdout(output: &Output) -> &str {
    str::from_utf8(&output.stdout).unwrap()
}

fn stderr(output: &Output) -> &str {
    str::from_utf8(&output.stderr).unwrap()
}

fn objects(output: &Output) -> Vec<Value> {
    stdout(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn line_ends_become_line_feeds_and_empty_lines_stay() {
    let output = with_input(&REWRITE, b"nginx\r\n\n\r\nquay.io/a\n\nredis");
    assert_eq!(
        stdout(&output),
        "harbor.example.com/dockerhub/library/nginx\n\n\nquay.io/a\n\nharbor.example.com/dockerhub/library/redis\n"
    );
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[test]
fn empty_input_gives_no_output() {
    for args in [&REWRITE[..], &["parse"], &["explain", RULES[0], RULES[1], "-"]] {
        let output = with_input(args, b"");
        assert_eq!((stdout(&output), stderr(&output), output.status.code()), ("", "", Some(0)), "{args:?}");
    }
}

#[test]
fn lines_that_are_not_utf8_pass_through_rewrite() {
    let output = with_input(&REWRITE, b"nginx\nbad\xff\xfe:1\nredis\n");
    let expected =
        b"harbor.example.com/dockerhub/library/nginx\nbad\xff\xfe:1\nharbor.example.com/dockerhub/library/redis\n";
    assert_eq!(output.stdout, expected);
    assert_eq!((stderr(&output), output.status.code()), ("error: line 2: not UTF-8 at byte 3\n", Some(1)));
}

#[test]
fn lines_that_are_not_utf8_have_no_input_in_json() {
    let input = b"x\xff\n";
    let error = "error: line 1: not UTF-8 at byte 1\n";
    for (args, expected) in [
        (
            &["parse"][..],
            json!({"input": null, "error": {"kind": "not_utf8", "message": "not UTF-8 at byte 1", "offset": 1}}),
        ),
        (
            &REWRITE,
            json!({"input": null, "output": null, "outcome": "invalid", "reason": "invalid_reference", "rule": null,
                   "source": null}),
        ),
        (
            &["explain", RULES[0], RULES[1]],
            json!({"input": null, "steps": [{"kind": "outcome", "text": "not UTF-8 at byte 1"}], "output": null, "outcome": "invalid",
                   "reason": "invalid_reference", "rule": null, "source": null}),
        ),
    ] {
        let output = with_input(&[args, &["-o", "json"]].concat(), input);
        assert_eq!(objects(&output), [expected], "{args:?}");
        assert_eq!((stderr(&output), output.status.code()), (error, Some(1)), "{args:?}");
    }
}

#[test]
fn parse_and_explain_print_no_result_for_lines_that_are_not_utf8() {
    for args in [&["parse"][..], &["explain", RULES[0], RULES[1]]] {
        let output = with_input(args, b"\xff\n");
        assert_eq!(stdout(&output), "", "{args:?}");
        assert_eq!((stderr(&output), output.status.code()), ("error: line 1: not UTF-8 at byte 0\n", Some(1)));
    }
}

#[test]
fn a_line_that_is_too_long_is_an_empty_line_and_an_error() {
    let mut input = b"nginx\n".to_vec();
    input.resize(input.len() + TOO_LONG, b'x');
    input.extend_from_slice(b"\nredis\n");
    let output = with_input(&REWRITE, &input);
    assert_eq!(
        stdout(&output),
        "harbor.example.com/dockerhub/library/nginx\n\nharbor.example.com/dockerhub/library/redis\n"
    );
    assert_eq!((stderr(&output), output.status.code()), ("error: line 2: longer than 1048576 bytes\n", Some(1)));

    let output = with_input(&["parse", "-o", "json"], &input[6..]);
    let error = json!({"kind": "line_too_long", "message": "longer than 1048576 bytes", "offset": 1_048_576});
    assert_eq!(objects(&output)[0], json!({"input": null, "error": error}));
}

#[test]
fn a_line_without_end_needs_bounded_memory() {
    // Kilobytes of address space: a quarter of the length of the line.
    let script = "ulimit -v 65536; head -c 268435456 /dev/zero | \"$0\" parse";
    let output = Command::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_mimic")]).output().unwrap();
    assert_eq!((stderr(&output), output.status.code()), ("error: line 1: longer than 1048576 bytes\n", Some(1)));
}

#[test]
fn any_input_gives_as_many_lines_as_it_has() {
    // Pseudo-random bytes, the same in each run.
    let mut state = 1_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let byte = state.to_be_bytes()[0];
        // Half of them are characters of references, so that some lines are references.
        if byte < 128 { byte } else { b"abc/:@.\n"[usize::from(byte % 8)] }
    })
    .take(300_000)
    .chain([b'\n'])
    .collect();
    let lines = bytes.split(|byte| *byte == b'\n').count();
    for (args, code) in [(&REWRITE[..], 1), (&["explain", RULES[0], RULES[1], "-o", "json"], 1)] {
        let output = with_input(args, &bytes);
        assert_eq!(output.stdout.split(|byte| *byte == b'\n').count(), lines, "{args:?}");
        assert_eq!(output.status.code(), Some(code), "{args:?}");
    }
}

#[test]
fn results_are_written_before_more_input_is_read() {
    let mut child = spawn(&REWRITE);
    let mut stdin = child.stdin.take().unwrap();
    let mut answers = BufReader::new(child.stdout.take().unwrap());
    for name in ["nginx", "redis", "busybox"] {
        writeln!(stdin, "{name}").unwrap();
        let mut answer = String::new();
        answers.read_line(&mut answer).unwrap();
        assert_eq!(answer, format!("harbor.example.com/dockerhub/library/{name}\n"));
    }
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_reader_that_closes_the_pipe_is_no_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("images.txt");
    fs::write(&path, "nginx:1.27\n".repeat(100_000)).unwrap();
    for args in [&REWRITE[..], &["parse"], &["parse", "-o", "json"]] {
        let mut child = mimic(args).stdin(File::open(&path).unwrap()).spawn().unwrap();
        let mut first = String::new();
        BufReader::with_capacity(64, child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        let output = child.wait_with_output().unwrap();
        assert_eq!((stderr(&output), output.status.code()), ("", Some(0)), "{args:?}");
    }
}

#[test]
fn results_that_cannot_be_written_are_an_error() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let output = mimic(&["parse", "nginx"]).stdout(full()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(stderr(&output), "error: No space left on device (os error 28)\n");
}

#[test]
fn messages_that_cannot_be_written_change_nothing() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = mimic(&["parse", "nginx", "x:", "redis"]).stderr(full).output().unwrap();
    assert_eq!((stdout(&output).lines().count(), output.status.code()), (12, Some(1)));
}

#[test]
fn large_output_keeps_its_order() {
    let images: Vec<String> = (0..50_000).map(|number| format!("quay.io/a/{number}")).collect();
    let input = images.join("\n");
    let output = with_input(&REWRITE, input.as_bytes());
    assert!(stdout(&output).lines().eq(&images));
    let output = with_input(&["parse", "-o", "json"], input.as_bytes());
    assert!(objects(&output).iter().map(|image| image["input"].as_str().unwrap()).eq(&images));
}

#[test]
fn a_directory_as_standard_input_is_an_error() {
    let output = mimic(&["parse"]).stdin(File::open("/").unwrap()).output().unwrap();
    assert_eq!(stderr(&output), "error: cannot read standard input: Is a directory (os error 21)\n");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn help_and_version_go_to_standard_output() {
    let output = mimic(&["--version"]).output().unwrap();
    assert_eq!(stdout(&output), concat!("mimic ", env!("CARGO_PKG_VERSION"), "\n"));
    let output = mimic(&["rewrite", "--help"]).output().unwrap();
    assert!(stdout(&output).contains("Usage: mimic rewrite"));
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
}

#[test]
fn help_with_a_closed_pipe_does_not_panic() {
    let mut child = spawn(&["--help"]);
    drop(child.stdout.take());
    let mut messages = String::new();
    child.stderr.take().unwrap().read_to_string(&mut messages).unwrap();
    assert_eq!(messages, "");
    child.wait().unwrap();
}

#[test]
fn a_pod_that_is_too_costly_has_the_answer_of_the_server() {
    let rule = |n: usize| format!("{{pattern: '.*[ab].{{30}}/{n}', mirrors: [harbor.example.com/p{n}/x]}}");
    let patterns: Vec<String> = (0..64).map(rule).collect();
    let hub = "{upstream: docker.io, mirrors: [harbor.example.com/hub]}";
    let rules = format!("rules: [{hub}, {}]", patterns.join(", "));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mirrors.yaml");
    fs::write(&file, rules).unwrap();
    let review = |count: usize| {
        let images = (0..count).map(|n| format!("registry-{n}.example.com/team/app:{n}")).chain(["nginx".to_owned()]);
        let containers: Vec<_> = images.map(|image| json!({"name": "a", "image": image})).collect();
        let request = json!({
            "uid": "u-1", "operation": "CREATE", "resource": {"group": "", "version": "v1", "resource": "pods"},
            "object": {"metadata": {}, "spec": {"containers": containers}},
        });
        json!({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).to_string()
    };
    let run = |count: usize, more: &[&str]| {
        let args = [&["review", "--file", file.to_str().unwrap()], more].concat();
        with_input(&args, review(count).as_bytes())
    };
    assert!(objects(&run(2, &["-o", "json"]))[0]["response"].get("patch").is_some());

    let warning = "mimic: pod too costly to evaluate; images not rewritten";
    let expected =
        json!({"uid": "u-1", "allowed": true, "auditAnnotations": {"problems": warning}, "warnings": [warning]});
    assert_eq!(objects(&run(5_000, &["-o", "json"]))[0]["response"], expected);
    assert_eq!(stdout(&run(5_000, &["--show"])), format!("skipped: too_costly\npatch: none\nwarning: {warning}\n"));
}

/// The output of a program, or `None` if it is not installed.
fn output_of(program: &str, args: &[&str]) -> Option<Output> {
    Command::new(program).args(args).output().ok()
}

#[test]
fn a_diff_of_manifests_applies_and_equals_the_one_of_diff() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let mut documents = Vec::new();
    for (n, gap) in [0, 1, 2, 5, 6, 7, 9, 20, 3].iter().enumerate() {
        let image = if n % 3 == 0 { "\"ngin\\\n      x\"" } else { "nginx" };
        let comments = "# comment\n".repeat(*gap);
        documents.push(format!(
            "{comments}---\napiVersion: v1\nkind: Pod\nspec:\n containers:\n - name: a\n   image: {image}\r\n"
        ));
    }
    let text = documents.concat();
    for text in [text.as_str(), text.trim_end()] {
        fs::write(path("old.yaml"), text).unwrap();
        let run = |mode: &[&str]| {
            let output =
                mimic(&[&["manifests", RULES[0], RULES[1], &path("old.yaml")], mode].concat()).output().unwrap();
            assert_eq!(stderr(&output), "");
            output.stdout
        };
        let diff = String::from_utf8(run(&["--diff"])).unwrap();
        let new = run(&[]);
        fs::write(path("new.yaml"), &new).unwrap();
        assert!(diff.matches("@@ -").count() > 2, "{diff}");
        let Some(expected) = output_of("diff", &["-u", &path("old.yaml"), &path("new.yaml")]) else { return };
        let hunks = |text: &str| text.lines().skip(2).map(ToOwned::to_owned).collect::<Vec<_>>();
        assert_eq!(hunks(&diff), hunks(stdout(&expected)));
    }
}

#[test]
fn a_closed_pipe_ends_manifests_silently() {
    let pod = "---\napiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, image: nginx}]}\n";
    let mut child = spawn(&["manifests", RULES[0], RULES[1]]);
    let mut stdin = child.stdin.take().unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    // Many times the size of the command's buffer and the pipe.
    let writer = thread::spawn(move || stdin.write_all(pod.repeat(50_000).as_bytes()));
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(line, "---\n");
    drop(reader);
    let output = child.wait_with_output().unwrap();
    assert_eq!((stderr(&output), output.status.code()), ("", Some(0)));
    assert!(writer.join().unwrap().is_err(), "the command stops reading");
}
