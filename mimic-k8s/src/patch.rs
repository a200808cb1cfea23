//! Writing the patch, [RFC 6902](https://www.rfc-editor.org/rfc/rfc6902).

use mimic_core::Outcome;

use crate::annotation::{ORIGINAL_IMAGES, ORIGINAL_IMAGES_POINTER};
use crate::decide::Decision;
use crate::json;

/// What a patch changes. Without a rewritten image there is none.
#[derive(Debug)]
pub(crate) struct Patch<'r> {
    /// Names to add to `imagePullSecrets`.
    pub(crate) pull_secrets: Vec<&'r str>,
    /// Whether the pod has a list `imagePullSecrets` to add to.
    pub(crate) has_pull_secrets: bool,
    /// Whether the originals are noted in an annotation, and where that goes.
    pub(crate) annotation: Option<Annotate>,
}

/// How the annotation is added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Annotate {
    /// The pod has annotations: one more, or a new value.
    Entry,
    /// The pod has no annotations: the map comes with the entry.
    Map,
}

impl Patch<'_> {
    /// The operations as JSON text; `originals` is a JSON string.
    pub(crate) fn write(&self, images: &[Decision<'_>], originals: Option<&str>) -> String {
        let mut out = String::with_capacity(160 * (images.len() + 2) + originals.map_or(0, str::len));
        for decision in images {
            if let Outcome::Rewritten { image, .. } = &decision.outcome {
                let (list, field) = decision.place.pointer();
                let mut index = itoa::Buffer::new();
                begin(&mut out, "replace", &["/spec/", list, "/", index.format(decision.index), "/", field]);
                json::string(&mut out, image);
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
        match (self.annotation, originals) {
            (Some(Annotate::Entry), Some(originals)) => {
                begin(&mut out, "add", &["/metadata/annotations/", ORIGINAL_IMAGES_POINTER]);
                out.push_str(originals);
            }
            (Some(Annotate::Map), Some(originals)) => {
                begin(&mut out, "add", &["/metadata/annotations"]);
                out.push('{');
                json::key(&mut out, ORIGINAL_IMAGES);
                out.push_str(originals);
                out.push('}');
            }
            _ => {}
        }
        out.push_str("}]");
        out
    }
}

/// Begins an operation on the path that these parts make, after ending the one before; the value follows.
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
    json::member(out, "name", name);
    out.push('}');
}
