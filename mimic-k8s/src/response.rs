//! Writing the answer.

use base64::Engine;

use crate::decide::Verdict;
use crate::json;

/// What writes base64 fastest on this machine.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
static BASE64: std::sync::LazyLock<base64::engine::simd::Simd> =
    std::sync::LazyLock::new(|| base64::engine::simd::Simd::standard(base64::engine::general_purpose::PAD));
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
use base64::prelude::BASE64_STANDARD as BASE64;

/// Writes the AdmissionReview that answers the request.
///
/// `kube::core::admission::AdmissionResponse` is not used because it writes `patch` as an array of numbers, while the API
/// asks for a base64 string; and because the answer can be written in one go without building it first.
pub(crate) fn write(verdict: &Verdict<'_>) -> Vec<u8> {
    let originals = verdict.original_images_as_json();
    let patch = verdict.patch_text(originals.as_deref());
    let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    // Room for the patch in base64, the originals once more, and the frame.
    let mut out = String::with_capacity(512 + length(&patch) * 4 / 3 + length(&originals));
    out.push_str(r#"{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","response":{"uid":"#);
    json::string(&mut out, verdict.uid());
    out.push_str(r#","allowed":true"#);
    if let Some(patch) = patch {
        out.push_str(r#","patchType":"JSONPatch","patch":""#);
        BASE64.encode_string(patch, &mut out);
        out.push('"');
    }
    if originals.is_some() || verdict.problems().is_some() {
        out.push_str(r#","auditAnnotations":{"#);
        if let Some(originals) = originals {
            json::key(&mut out, "original-images");
            out.push_str(&originals);
        }
        if let Some(problems) = verdict.problems() {
            json::member(&mut out, "problems", problems);
        }
        out.push('}');
    }
    if let [first, others @ ..] = verdict.warnings() {
        out.push_str(r#","warnings":["#);
        json::string(&mut out, first);
        for warning in others {
            out.push(',');
            json::string(&mut out, warning);
        }
        out.push(']');
    }
    out.push_str("}}");
    out.into_bytes()
}
