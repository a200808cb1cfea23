//! The memory of a stream is that of its largest document.
#![expect(clippy::unwrap_used, reason = "a panic with its line is what a failed test should report")]

use std::io::{self, Read};

use mimic_core::{Rewriter, Rule};
use mimic_k8s::admission::ReviewSettings;
use mimic_manifests::{Documents, FileKind, ImagePaths, Manifests};

/// Repeats a text without keeping it in memory.
struct Repeat {
    text: Vec<u8>,
    left: usize,
    at: usize,
}

impl Read for Repeat {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Ok(0);
        }
        let part = &self.text[self.at..];
        let size = part.len().min(buffer.len());
        buffer[..size].copy_from_slice(&part[..size]);
        self.at += size;
        if self.at == self.text.len() {
            self.at = 0;
            self.left -= 1;
        }
        Ok(size)
    }
}

/// The most memory at one time in bytes, while a document is rewritten `count` times.
fn peak(document: &str, count: usize) -> u64 {
    let rules = vec![Rule::mirror("docker.io", "h.example.com/hub").unwrap()];
    let rewriter = Rewriter::new([("test", rules.into())]);
    let (settings, paths) = (ReviewSettings::default(), ImagePaths::built_in());
    let manifests = Manifests { rewriter: &rewriter, settings: &settings, paths: &paths, namespace: None };
    let repeat = Repeat { text: document.as_bytes().to_vec(), left: count, at: 0 };
    let mut changes = 0;
    let info = allocation_counter::measure(|| {
        let mut documents = Documents::new(repeat);
        while let Some(document) = documents.next_document().unwrap() {
            changes += manifests.rewrite(&document, FileKind::Manifest).changes.len();
        }
    });
    assert_eq!(changes, count * document.matches("nginx").count());
    info.bytes_max
}

#[test]
fn memory_does_not_grow_with_the_number_of_documents() {
    let yaml = format!(
        "---\napiVersion: v1\nkind: Pod\nspec: {{containers: [{{name: a, image: nginx}}], x: {:?}}}\n",
        "x".repeat(2_000)
    );
    let json = r#"{"apiVersion":"v1","kind":"Pod","spec":{"containers":[{"name":"a","image":"nginx"}]}}"#.to_owned();
    for document in [yaml, json] {
        // More than the buffer that is read at once.
        let few = 400_000 / document.len();
        assert!(peak(&document, 4 * few) < peak(&document, few) * 3 / 2, "{document}");
    }
}

#[test]
fn memory_is_a_small_multiple_of_a_large_document() {
    let pod = r#"{"apiVersion":"v1","kind":"Pod","metadata":{"name":"some-pod","labels":{"app":"web"}},"spec":{"containers":[{"name":"a","image":"redis","command":["/bin/sh","-c","echo a longer text"]}]}}"#;
    let list = |count: usize| {
        let items = vec![pod.replace("redis", "h.example.com/hub/library/x"); count].join(",\n");
        format!("{{\"apiVersion\":\"v1\",\"kind\":\"List\",\"items\":[{items}]}}\n")
    };
    let large = list(5_000);
    let times = peak(&large, 1) / large.len() as u64;
    assert!(times < 20, "{times} times the document");
}
