//! A rewritten reference has the same content: pulled from real registries.

use std::fs;

use anyhow::{Context as _, Result};
use mimic_e2e::{Image, Registry, Skopeo, rewritten, run_mimic};
use serde_json::Value;
use tempfile::TempDir;

/// Repository, pushed tag, and the reference of the pull. Each has its own image, so that no mirror has it cached for another
/// reference.
const REFERENCES: [(&str, &str, &str); 6] = [
    ("untagged", "latest", "untagged"),
    ("tagged", "1.4.2", "tagged:1.4.2"),
    ("pinned", "1.4.2", "pinned@DIGEST"),
    ("tagged-and-pinned", "1.4.2", "tagged-and-pinned:1.4.2@DIGEST"),
    ("team/project/tagged", "1.4.2", "team/project/tagged:1.4.2"),
    ("team/project/pinned", "1.4.2", "team/project/pinned:1.4.2@DIGEST"),
];

#[tokio::test]
async fn every_form_of_reference_gives_the_upstreams_content_on_a_pull_through_mirror() -> Result<()> {
    let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
    let upstream = Registry::start().await?;
    let mirror = Registry::pulling_through(&upstream).await?;
    let rule = format!("{}={}", upstream.host(), mirror.host());

    for (repository, tag, reference) in REFERENCES {
        let image = Image::new(repository)?;
        skopeo.push(&image, &format!("{}/{repository}:{tag}", upstream.host()))?;
        let reference = reference.replace("DIGEST", &image.content().digest());
        let written = format!("{}/{reference}", upstream.host());

        let rewritten = rewritten(&["-m", &rule], &written)?;

        assert_eq!(rewritten, format!("{}/{reference}", mirror.host()));
        let pulled = skopeo.pull(&rewritten)?;
        assert_eq!(&pulled, image.content(), "{rewritten}");
        assert_eq!(pulled, skopeo.pull(&written)?, "{rewritten}");
    }
    Ok(())
}

#[tokio::test]
async fn a_digest_gives_the_old_content_after_its_tag_has_moved() -> Result<()> {
    let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
    let upstream = Registry::start().await?;
    let mirror = Registry::pulling_through(&upstream).await?;
    let rule = format!("{}={}", upstream.host(), mirror.host());
    let (old, new) = (Image::new("old")?, Image::new("new")?);
    let tagged = format!("{}/app:stable", upstream.host());
    let pinned = format!("{tagged}@{}", old.content().digest());
    skopeo.push(&old, &tagged)?;
    let rewritten_tag = rewritten(&["-m", &rule], &tagged)?;
    let rewritten_digest = rewritten(&["-m", &rule], &pinned)?;
    assert_eq!(&skopeo.pull(&rewritten_tag)?, old.content(), "before the tag moves");

    skopeo.push(&new, &tagged)?;

    assert_eq!(&skopeo.pull(&rewritten_digest)?, old.content());
    assert_eq!(&skopeo.pull(&pinned)?, old.content());
    assert_eq!(&skopeo.pull(&rewritten_tag)?, new.content());
    assert_eq!(&skopeo.pull(&tagged)?, new.content());
    Ok(())
}

/// References to Docker Hub, and their repositories there.
const DOCKER_HUB: [(&str, &str); 6] = [
    ("nginx:1.27", "library/nginx"),
    ("nginx:1.27@DIGEST", "library/nginx"),
    ("library/nginx@DIGEST", "library/nginx"),
    ("docker.io/nginx:1.27", "library/nginx"),
    ("index.docker.io/library/nginx:1.27", "library/nginx"),
    ("docker.io/grafana/grafana:1.27", "grafana/grafana"),
];

/// A replacement for Docker Hub that serves the repositories above, with tag 1.27 and for several platforms.
///
/// skopeo resolves the references independently of Mimic.
async fn docker_hub(skopeo: &Skopeo) -> Result<Registry> {
    let hub = Registry::start().await?;
    for repository in ["library/nginx", "grafana/grafana"] {
        let image = Image::for_platforms(repository, &["amd64", "arm64"])?;
        skopeo.push(&image, &format!("{}/{repository}:1.27", hub.host()))?;
    }
    skopeo.take_for_docker_hub(&hub)?;
    Ok(hub)
}

/// Rewrites references to Docker Hub, and pulls both the original and the result, which must be below `location`.
fn check_docker_hub(
    skopeo: &Skopeo,
    rules: &[&str],
    location: &str,
    repository_at_mirror: impl Fn(&str) -> &str,
) -> Result<()> {
    for (written, repository) in DOCKER_HUB {
        let digest = skopeo.pull(&format!("docker.io/{repository}:1.27"))?.digest();
        let written = written.replace("DIGEST", &digest);

        let rewritten = rewritten(rules, &written)?;

        let suffix = &written[written.find([':', '@']).unwrap_or(written.len())..];
        assert_eq!(rewritten, format!("{location}/{}{suffix}", repository_at_mirror(repository)));
        let pulled = skopeo.pull(&rewritten)?;
        assert_eq!(pulled, skopeo.pull(&written)?, "{written} became {rewritten}");
        assert_eq!(pulled.digest(), digest, "{written} became {rewritten}");
    }
    Ok(())
}

#[tokio::test]
async fn names_of_docker_hub_give_its_content_on_a_pull_through_mirror() -> Result<()> {
    let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
    let hub = docker_hub(&skopeo).await?;
    let mirror = Registry::pulling_through(&hub).await?;
    let rule = format!("docker.io={}", mirror.host());

    check_docker_hub(&skopeo, &["-m", &rule], mirror.host(), |repository| repository)
}

#[tokio::test]
async fn names_of_docker_hub_give_its_content_below_a_path_of_the_mirror() -> Result<()> {
    let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
    let _hub = docker_hub(&skopeo).await?;
    let mirror = Registry::start().await?;
    let location = format!("{}/mirror/hub", mirror.host());
    skopeo.mirror("docker.io/library/nginx:1.27", &format!("{location}/library/nginx:1.27"))?;
    skopeo.mirror("docker.io/grafana/grafana:1.27", &format!("{location}/grafana/grafana:1.27"))?;
    let rule = format!("docker.io={location}");

    check_docker_hub(&skopeo, &["-m", &rule], &location, |repository| repository)
}

#[tokio::test]
async fn names_of_docker_hub_give_its_content_on_a_mirror_that_has_no_library() -> Result<()> {
    let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
    let _hub = docker_hub(&skopeo).await?;
    let mirror = Registry::start().await?;
    let location = format!("{}/mirror/hub", mirror.host());
    skopeo.mirror("docker.io/library/nginx:1.27", &format!("{location}/nginx:1.27"))?;
    skopeo.mirror("docker.io/grafana/grafana:1.27", &format!("{location}/grafana/grafana:1.27"))?;
    let directory = TempDir::with_prefix("mimic-e2e-rules-")?;
    let rules = directory.path().join("mirrors.yaml");
    let text = format!("rules:\n- upstream: docker.io\n  library: strip\n  mirrors: [\"{location}\"]\n");
    fs::write(&rules, text)?;
    let rules = rules.display().to_string();

    check_docker_hub(&skopeo, &["-f", &rules], &location, |repository| {
        repository.strip_prefix("library/").unwrap_or(repository)
    })
}

/// An image that nodes pull through an exported `registries.conf`, and its name at the mirror. `DIGEST` is its digest.
const EXPORTED: [(&str, &str); 7] = [
    ("nginx:1", "hub/library/nginx"),
    ("acme/app:1", "hub/acme/app"),
    ("redis:1", "redis"),
    ("redis/redis-stack:1", "redis/redis-stack"),
    ("quay.io/a/b@DIGEST", "digests/a/b"),
    ("quay.io/acme/b:1", "acme/b"),
    ("a.example.com/x:1", "domain/x"),
];

#[tokio::test]
async fn skopeo_pulls_through_an_exported_registries_conf() -> Result<()> {
    let Some(skopeo) = Skopeo::available()? else { return Ok(()) };
    let mirror = Registry::start().await?;
    let directory = TempDir::new()?;
    let file = directory.path().join("mirrors.yaml");
    let rules = "mirrors:
  docker.io: HOST/hub
  docker.io/redis: HOST/redis
  quay.io/acme: HOST/acme
  a.example.com: HOST/domain
rules:
  - {upstream: quay.io, references: digest, mirrors: [HOST/digests]}
";
    fs::write(&file, rules.replace("HOST", mirror.host()))?;
    let file = file.to_str().context("the path is UTF-8")?;
    let exported: Value =
        serde_json::from_str(&run_mimic(&["-o", "json", "export", "--to", "registries.conf", "-f", file])?)?;
    assert_eq!(exported["warnings"], serde_json::json!([]));
    skopeo.configure(exported["files"][0]["text"].as_str().context("there is one file")?)?;

    for (reference, name) in EXPORTED {
        let image = Image::new(name)?;
        skopeo.push(&image, &format!("{}/{name}:1", mirror.host()))?;
        let written = reference.replace("DIGEST", &image.content().digest());
        // skopeo wants the registry to be written.
        let full = if written.split('/').next().is_some_and(|first| first.contains('.')) {
            written.clone()
        } else {
            format!("docker.io/{written}")
        };
        assert_eq!(&skopeo.pull(&full)?, image.content(), "{written}");
        let rewritten = rewritten(&["-f", file], &written)?;
        assert_eq!(&skopeo.pull(&rewritten)?, image.content(), "{rewritten}");
    }
    Ok(())
}
