#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'USAGE'
Writes the CA that signed Mimic's certificate into a webhook configuration.

Usage: webhook-patch-ca-bundle.sh [--secret NAME] [--namespace NAME] TEMPLATE OUTPUT

  TEMPLATE           file that contains ${CA_BUNDLE}
  OUTPUT             file to write or overwrite
  --secret NAME      Secret of webhook-create-signed-cert.sh (default: mimic-certs)
  --namespace NAME   its namespace (default: mimic)
  -h, --help         show this

The CA is the Secret's ca.crt. The script does not change the cluster: apply OUTPUT yourself. Run it again if the CA
changes.

Requires kubectl, with the cluster as the current context, and openssl (1.1.1 or later, or LibreSSL).
USAGE
}

fail() { # MESSAGE [HINT]
  echo "error: $1" >&2
  if [ $# -gt 1 ]; then echo "hint: $2" >&2; fi
  exit 1
}

secret=mimic-certs namespace=mimic template='' output=''
while [ $# -gt 0 ]; do
  case "$1" in
    -h | --help) usage; exit 0 ;;
    --secret | --namespace)
      if [ $# -lt 2 ] || [ -z "$2" ]; then fail "$1 needs a value" "see --help"; fi
      case "$1" in
        --secret) secret=$2 ;;
        --namespace) namespace=$2 ;;
      esac
      shift 2
      ;;
    -*) fail "unknown argument \`$1\`" "see --help" ;;
    *)
      if [ -z "$template" ]; then
        template=$1
      elif [ -z "$output" ]; then
        output=$1
      else
        fail "unexpected argument \`$1\`" "see --help"
      fi
      shift
      ;;
  esac
done

[ -n "$output" ] || fail "TEMPLATE and OUTPUT are required" "see --help"
[ -r "$template" ] || fail "cannot read the template \`$template\`"
# ${CA_BUNDLE} in comments is not replaced.
placeholder='^[^#]*[$][{]CA_BUNDLE[}]'
grep -q "$placeholder" "$template" || fail "no \${CA_BUNDLE} in \`$template\`" \
  "pass the template, not the file written from it"
for tool in kubectl openssl; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done

# The Secret already has the encoding of a caBundle: PEM in base64.
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
bundle=$(kubectl get secret "$secret" --namespace "$namespace" --output 'jsonpath={.data.ca\.crt}' 2>"$errors") ||
  fail "cannot read the Secret \`$secret\` in the namespace \`$namespace\`: $(cat "$errors")" \
    "create it with webhook-create-signed-cert.sh"
[ -n "$bundle" ] || fail "the Secret \`$secret\` in the namespace \`$namespace\` has no ca.crt" \
  "create it with webhook-create-signed-cert.sh"
openssl base64 -d -A <<<"$bundle" | openssl x509 -noout 2>/dev/null ||
  fail "the ca.crt in the Secret \`$secret\` is not a certificate"

# Replaced atomically, so that a partial file is never applied. Base64 has no `|`.
unfinished=$(mktemp "$output.XXXXXX") || fail "cannot write to the directory of \`$output\`"
trap 'rm -f "$errors" "$unfinished"' EXIT
sed "/$placeholder/s|[$][{]CA_BUNDLE[}]|$bundle|" "$template" >"$unfinished"
chmod 644 "$unfinished"
mv -f "$unfinished" "$output"
echo "$output written"
