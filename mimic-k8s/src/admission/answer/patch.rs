//! Writing the patch of images, pull secrets and the annotation, [RFC 6902](https://www.rfc-editor.org/rfc/rfc6902).

use mimic_core::Outcome;

use crate::admission::decision::Decision;
use crate::admission::json::writer;
use crate::admission::pod::{ORIGINAL_IMAGES, ORIGINAL_IMAGES_POINTER};
use crate::admission::verdict::{Annotate, Changes, Verdict};

impl Verdict<'_> {
    /// The JSON Patch (RFC 6902), or `None` if nothing changes.
    pub fn patch(&self) -> Option<Vec<u8>> {
        self.patch_text(self.original_images_as_json().as_deref()).map(String::into_bytes)
    }

    /// The patch. `originals` is [`Verdict::original_images_as_json`], which callers need too.
    pub(super) fn patch_text(&self, originals: Option<&str>) -> Option<String> {
        self.changes.as_ref().map(|changes| changes.write(&self.images, originals))
    }

    /// The value of the annotation, which is a JSON object, as a JSON string.
    pub(super) fn original_images_as_json(&self) -> Option<String> {
        let originals = self.original_images()?;
        let mut out = String::with_capacity(originals.len() * 5 / 4);
        writer::string(&mut out, originals);
        Some(out)
    }
}

impl Changes<'_> {
    /// The operations as JSON text. `originals` is a JSON string.
    fn write(&self, images: &[Decision<'_>], originals: Option<&str>) -> String {
        let mut out = String::with_capacity(160 * (images.len() + 2) + originals.map_or(0, str::len));
        for decision in images {
            if let Outcome::Rewritten { image, .. } = &decision.outcome {
                let (list, field) = decision.kind.pointer();
                let mut index = itoa::Buffer::new();
                begin(&mut out, "replace", &["/spec/", list, "/", index.format(decision.index), "/", field]);
                writer::string(&mut out, image);
            }
        }
        if self.has_pull_secrets {
            for name in &self.pull_secrets {
                begin(&mut out, "add", &["/spec/imagePullSecrets/-"]);
                secret(&mut out, name);
            }
        } else if let [first, others @ ..] = &self.pull_secrets[..] {
            begin(&mut out, "add", &["/spec/imagePullSecrets"]);
            out.push('[');
            secret(&mut out, first);
            for name in others {
                out.push(',');
                secret(&mut out, name);
            }
            out.push(']');
        }
        match (&self.annotation, originals) {
            (Some(Annotate::Entry { merged: Some(merged) }), _) => {
                begin(&mut out, "add", &["/metadata/annotations/", ORIGINAL_IMAGES_POINTER]);
                writer::string(&mut out, merged);
            }
            (Some(Annotate::Entry { merged: None }), Some(originals)) => {
                begin(&mut out, "add", &["/metadata/annotations/", ORIGINAL_IMAGES_POINTER]);
                out.push_str(originals);
            }
            (Some(Annotate::Map), Some(originals)) => {
                begin(&mut out, "add", &["/metadata/annotations"]);
                out.push('{');
                writer::key(&mut out, ORIGINAL_IMAGES);
                out.push_str(originals);
                out.push('}');
            }
            _ => {}
        }
        out.push_str("}]");
        out
    }
}

/// Ends the previous operation and begins one on the path that these parts form. The caller writes the value.
fn begin(out: &mut String, op: &str, path: &[&str]) {
    out.push_str(if out.is_empty() { "[" } else { "}," });
    out.push_str(r#"{"op":""#);
    out.push_str(op);
    out.push_str(r#"","path":""#);
    for part in path {
        out.push_str(part);
    }
    out.push_str(r#"","value":"#);
}

fn secret(out: &mut String, name: &str) {
    out.push('{');
    writer::member(out, "name", name);
    out.push('}');
}
