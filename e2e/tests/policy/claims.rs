//! Which images a policy must decide as the webhook does.

use mimic_core::{Context, ImageRef, References, RuleRef};

use crate::Governed;

impl Governed<'_> {
    /// Compares what the policy made of an image with the webhook's result. Returns a description of a difference.
    ///
    /// An image that the webhook rewrites may be unchanged only for a reason that the documentation names.
    pub(crate) fn difference(&self, image: &str, stored: &str) -> Option<String> {
        let expected = self.expected(image);
        let is_left = stored == image && self.is_left(image, &expected);
        (stored != expected && !is_left).then(|| format!("`{image}`: policy `{stored}`, webhook `{expected}`"))
    }

    /// Whether the policy leaves an image to the webhook.
    pub(crate) fn is_left(&self, image: &str, expected: &str) -> bool {
        if image == expected {
            return false;
        }
        let Ok(parsed) = ImageRef::parse(image) else { return false };
        let registry = parsed.registry().trim_end_matches(":443");
        if registry != "docker.io" && registry.eq_ignore_ascii_case("docker.io") {
            return true;
        }
        let context = Context::default().with_namespace(self.namespace.name());
        let outcome = self.rewriter.rewrite(image, &context);
        let Some(rule) = outcome.rule() else { return false };
        !self.policy.left().is_empty() || is_second_mirror(rule, &parsed, expected)
    }
}

/// Whether an image is at another mirror than the first one that accepts it, because its name there is not valid.
fn is_second_mirror(rule: RuleRef<'_>, image: &ImageRef<'_>, expected: &str) -> bool {
    let accepts = |accepted| match accepted {
        References::Any => true,
        References::Tag => image.digest().is_none(),
        References::Digest => image.digest().is_some(),
    };
    let mirrors = rule.rule.mirrors().iter().filter(|mirror| accepts(mirror.references()));
    let fixed = mirrors.map(|mirror| mirror.location().as_str().split('{').next().unwrap_or_default());
    fixed.skip(1).any(|fixed| expected.starts_with(fixed))
}
