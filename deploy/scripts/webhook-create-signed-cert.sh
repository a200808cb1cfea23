#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'USAGE'
Creates a certificate for Mimic's Service and stores it in a Secret.

Usage: webhook-create-signed-cert.sh [--service NAME] [--secret NAME] [--namespace NAME] [--days N]

  --service NAME     Service of the certificate (default: mimic)
  --secret NAME      Secret to store it in (default: mimic-certs)
  --namespace NAME   namespace of both (default: mimic)
  --days N           lifetime of the certificate in days (default: 365)
  -h, --help         show this

The Secret holds cert.pem and key.pem, which Mimic reads, and ca.crt and ca.key, the CA that signed them.
webhook-patch-ca-bundle.sh reads ca.crt.

Run it again to renew the certificate. The same CA signs it, so the API server trusts it, and a running Mimic reloads it
automatically. The CA is valid for ten years. If it would expire before the new certificate, the script creates a new CA
and prints what to do.

Requires kubectl, with the cluster as the current context, and openssl (1.1.1 or later, or LibreSSL).
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
[[ $service =~ $label ]] || fail "invalid name of a Service: \`$service\`"
[[ $namespace =~ $label ]] || fail "invalid name of a namespace: \`$namespace\`"
[[ $secret =~ ^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$ ]] || fail "invalid name of a Secret: \`$secret\`"
if ! [[ $days =~ ^[1-9][0-9]{0,3}$ ]] || [ "$days" -ge "$ca_days" ]; then
  fail "invalid --days \`$days\`: must be a number from 1 to $((ca_days - 1))"
fi
for tool in kubectl openssl; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done

# Keys are kept in a directory that other users cannot read, and deleted at exit.
umask 077
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Prints one object; nothing if it does not exist.
kubectl_get() {
  kubectl get --ignore-not-found "$@" 2>"$work/errors" ||
    fail "cannot read from the cluster: $(cat "$work/errors")"
}

# Prints one key of the Secret, decoded; nothing if it does not exist.
stored() { # KEY
  kubectl_get secret "$secret" --namespace "$namespace" -o "jsonpath={.data.${1//./\\.}}" | openssl base64 -d -A
}

run_openssl() { openssl "$@" >"$work/log" 2>&1 || fail "openssl $1 failed: $(cat "$work/log")"; }

# Whether the CA exists, matches its key, and expires after a certificate that is created now.
ca_is_usable() {
  [ -s "$work/ca.crt" ] && [ -s "$work/ca.key" ] &&
    openssl x509 -in "$work/ca.crt" -noout -checkend $((days * 86400)) >/dev/null 2>&1 &&
    [ "$(openssl x509 -in "$work/ca.crt" -noout -pubkey 2>/dev/null)" = "$(openssl pkey -in "$work/ca.key" -pubout 2>/dev/null)" ]
}

found=$(kubectl_get namespace "$namespace" -o name)
[ -n "$found" ] || fail "no namespace \`$namespace\`" "kubectl apply -f ./deploy/manifests/namespace"
others=$(stored tls.crt)
[ -z "$others" ] || fail "the Secret \`$secret\` has a tls.crt: another tool, such as cert-manager, or Mimic manages it" \
  "choose another Secret with --secret and MIMIC_KUBERNETES_CERTSECRET"

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
  # Each CA has a unique name, so that they cannot be confused.
  run_openssl req -x509 -new -key "$work/ca.key" -config "$work/openssl.cnf" -extensions ca -sha256 -days "$ca_days" \
    -set_serial "0x$(openssl rand -hex 15)" -subj "/CN=mimic webhook CA $(openssl rand -hex 4)" -out "$work/ca.crt"
fi
run_openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$work/key.pem"
run_openssl req -new -key "$work/key.pem" -config "$work/openssl.cnf" -subj "/CN=$service" -out "$work/leaf.csr"
run_openssl x509 -req -in "$work/leaf.csr" -CA "$work/ca.crt" -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 15)" \
  -extfile "$work/openssl.cnf" -extensions leaf -sha256 -days "$days" -out "$work/cert.pem"
run_openssl verify -CAfile "$work/ca.crt" "$work/cert.pem"

# Passed on standard input, because other users can see arguments. Server-side, because client-side apply would copy the keys to
# an annotation.
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
echo "The certificate for $name is valid until ${until#notAfter=}."
if $ca_is_new; then
  echo "Its CA is new: run webhook-patch-ca-bundle.sh and apply the file that it writes, so that the API server trusts it."
else
  echo "Its CA has not changed. Nothing else needs to be done."
fi
