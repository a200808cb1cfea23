//! What each of the nine credentials sees. The lists come from the recordings: the projects of the page, and the
//! endpoints in the responses to `registries` and `summary`.

use mimic_harbor::DiscoveryMethod;

use super::{discover, message, mirrors, settings, skipped};
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

/// Public projects that are skipped.
const PUBLIC_SKIPPED: [&str; 4] = [
    "proxy-dockerhub-registry: project `proxy-dockerhub` takes precedence for the same upstream",
    "zz-proxy-gitlab-typed: project `zz-proxy-gitlab` takes precedence for the same upstream",
    "zz-proxy-path: its endpoint `https://artifactory.example.com/artifactory/docker-remote` has a path, so no image \
     reference can match it",
    "zz-proxy-quay-typed: project `proxy-quay` takes precedence for the same upstream",
];

const NVCR: &str = "nvcr.io harbor.example.com/proxy-nvcr";

/// Private projects that are used by accounts that see them.
const PRIVATE: [&str; 5] = [
    NVCR,
    "myregistry.azurecr.io harbor.example.com/zz-proxy-acr",
    "registry.cn-hangzhou.aliyuncs.com harbor.example.com/zz-proxy-ali",
    "123456789012.dkr.ecr.us-east-1.amazonaws.com harbor.example.com/zz-proxy-ecr-account",
    "acme.jfrog.io harbor.example.com/zz-proxy-jfrog",
];

/// Private projects of upstreams that public ones serve.
const OUTRANKED: [&str; 3] = [
    "proxy-dockerhub-private: project `proxy-dockerhub` takes precedence for the same upstream",
    "proxy-ghcr-private: project `proxy-ghcr` takes precedence for the same upstream",
    "zz-proxy-k8s-private: project `proxy-k8s` takes precedence for the same upstream",
];

const ECR_API: &str = "zz-proxy-ecr-api: its endpoint `https://api.ecr.eu-west-1.amazonaws.com` does not contain the AWS \
                       account ID";

fn not_permitted(projects: &[&str]) -> Vec<String> {
    projects
        .iter()
        .map(|project| format!("{project}: the account has no permission to read its registry endpoint"))
        .collect()
}

/// Projects are ordered by name.
fn sorted(lists: &[Vec<String>], key: impl Fn(&String) -> String) -> Vec<String> {
    let mut all: Vec<String> = lists.concat();
    all.sort_by_key(key);
    all
}

fn owned(list: &[&str]) -> Vec<String> {
    list.iter().map(|&line| line.to_owned()).collect()
}

/// Discovers with and without private projects and compares everything.
async fn sees(credential: &str, method: DiscoveryMethod, private: &[&str], private_skipped: Vec<String>) {
    let fake = Fake::start();
    let mut settings = settings(&fake, credential);
    for with_private in [false, true] {
        settings.private = with_private;
        settings.pull_secret = with_private.then(|| "harbor-pull".to_owned());
        let report = discover(settings.clone()).await.expect("the fake behaves");
        assert_eq!(report.discovery_method, method, "{credential}");

        let (private, hidden) = if with_private { (owned(private), private_skipped.clone()) } else { (vec![], vec![]) };
        let location = |line: &String| line.split(' ').nth(1).unwrap_or_default().to_owned();
        assert_eq!(mirrors(&report), sorted(&[owned(&PUBLIC), private], location), "{credential}");
        if with_private {
            let project = |line: &String| line.split(':').next().unwrap_or_default().to_owned();
            assert_eq!(skipped(&report), sorted(&[owned(&PUBLIC_SKIPPED), hidden], project), "{credential}");
        }
        let list = report.rule_list();
        assert_eq!(list.rules.len(), mirrors(&report).len());
        for rule in list.rules {
            let is_private = report.projects.iter().any(|project| !project.public && project.name == rule.name());
            assert_eq!(rule.pull_secret(), is_private.then_some("harbor-pull"), "{}", rule.name());
        }
    }
}

#[tokio::test]
async fn an_administrator_sees_everything() {
    sees("admin", DiscoveryMethod::Endpoints, &PRIVATE, [owned(&OUTRANKED), owned(&[ECR_API])].concat()).await;
}

#[tokio::test]
async fn a_robot_that_lists_projects_and_endpoints_sees_everything() {
    let all = [owned(&OUTRANKED), owned(&[ECR_API])].concat();
    sees("robot-project-list+registry-list", DiscoveryMethod::Endpoints, &PRIVATE, all).await;
}

#[tokio::test]
async fn a_robot_that_reads_projects_sees_everything() {
    sees(
        "robot-project-read-all",
        DiscoveryMethod::Summaries,
        &PRIVATE,
        [owned(&OUTRANKED), owned(&[ECR_API])].concat(),
    )
    .await;
}

/// Harbor denies it even the summaries of public projects, so Mimic requests those anonymously. Private projects with the
/// endpoint of a public one are covered by that.
#[tokio::test]
async fn a_robot_that_lists_projects_sees_what_anonymous_clients_see() {
    let hidden =
        ["proxy-nvcr", "zz-proxy-acr", "zz-proxy-ali", "zz-proxy-ecr-account", "zz-proxy-ecr-api", "zz-proxy-jfrog"];
    sees("robot-project-list", DiscoveryMethod::Summaries, &[], [owned(&OUTRANKED), not_permitted(&hidden)].concat())
        .await;
}

#[tokio::test]
async fn a_robot_that_pulls_sees_what_anonymous_clients_see() {
    let hidden =
        ["proxy-nvcr", "zz-proxy-acr", "zz-proxy-ali", "zz-proxy-ecr-account", "zz-proxy-ecr-api", "zz-proxy-jfrog"];
    sees(
        "robot-repository-pull-all",
        DiscoveryMethod::Summaries,
        &[],
        [owned(&OUTRANKED), not_permitted(&hidden)].concat(),
    )
    .await;
}

/// It sees two private projects, one of which has the upstream of a public project.
#[tokio::test]
async fn a_robot_of_some_projects_sees_those_and_public_ones() {
    sees("robot-some-projects", DiscoveryMethod::Summaries, &[NVCR], owned(&OUTRANKED[..1])).await;
}

#[tokio::test]
async fn a_robot_that_lists_only_endpoints_sees_public_projects() {
    sees("robot-registry-list", DiscoveryMethod::Endpoints, &[], Vec::new()).await;
}

#[tokio::test]
async fn an_anonymous_client_sees_public_projects() {
    sees("anonymous", DiscoveryMethod::Summaries, &[], Vec::new()).await;
}

#[tokio::test]
async fn a_wrong_password_is_an_error_and_no_smaller_list() {
    let fake = Fake::start();
    let error = discover(settings(&fake, "robot-wrong-secret")).await.expect_err("the password is wrong");
    assert_eq!(message(&error), format!("{} does not accept the credentials of `robot-wrong-secret`", fake.url()));
}
