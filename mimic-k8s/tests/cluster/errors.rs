//! Error messages for failed requests.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use mimic_core::Hint as _;
use mimic_k8s::cluster::{ClusterError, ClusterErrorKind as Kind, ObjectWatch};

use crate::fake::{Answer, FakeApi, refusal};

async fn error(answer: Answer) -> ClusterError {
    let api = FakeApi::replay([answer], []);
    ObjectWatch::<ConfigMap>::new(api.cluster().api(), "mimic-mirrors").next().await.expect_err("the request fails")
}

#[tokio::test(start_paused = true)]
async fn each_failure_has_its_message_and_hint() {
    let account = "User \"system:serviceaccount:mimic:mimic\"";
    let namespaced = format!(
        "configmaps \"mimic-mirrors\" is forbidden: {account} cannot list resource \"configmaps\" in API group \"\" in the \
         namespace \"mimic\""
    );
    let wide = format!(
        "mutatingwebhookconfigurations.admissionregistration.k8s.io \"mimic\" is forbidden: {account} cannot patch resource \
         \"mutatingwebhookconfigurations\" in API group \"admissionregistration.k8s.io\" at the cluster scope"
    );
    let token = "the token or client certificate has expired or belongs to another cluster";
    for (code, reason, message, kind, start, hint) in [
        (
            401,
            "Unauthorized",
            "Unauthorized",
            Kind::Unauthorized,
            "the API server does not accept the credentials: Unauthorized",
            token,
        ),
        (
            403,
            "Forbidden",
            namespaced.as_str(),
            Kind::Forbidden,
            "permission denied: configmaps \"mimic-mirrors\" is forbidden: ",
            "grant Mimic's service account `list` on `configmaps` named `mimic-mirrors` in a Role in namespace `mimic`",
        ),
        (
            403,
            "Forbidden",
            wide.as_str(),
            Kind::Forbidden,
            "permission denied: mutatingwebhookconfigurations",
            "grant Mimic's service account `patch` on `mutatingwebhookconfigurations.admissionregistration.k8s.io` named \
             `mimic` in a ClusterRole",
        ),
        (
            403,
            "Forbidden",
            "events is forbidden: User \"u\" cannot create resource \"events\" in API group \"events.k8s.io\" in the namespace \"mimic\"",
            Kind::Forbidden,
            "permission denied: events",
            "grant Mimic's service account `create` on `events.events.k8s.io` in a Role in namespace `mimic`",
        ),
        (
            403,
            "Forbidden",
            "",
            Kind::Forbidden,
            "permission denied: Forbidden",
            "check the Roles and ClusterRoles that are bound to Mimic's service account",
        ),
        (404, "NotFound", "the server could not find it", Kind::NotFound, "not found: the server could not", ""),
        (
            409,
            "Conflict",
            "the object has been modified",
            Kind::Conflict,
            "conflict: the object was modified concurrently: the object has been",
            "",
        ),
        (422, "Invalid", "spec is wrong", Kind::Invalid, "the API server rejected the request: spec is wrong", ""),
        (429, "TooManyRequests", "later", Kind::Unreachable, "the API server is unavailable: later", ""),
        (503, "ServiceUnavailable", "", Kind::Unreachable, "the API server is unavailable: ServiceUnavailable", ""),
    ] {
        let error = error(refusal(code, reason, message)).await;
        assert_eq!(error.kind(), kind, "{code}");
        assert!(error.to_string().starts_with(start), "{error}");
        assert_eq!(error.hint().unwrap_or_default(), hint, "{error}");
        assert!(std::error::Error::source(&error).is_none(), "the message is complete: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_that_is_not_a_list_is_an_error() {
    let error = error(Answer::Whole(200, "hello".into())).await;
    assert_eq!(error.kind(), Kind::Invalid);
    let message = error.full_message().to_string();
    assert!(message.starts_with("cannot parse the API server's response: invalid type: string"), "{message}");
}

#[tokio::test(start_paused = true)]
async fn other_requests_have_the_same_messages() {
    let api = FakeApi::start(|_| refusal(409, "AlreadyExists", "configmaps \"a\" already exists"));
    let created = api.cluster().api::<ConfigMap>().create(&PostParams::default(), &ConfigMap::default()).await;
    let error = ClusterError::from(created.expect_err("the request fails"));
    assert_eq!(error.to_string(), "conflict: the object was created concurrently: configmaps \"a\" already exists");
}
