//! A unified diff from known changes. No algorithm has to find them, so it is exact, and takes linear time and little memory.

use std::collections::VecDeque;

/// Unchanged lines before and after each change.
const CONTEXT: usize = 3;

/// Writes the diff of one file.
#[derive(Debug, Default)]
pub(crate) struct UnifiedDiff {
    name: String,
    has_header: bool,
    /// The current line before and after the changes; complete at the next line end that is the same in both.
    old: Vec<u8>,
    new: Vec<u8>,
    changed: bool,
    /// Complete lines so far.
    old_lines: usize,
    new_lines: usize,
    /// The last unchanged lines, outside of a hunk.
    before: VecDeque<Vec<u8>>,
    hunk: Option<Hunk>,
}

#[derive(Debug, Default)]
struct Hunk {
    old_start: usize,
    new_start: usize,
    old_count: usize,
    new_count: usize,
    body: Vec<u8>,
    removed: Vec<u8>,
    added: Vec<u8>,
    /// Unchanged lines since the last change.
    after: Vec<Vec<u8>>,
}

impl UnifiedDiff {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Adds bytes that are the same in both files.
    pub(crate) fn same(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.old.extend_from_slice(part);
            if self.changed {
                self.new.extend_from_slice(part);
            }
            if part.ends_with(b"\n") {
                self.end_line(out);
            }
        }
    }

    /// Adds a change.
    pub(crate) fn replace(&mut self, old: &[u8], new: &[u8]) {
        if !self.changed {
            self.new.clone_from(&self.old);
            self.changed = true;
        }
        self.old.extend_from_slice(old);
        self.new.extend_from_slice(new);
    }

    /// Ends the file.
    pub(crate) fn finish(mut self, out: &mut Vec<u8>) {
        if !self.old.is_empty() || !self.new.is_empty() {
            self.end_line(out);
        }
        self.close(out);
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        let old = std::mem::take(&mut self.old);
        let new = std::mem::take(&mut self.new);
        if std::mem::take(&mut self.changed) {
            self.change(&old, &new);
        } else {
            self.unchanged(old, out);
        }
    }

    fn change(&mut self, old: &[u8], new: &[u8]) {
        let hunk = self.hunk.get_or_insert_with(|| {
            let mut hunk = Hunk {
                old_start: self.old_lines + 1 - self.before.len(),
                new_start: self.new_lines + 1 - self.before.len(),
                ..Hunk::default()
            };
            hunk.after.extend(self.before.drain(..));
            hunk
        });
        if !hunk.after.is_empty() {
            hunk.keep(usize::MAX);
        }
        for line in old.split_inclusive(|&byte| byte == b'\n') {
            write_line(&mut hunk.removed, b'-', line);
            hunk.old_count += 1;
            self.old_lines += 1;
        }
        for line in new.split_inclusive(|&byte| byte == b'\n') {
            write_line(&mut hunk.added, b'+', line);
            hunk.new_count += 1;
            self.new_lines += 1;
        }
    }

    fn unchanged(&mut self, line: Vec<u8>, out: &mut Vec<u8>) {
        self.old_lines += 1;
        self.new_lines += 1;
        if let Some(hunk) = &mut self.hunk {
            hunk.after.push(line);
            if hunk.after.len() > 2 * CONTEXT {
                self.close(out);
            }
        } else {
            if self.before.len() == CONTEXT {
                self.before.pop_front();
            }
            self.before.push_back(line);
        }
    }

    /// Writes the hunk. The lines after it can come before the next one.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(mut hunk) = self.hunk.take() else { return };
        let rest = hunk.keep(CONTEXT);
        self.before = rest.into_iter().rev().take(CONTEXT).rev().collect();
        if !self.has_header {
            out.extend_from_slice(format!("--- {0}\n+++ {0}\n", self.name).as_bytes());
            self.has_header = true;
        }
        let range =
            |start: usize, count: usize| if count == 1 { start.to_string() } else { format!("{start},{count}") };
        let (old, new) = (range(hunk.old_start, hunk.old_count), range(hunk.new_start, hunk.new_count));
        out.extend_from_slice(format!("@@ -{old} +{new} @@\n").as_bytes());
        out.append(&mut hunk.body);
    }
}

impl Hunk {
    /// Moves the changes and at most `count` unchanged lines to the body, and returns the other lines.
    fn keep(&mut self, count: usize) -> Vec<Vec<u8>> {
        self.body.append(&mut self.removed);
        self.body.append(&mut self.added);
        let rest = self.after.split_off(count.min(self.after.len()));
        for line in self.after.drain(..) {
            write_line(&mut self.body, b' ', &line);
            self.old_count += 1;
            self.new_count += 1;
        }
        rest
    }
}

fn write_line(body: &mut Vec<u8>, sign: u8, line: &[u8]) {
    body.push(sign);
    body.extend_from_slice(line);
    if !line.ends_with(b"\n") {
        body.extend_from_slice(b"\n\\ No newline at end of file\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The diff of lines; `x` becomes `y`.
    fn diff(text: &str) -> String {
        let mut out = Vec::new();
        let mut diff = UnifiedDiff::new("f");
        let mut parts = text.split('x').peekable();
        while let Some(part) = parts.next() {
            diff.same(part.as_bytes(), &mut out);
            if parts.peek().is_some() {
                diff.replace(b"x", b"y");
            }
        }
        diff.finish(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn hunks_have_three_lines_around_each_change_and_near_ones_are_one() {
        assert_eq!(diff("a\nb\n"), "");
        assert_eq!(diff("x\n"), "--- f\n+++ f\n@@ -1 +1 @@\n-x\n+y\n");
        assert_eq!(
            diff("a x b"),
            "--- f\n+++ f\n@@ -1 +1 @@\n-a x b\n\\ No newline at end of file\n+a y b\n\\ No newline at end of file\n"
        );
        assert_eq!(
            diff("1\n2\n3\n4\nx\nx\n5\n6\n7\n8\n9\n0\nx\n"),
            "--- f\n+++ f\n@@ -2,12 +2,12 @@\n 2\n 3\n 4\n-x\n-x\n+y\n+y\n 5\n 6\n 7\n 8\n 9\n 0\n-x\n+y\n"
        );
        assert_eq!(
            diff("x\n1\n2\n3\n4\n5\n6\n7\nx"),
            "--- f\n+++ f\n@@ -1,4 +1,4 @@\n-x\n+y\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-x\n\\ No newline at end of file\n+y\n\\ No newline at end of file\n"
        );
    }
}
