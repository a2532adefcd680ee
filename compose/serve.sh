#!/bin/sh
# Runs the service $1 with its own secrets, which are files of the volume `secrets`; each further argument is a directory
# of files that are variables, as of a payment provider.
set -eu
name=$1
secrets=${SECRETS:-/secrets}
database=$(echo "$name" | tr - _)

# The gateway has no database.
if [ -f "$secrets/mongodb/$name" ]; then
    password=$(cat "$secrets/mongodb/$name")
    export COMPTOIR_MONGODB_URI="mongodb://$name:$password@${MONGODB:-mongodb:27017}/$database?authSource=$database&replicaSet=rs0"
fi
# A program beside the mesh has no user of NATS, and neither has it a key; the gateway has no key.
if [ -f "$secrets/nats/$name" ]; then
    COMPTOIR_NATS_PASSWORD=$(cat "$secrets/nats/$name")
    export COMPTOIR_NATS_PASSWORD
    export COMPTOIR_NATS_URL="${NATS:-nats://nats:4222}"
    export COMPTOIR_JWKS_FILE="$secrets/keys/jwks.json"
fi
if [ -f "$secrets/keys/$name.pem" ]; then
    export COMPTOIR_SERVICE_KEY_FILE="$secrets/keys/$name.pem"
fi
for directory in "$@"; do
    for file in "$secrets/$directory"/COMPTOIR_*; do
        if [ -f "$file" ]; then export "$(basename "$file")=$(cat "$file")"; fi
    done
done
exec comptoir serve "$name"
