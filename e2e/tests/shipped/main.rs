//! The shipped files, applied to a real kube-apiserver.

mod access;
mod docs;
mod files;
mod mirrors;
mod rolling;
mod scripts;

/// The commands of the script installation, as in kubernetes-mimic.
const STEPS: [&str; 4] = [
    "kubectl apply -f ./deploy/manifests/namespace",
    "./deploy/scripts/webhook-create-signed-cert.sh --service mimic --secret mimic-certs --namespace mimic",
    "./deploy/scripts/webhook-patch-ca-bundle.sh ./deploy/manifests/templates/mutatingwebhookconfiguration.yaml ./deploy/manifests/mutatingwebhookconfiguration-cabundle.yaml",
    "kubectl apply -f ./deploy/manifests",
];

/// The command of the kustomize installation.
const ONE_STEP: &str = "kubectl apply -k deploy/kustomize";
