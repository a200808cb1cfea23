//! The image: built from the Dockerfile, and run as in the manifests.

use std::{collections::BTreeSet, fs, path::Path};

use anyhow::{Context, Result, ensure};
use k8s_openapi::api::apps::v1::Deployment;
use mimic_e2e::{Container, ShippedImage, run_in_container};
use serde_json::Value;

const REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(file: &str) -> Result<String> {
    fs::read_to_string(Path::new(REPOSITORY).join(file)).with_context(|| file.to_owned())
}

#[tokio::test]
async fn the_server_of_the_image_answers_the_review_of_the_readme() -> Result<()> {
    let Some(image) = ShippedImage::shared()? else { return Ok(()) };
    let expected: Value = serde_json::from_str(&read("examples/response.json")?)?;
    let container = Container::start(image, &["--demo"]).await?;
    assert_eq!(container.review(read("examples/review.json")?.as_bytes())?, expected);
    ensure!(container.leave().await?, "it exits successfully after SIGTERM");
    Ok(())
}

#[test]
fn the_image_includes_the_command() -> Result<()> {
    let Some(image) = ShippedImage::shared()? else { return Ok(()) };
    let rewrite = ["mimic", "rewrite", "-m", "docker.io=harbor.example.com/dockerhub", "nginx"];
    assert_eq!(run_in_container(image, &rewrite)?, "harbor.example.com/dockerhub/library/nginx\n");
    Ok(())
}

#[test]
fn the_image_adds_two_programs_to_its_base_and_nothing_else() -> Result<()> {
    let Some(image) = ShippedImage::shared()? else { return Ok(()) };
    let files = image.added().lines().filter(|line| !line.starts_with('d'));
    let files: Vec<_> = files.map(|line| line.split_whitespace().collect::<Vec<_>>()).collect();
    let [command, server] = &files[..] else { panic!("two files: {files:?}") };
    for (file, name) in [(command, "usr/local/bin/mimic"), (server, "usr/local/bin/mimic-server")] {
        assert_eq!((file[0], file[1], file[5]), ("-rwxr-xr-x", "0/0", name));
    }
    Ok(())
}

#[test]
fn labels_describe_the_image() -> Result<()> {
    let Some(image) = ShippedImage::shared()? else { return Ok(()) };
    let labels = &image.configuration()["Labels"];
    for (label, value) in [
        ("title", "mimic"),
        ("description", "Mimic makes pods pull their images from a mirror"),
        ("version", env!("CARGO_PKG_VERSION")),
        ("licenses", "MIT"),
    ] {
        assert_eq!(labels[format!("org.opencontainers.image.{label}")], value, "{label}");
    }
    Ok(())
}

/// A Debian base that is not slim would double its size.
#[test]
fn the_image_is_small() -> Result<()> {
    let Some(image) = ShippedImage::shared()? else { return Ok(()) };
    ensure!(image.size() < 30_000_000, "{} bytes are pulled", image.size());
    Ok(())
}

#[test]
fn the_deployment_matches_the_image() -> Result<()> {
    let Some(image) = ShippedImage::shared()? else { return Ok(()) };
    let deployment: Deployment = serde_saphyr::from_str(&read("deploy/manifests/deployment.yaml")?)?;
    let pod = deployment.spec.and_then(|spec| spec.template.spec).context("it has a pod")?;
    let [container] = &pod.containers[..] else { panic!("one container: {:?}", pod.containers) };
    assert_eq!(
        (&container.command, &container.args),
        (&None, &None),
        "the Deployment does not override the entry point"
    );

    let asked = pod.security_context.context("the pod has a security context")?;
    let own = container.security_context.clone().context("the container has a security context")?;
    assert_eq!((asked.run_as_non_root, asked.run_as_user, own.run_as_user), (Some(true), None, None));
    // The tests run it with the same user.
    assert_eq!(own.read_only_root_filesystem, Some(true));
    let user = image.configuration()["User"].as_str().context("the image names a user")?;
    let (user, group) = user.split_once(':').context("and a group")?;
    // A number: the kubelet cannot check that a user name is not root.
    ensure!(user.parse::<u32>()? > 0 && group.parse::<u32>()? > 0, "{user}:{group}");

    let ports = container.ports.iter().flatten().map(|port| format!("{}/tcp", port.container_port));
    let exposed = image.configuration()["ExposedPorts"].as_object().context("the image names ports")?;
    assert_eq!(ports.collect::<BTreeSet<_>>(), exposed.keys().cloned().collect());
    Ok(())
}
