//! What each of the nine credentials sees. The lists are written down from the recordings: the projects of the page, and
//! the endpoints in the answers to `registries` and `summary`.

use mimic_harbor::{HarborError, Way};

use super::{discover, left_out, mirrors, settings};
use fake_harbor::Fake;

/// Public projects that are used, by name.
const PUBLIC: [&str; 16] = [
    "docker.io harbor.example.com/proxy-dockerhub",
    "gcr.io harbor.example.com/proxy-gcr",
    "us.gcr.io harbor.example.com/proxy-gcr-us",
    "ghcr.io harbor.example.com/proxy-ghcr",
    "registry.k8s.io harbor.example.com/proxy-k8s",
    "mcr.microsoft.com harbor.example.com/proxy-mcr",
    "quay.io harbor.example.com/proxy-quay",
    "public.ecr.aws harbor.example.com/zz-proxy-ecr-public",
    "registry.gitlab.com harbor.example.com/zz-proxy-gitlab",
    "harbor.upstream.example harbor.example.com/zz-proxy-harbor",
    "registry.lan.example:5000 harbor.example.com/zz-proxy-http",
    "127.0.0.1:15000 harbor.example.com/zz-proxy-local",
    "registry.internal.example:5443 harbor.example.com/zz-proxy-port",
    "registry.suse.com harbor.example.com/zz-proxy-slash",
    "down.example.com harbor.example.com/zz-proxy-unhealthy",
    "registry.example.com harbor.example.com/zz-proxy-upper",
];

/// Public projects that are not.
const PUBLIC_LEFT_OUT: [&str; 4] = [
    "proxy-dockerhub-registry: `proxy-dockerhub` serves the same upstream",
    "zz-proxy-gitlab-typed: `zz-proxy-gitlab` serves the same upstream",
    "zz-proxy-path: its endpoint `https://artifactory.example.com/artifactory/docker-remote` has a path, and no image \
     reference names that",
    "zz-proxy-quay-typed: `proxy-quay` serves the same upstream",
];

const NVCR: &str = "nvcr.io harbor.example.com/proxy-nvcr";

/// Private projects that are used by those who see them.
const PRIVATE: [&str; 5] = [
    NVCR,
    "myregistry.azurecr.io harbor.example.com/zz-proxy-acr",
    "registry.cn-hangzhou.aliyuncs.com harbor.example.com/zz-proxy-ali",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com harbor.example.com/zz-proxy-ecr-account",
    "acme.jfrog.io harbor.example.com/zz-proxy-jfrog",
];

/// Private projects of upstreams that public ones serve.
const RIVALS: [&str; 3] = [
    "proxy-dockerhub-private: `proxy-dockerhub` serves the same upstream",
    "proxy-ghcr-private: `proxy-ghcr` serves the same upstream",
    "zz-proxy-k8s-private: `proxy-k8s` serves the same upstream",
];

const ECR_API: &str = "zz-proxy-ecr-api: its endpoint `https://api.ecr.eu-west-1.amazonaws.com` does not tell the account \
                       whose registry it is";

fn not_permitted(projects: &[&str]) -> Vec<String> {
    projects.iter().map(|project| format!("{project}: the account may not see which registry it is for")).collect()
}

/// Projects come by name.
fn sorted(lists: &[Vec<String>], key: impl Fn(&String) -> String) -> Vec<String> {
    let mut all: Vec<String> = lists.concat();
    all.sort_by_key(key);
    all
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|&line| line.to_owned()).collect()
}

/// Asks with and without private projects and compares everything.
async fn sees(credential: &str, way: Way, private: &[&str], private_left_out: Vec<String>) {
    let fake = Fake::start();
    let mut settings = settings(&fake, credential);
    for with_private in [false, true] {
        settings.private = with_private;
        settings.pull_secret = with_private.then(|| "harbor-pull".to_owned());
        let report = discover(settings.clone()).await.expect("the fake behaves");
        assert_eq!(report.way, way, "{credential}");

        let (private, hidden) =
            if with_private { (owned(private), private_left_out.clone()) } else { (vec![], vec![]) };
        let location = |line: &String| line.split(' ').nth(1).unwrap_or_default().to_owned();
        assert_eq!(mirrors(&report), sorted(&[owned(&PUBLIC), private], location), "{credential}");
        if with_private {
            let project = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
            assert_eq!(left_out(&report), sorted(&[owned(&PUBLIC_LEFT_OUT), hidden], project), "{credential}");
        }
        let list = report.rule_list();
        assert_eq!(list.rules.len(), mirrors(&report).len());
        for rule in list.rules {
            let is_private = report.projects.iter().any(|entry| !entry.public && entry.project == rule.name());
            assert_eq!(rule.pull_secret(), is_private.then_some("harbor-pull"), "{}", rule.name());
        }
    }
}

#[tokio::test]
async fn an_administrator_sees_everything() {
    sees("admin", Way::Endpoints, &PRIVATE, [owned(&RIVALS), owned(&[ECR_API])].concat()).await;
}

#[tokio::test]
async fn a_robot_that_lists_projects_and_endpoints_sees_everything() {
    let all = [owned(&RIVALS), owned(&[ECR_API])].concat();
    sees("robot-project-list+registry-list", Way::Endpoints, &PRIVATE, all).await;
}

#[tokio::test]
async fn a_robot_that_reads_projects_sees_everything() {
    sees("robot-project-read-all", Way::Summaries, &PRIVATE, [owned(&RIVALS), owned(&[ECR_API])].concat()).await;
}

/// Harbor denies it even the summaries of public projects, so those are asked for by nobody. What private ones have the
/// same endpoint as a public one is known by that.
#[tokio::test]
async fn a_robot_that_lists_projects_sees_what_everybody_sees() {
    let hidden =
        ["proxy-nvcr", "zz-proxy-acr", "zz-proxy-ali", "zz-proxy-ecr-account", "zz-proxy-ecr-api", "zz-proxy-jfrog"];
    sees("robot-project-list", Way::Summaries, &[], [owned(&RIVALS), not_permitted(&hidden)].concat()).await;
}

#[tokio::test]
async fn a_robot_that_pulls_sees_what_everybody_sees() {
    let hidden =
        ["proxy-nvcr", "zz-proxy-acr", "zz-proxy-ali", "zz-proxy-ecr-account", "zz-proxy-ecr-api", "zz-proxy-jfrog"];
    sees("robot-repository-pull-all", Way::Summaries, &[], [owned(&RIVALS), not_permitted(&hidden)].concat()).await;
}

/// It sees two private projects, the one of which has a public rival.
#[tokio::test]
async fn a_robot_of_some_projects_sees_those_as_well() {
    sees("robot-some-projects", Way::Summaries, &[NVCR], owned(&RIVALS[..1])).await;
}

#[tokio::test]
async fn a_robot_that_lists_only_endpoints_sees_public_projects() {
    sees("robot-registry-list", Way::Endpoints, &[], Vec::new()).await;
}

#[tokio::test]
async fn nobody_sees_public_projects() {
    sees("anonymous", Way::Summaries, &[], Vec::new()).await;
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_no_smaller_list() {
    let fake = Fake::start();
    let error = discover(settings(&fake, "robot-wrong-secret")).await.expect_err("the password is wrong");
    let (harbor, username) = (fake.url(), "robot-wrong-secret".to_owned());
    assert_eq!(error, HarborError::CredentialsNotAccepted { harbor, username });
}
