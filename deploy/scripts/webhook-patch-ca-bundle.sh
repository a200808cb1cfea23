#!/usr/bin/env bash
set -euo pipefail

usage() {
  cat <<'USAGE'
Fills the authority that signed Mimic's certificate into a webhook configuration.

Usage: webhook-patch-ca-bundle.sh [--secret NAME] [--namespace NAME] TEMPLATE OUTPUT

  TEMPLATE           file with ${CA_BUNDLE} in it
  OUTPUT             file to write; it is replaced
  --secret NAME      Secret that webhook-create-signed-cert.sh made (default: mimic-certs)
  --namespace NAME   its namespace (default: mimic)
  -h, --help         show this

The authority is the Secret's ca.crt. Nothing is applied to the cluster: apply OUTPUT yourself. Run it again whenever the
authority is another one.

Needs kubectl, with the cluster in the current context, and openssl (1.1.1 or later, or LibreSSL).
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
        fail "\`$1\` is one argument too many" "see --help"
      fi
      shift
      ;;
  esac
done

[ -n "$output" ] || fail "TEMPLATE and OUTPUT are needed" "see --help"
[ -r "$template" ] || fail "cannot read the template \`$template\`"
# In comments, ${CA_BUNDLE} is left alone.
placeholder='^[^#]*[$][{]CA_BUNDLE[}]'
grep -q "$placeholder" "$template" || fail "there is no \${CA_BUNDLE} in \`$template\`" \
  "is it the template, or what was made of it?"
for tool in kubectl openssl; do
  command -v "$tool" >/dev/null || fail "$tool is not installed"
done

# The Secret's own encoding is what a caBundle is: PEM in base64.
errors=$(mktemp)
trap 'rm -f "$errors"' EXIT
bundle=$(kubectl get secret "$secret" --namespace "$namespace" --output 'jsonpath={.data.ca\.crt}' 2>"$errors") ||
  fail "kubectl could not read the Secret \`$secret\` in the namespace \`$namespace\`: $(cat "$errors")" \
    "webhook-create-signed-cert.sh makes it"
[ -n "$bundle" ] || fail "the Secret \`$secret\` in the namespace \`$namespace\` has no ca.crt" \
  "webhook-create-signed-cert.sh makes it"
openssl base64 -d -A <<<"$bundle" | openssl x509 -noout 2>/dev/null ||
  fail "the ca.crt in the Secret \`$secret\` is not a certificate"

# At one stroke, so that no half of a file is ever applied. Base64 has no `|`.
unfinished=$(mktemp "$output.XXXXXX") || fail "cannot write beside \`$output\`"
trap 'rm -f "$errors" "$unfinished"' EXIT
sed "/$placeholder/s|[$][{]CA_BUNDLE[}]|$bundle|" "$template" >"$unfinished"
chmod 644 "$unfinished"
mv -f "$unfinished" "$output"
echo "$output written"
