#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'USAGE'
Makes a certificate for Mimic's Service and stores it in a Secret.

Usage: webhook-create-signed-cert.sh [--service NAME] [--secret NAME] [--namespace NAME] [--days N]

  --service NAME     Service that the certificate is for (default: mimic)
  --secret NAME      Secret to store it in (default: mimic-certs)
  --namespace NAME   namespace of both (default: mimic)
  --days N           how long the certificate is valid (default: 365)
  -h, --help         show this

The Secret gets cert.pem and key.pem, which Mimic reads, and ca.crt and ca.key, the authority that signed them.
webhook-patch-ca-bundle.sh takes ca.crt from there.

Run it again to renew the certificate. It is signed by the same authority, so that the API server trusts it at once, and
a running Mimic takes it up by itself: nothing else has to be done. The authority is valid for ten years; when it does
not outlive the new certificate, a new one is made, and this says what to do then.

Needs kubectl, with the cluster in the current context, and openssl (1.1.1 or later, or LibreSSL).
USAGE
}

fail() { # MESSAGE [HINT]
  echo "error: $1" >&2
  if [ $# -gt 1 ]; then echo "hint: $2" >&2; fi
  exit 1
}

service=mimic secret=mimic-certs namespace=mimic days=365
ca_days=3650
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --service | --secret | --namespace | --days)
      if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value" "see --help"; fi
      case "$1" in
        --service) service=$2 ;;
        --secret) secret=$2 ;;
        --namespace) namespace=$2 ;;
        --days) days=$2 ;;
      esac
      shift 2
      ;;
    *) fail "unknown argument \`$1\`" "see --help" ;;
  esac
done

label='^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$'
[[ $service =~ $label ]] || fail "\`$service\` cannot be the name of a Service"
[[ $namespace =~ $label ]] || fail "\`$namespace\` cannot be the name of a namespace"
[[ $secret =~ ^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$ ]] || fail "\`$secret\` cannot be the name of a Secret"
if ! [[ $days =~ ^[1-9][0-9]{0,3}$ ]] || [ "$days" -ge "$ca_days" ]; then
  fail "--days is \`$days\`; it must be a number from 1 to $((ca_days - 1))"
fi
for tool in kubectl openssl; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done

# Keys lie in a directory that nobody else may enter, and only for as long as this runs.
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# What kubectl says of one object; nothing if that is not there.
kubectl_get() {
  kubectl get --ignore-not-found "$@" 2>"$work/errors" ||
    fail "kubectl could not read from the cluster: $(cat "$work/errors")"
}

# One key of the Secret, decoded; nothing if there is no such key.
stored() { # KEY
  kubectl_get secret "$secret" --namespace "$namespace" -o "jsonpath={.data.${1//./\\.}}" | openssl base64 -d -A
}

run_openssl() { openssl "$@" >"$work/log" 2>&1 || fail "openssl $1 failed: $(cat "$work/log")"; }

# Whether the authority is there, fits its key and outlives a certificate that is made now.
ca_is_usable() {
  [ -s "$work/ca.crt" ] && [ -s "$work/ca.key" ] &&
    openssl x509 -in "$work/ca.crt" -noout -checkend $((days * 86400)) >/dev/null 2>&1 &&
    [ "$(openssl x509 -in "$work/ca.crt" -noout -pubkey 2>/dev/null)" = "$(openssl pkey -in "$work/ca.key" -pubout 2>/dev/null)" ]
}

found=$(kubectl_get namespace "$namespace" -o name)
[ -n "$found" ] || fail "there is no namespace \`$namespace\`" "kubectl apply -f ./deploy/manifests/namespace"
others=$(stored tls.crt)
[ -z "$others" ] || fail "the Secret \`$secret\` has a tls.crt: something else, such as cert-manager or Mimic itself, keeps it" \
  "leave it to that, or choose another Secret with --secret and MIMIC_KUBERNETES_CERTSECRET"

name="$service.$namespace.svc"
cat >"$work/openssl.cnf" <<CONFIG
[req]
distinguished_name = none
[none]
[ca]
basicConstraints = critical, CA:true, pathlen:0
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
subjectAltName = DNS:$name, DNS:$name.cluster.local, DNS:$service.$namespace, DNS:$service
CONFIG

for key in ca.crt ca.key; do
  stored "$key" >"$work/$key"
done
ca_is_new=false
if ! ca_is_usable; then
  ca_is_new=true
  run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/ca.key"
  # The names of two authorities differ, so that nobody takes one for the other.
  run_openssl req -x509 -new -key "$work/ca.key" -config "$work/openssl.cnf" -extensions ca -sha256 -days "$ca_days" \
    -set_serial "0x$(openssl rand -hex 15)" -subj "/CN=mimic webhook CA $(openssl rand -hex 4)" -out "$work/ca.crt"
fi
run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key.pem"
run_openssl req -new -key "$work/key.pem" -config "$work/openssl.cnf" -subj "/CN=$service" -out "$work/leaf.csr"
run_openssl x509 -req -in "$work/leaf.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 15)" \
  -extfile "$work/openssl.cnf" -extensions leaf -sha256 -days "$days" -out "$work/cert.pem"
run_openssl verify -CAfile "$work/ca.crt" "$work/cert.pem"

# On standard input, since arguments can be seen by others; and server-side, since the client's way would leave a copy of the
# keys in an annotation.
encoded() { openssl base64 -A -in "$work/$1"; }
kubectl apply --server-side --force-conflicts --field-manager webhook-create-signed-cert -f - <<MANIFEST
apiVersion: v1
kind: Secret
metadata:
  name: $secret
  namespace: $namespace
  labels:
    app.kubernetes.io/name: mimic
data:
  cert.pem: $(encoded cert.pem)
  key.pem: $(encoded key.pem)
  ca.crt: $(encoded ca.crt)
  ca.key: $(encoded ca.key)
MANIFEST

until=$(openssl x509 -in "$work/cert.pem" -noout -enddate)
echo "The certificate names $name and is valid until ${until#notAfter=}."
if $ca_is_new; then
  echo "Its authority is new: run webhook-patch-ca-bundle.sh and apply what it writes, so that the API server trusts it."
else
  echo "Its authority is the same as before: nothing else has to be done."
fi
