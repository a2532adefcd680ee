#!/bin/sh
# Runs a command with each file of the directory $1 as a variable: `orders` as PASSWORD_ORDERS, `root` as ROOT_PASSWORD.
# $2 is put around each: nats-server reads variables as its configuration, where one that begins with a digit needs quotes.
set -eu
directory=$1
quote=$2
shift 2
for file in "$directory"/*; do
    name=$(basename "$file" | tr 'a-z-' 'A-Z_')
    variable=PASSWORD_$name
    if [ "$name" = ROOT ]; then variable=ROOT_PASSWORD; fi
    export "$variable=$quote$(cat "$file")$quote"
done
exec "$@"
