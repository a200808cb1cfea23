//! Writing the AdmissionReview that answers a request.

use base64::Engine;

use super::annotation::{MAX_AUDIT, original_images_for_audit};
use crate::admission::json::writer;
use crate::admission::verdict::Verdict;

/// The base64 encoder for this machine's instruction set.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BASE64: std::sync::LazyLock<base64::engine::simd::Simd> =
    std::sync::LazyLock::new(|| base64::engine::simd::Simd::standard(base64::engine::general_purpose::PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::prelude::BASE64_STANDARD as BASE64;

impl Verdict<'_> {
    /// The AdmissionReview that answers the request, as JSON. It always allows the request.
    ///
    /// `kube::core::admission::AdmissionResponse` is not used: it writes `patch` as an array of numbers, while the API
    /// expects a base64 string.
    pub fn to_response(&self) -> Vec<u8> {
        let originals = self.original_images_as_json();
        let patch = self.patch_text(originals.as_deref());
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        // Room for the patch in base64, the original images once more, and the other fields.
        let mut out = String::with_capacity(512 + length(&patch) * 4 / 3 + length(&originals));
        out.push_str(r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"#);
        writer::string(&mut out, self.uid);
        out.push_str(r#","allowed":true"#);
        if let Some(patch) = patch {
            out.push_str(r#","patchType":"JSONPatch","patch":""#);
            BASE64.encode_string(patch, &mut out);
            out.push('"');
        }
        if originals.is_some() || self.problems.is_some() {
            out.push_str(r#","auditAnnotations":{"#);
            if let Some(originals) = originals {
                writer::key(&mut out, "original-images");
                if self.original_images().map_or(0, str::len) <= MAX_AUDIT {
                    out.push_str(&originals);
                } else {
                    writer::string(&mut out, &original_images_for_audit(&self.images));
                }
            }
            if let Some(problems) = &self.problems {
                writer::member(&mut out, "problems", problems);
            }
            out.push('}');
        }
        if let [first, others @ ..] = &self.warnings[..] {
            out.push_str(r#","warnings":["#);
            writer::string(&mut out, first);
            for warning in others {
                out.push(',');
                writer::string(&mut out, warning);
            }
            out.push(']');
        }
        out.push_str("}}");
        out.into_bytes()
    }
}
