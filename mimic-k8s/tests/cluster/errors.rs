//! Refusals in words.

use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::PostParams;
use mimic_k8s::cluster::{ClusterError, ClusterErrorKind as Kind, Follower};

use crate::fake::{Answer, FakeApi, refusal};

async fn error(answer: Answer) -> ClusterError {
    let api = FakeApi::replay([answer], []);
    Follower::<ConfigMap>::new(api.cluster().api(), "mimic-mirrors").next().await.expect_err("it is refused")
}

#[tokio::test(start_paused = true)]
async fn each_refusal_has_its_words() {
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
    for (code, reason, message, kind, words, hint) in [
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
            "the API server forbids it: configmaps \"mimic-mirrors\" is forbidden: ",
            "a Role in namespace `mimic` has to give Mimic's service account `list` on `configmaps` named `mimic-mirrors`",
        ),
        (
            403,
            "Forbidden",
            wide.as_str(),
            Kind::Forbidden,
            "the API server forbids it: mutatingwebhookconfigurations",
            "a ClusterRole has to give Mimic's service account `patch` on \
             `mutatingwebhookconfigurations.admissionregistration.k8s.io` named `mimic`",
        ),
        (
            403,
            "Forbidden",
            "events is forbidden: User \"u\" cannot create resource \"events\" in API group \"events.k8s.io\" in the namespace \"mimic\"",
            Kind::Forbidden,
            "the API server forbids it: events",
            "a Role in namespace `mimic` has to give Mimic's service account `create` on `events.events.k8s.io`",
        ),
        (
            403,
            "Forbidden",
            "",
            Kind::Forbidden,
            "the API server forbids it: Forbidden",
            "see which Role or ClusterRole is bound to Mimic's service account",
        ),
        (
            404,
            "NotFound",
            "the server could not find it",
            Kind::NotFound,
            "the API server does not have it: the server could not",
            "",
        ),
        (
            409,
            "Conflict",
            "the object has been modified",
            Kind::Conflict,
            "somebody else was faster: the object has been",
            "",
        ),
        (422, "Invalid", "spec is wrong", Kind::Invalid, "the API server refuses the request: spec is wrong", ""),
        (429, "TooManyRequests", "later", Kind::Unreachable, "the API server cannot answer now: later", ""),
        (503, "ServiceUnavailable", "", Kind::Unreachable, "the API server cannot answer now: ServiceUnavailable", ""),
    ] {
        let error = error(refusal(code, reason, message)).await;
        assert_eq!(error.kind(), kind, "{code}");
        assert!(error.to_string().starts_with(words), "{error}");
        assert_eq!(error.hint().unwrap_or_default(), hint, "{error}");
        assert!(std::error::Error::source(&error).is_none(), "everything is said: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_list_is_told() {
    let error = error(Answer::Whole(200, "hello".into())).await;
    assert_eq!(error.kind(), Kind::Invalid);
    assert!(error.to_string().starts_with("the API server's answer cannot be read: invalid type: string"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn requests_of_other_kinds_speak_the_same_words() {
    let api = FakeApi::start(|_| refusal(409, "AlreadyExists", "configmaps \"a\" already exists"));
    let created = api.cluster().api::<ConfigMap>().create(&PostParams::default(), &ConfigMap::default()).await;
    let error = ClusterError::from(created.expect_err("it is refused"));
    assert_eq!(error.to_string(), "somebody else was faster: configmaps \"a\" already exists");
}
