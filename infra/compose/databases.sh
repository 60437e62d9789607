#!/usr/bin/env bash
# Run once by the image of PostgreSQL, when it makes its data: a role and a database each for catalog, key store and vault.
set -Eeuo pipefail

for part in catalog keys vault; do
    # psql reads the password itself, so that no command line shows it.
    psql -X -q -v ON_ERROR_STOP=1 --no-password -U postgres -d postgres <<SQL
\set password \`cat /run/postgres-secrets/$part-password\`
CREATE ROLE chatmai_$part LOGIN PASSWORD :'password';
CREATE DATABASE chatmai_$part OWNER chatmai_$part;
REVOKE CONNECT, TEMPORARY ON DATABASE chatmai_$part FROM PUBLIC;
SQL
done
