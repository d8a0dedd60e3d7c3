#!/bin/sh
# Makes the secrets of compose.yaml, each once, and shows the administrator's password. Containers read them as other users,
# so that the files are readable and the folder is this user's alone.
set -eu
cd "$(dirname "$0")"
picoauth=${PICOAUTH:-picoauth} # go install github.com/picoauth/picoauth/serverauth/cmd/picoauth@latest
mkdir -p secrets
chmod 0700 secrets
umask 022
for name in postgres_password key_encryption_key admin_password grafana_admin; do
  [ -s "secrets/$name" ] || "$picoauth" secret > "secrets/$name"
done
[ -s secrets/storage_url ] ||
  printf 'postgres://picoauth:%s@postgres:5432/picoauth?sslmode=disable\n' "$(cat secrets/postgres_password)" > secrets/storage_url
if ! grep -qs '^GRAFANA_CLIENT_SECRET=' .env; then
  (umask 077 && printf 'GRAFANA_CLIENT_SECRET=%s\n' "$("$picoauth" secret)" >> .env)
fi
echo "The administrator is admin@pico.local, with the password $(cat secrets/admin_password)"
echo "Keep a copy of secrets/key_encryption_key elsewhere."
