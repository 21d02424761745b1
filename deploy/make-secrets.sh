#!/bin/sh
# Makes the secrets that docker-compose.yml mounts, random ones, and overwrites none:
#
#   deploy/make-secrets.sh [DIRECTORY]        # deploy/secrets, unless another is given
#
# The directory gets the mode 0700, the files 0444. Containers see a file with the owner and the mode it has
# here, and read it as users that this machine does not know (10001 in the image of Tidings, others in those
# of Grafana and RabbitMQ), so everybody may read the file; but nobody but you gets to it.
#
# Keep copies of admin_key and encryption_key, apart from those of the database.
set -eu

directory=${1:-$(dirname "$0")/secrets}
files='admin_key encryption_key postgres_password store_url rabbitmq_user broker_url grafana_password'

mkdir -p "$directory"
chmod 0700 "$directory"
cd "$directory"

for file in $files; do
    if [ -e "$file" ]; then
        echo "$directory/$file is there already, and nothing was changed." >&2
        echo 'What is stored can be opened with the old secrets only: move them away to start anew.' >&2
        exit 1
    fi
done

# Letters and digits only, so that they fit into a URL as they are.
random() {
    od -An -tx1 -N24 /dev/urandom | tr -d ' \n'
}

# Nothing ends in a new line: not every reader removes one.
keep() {
    printf '%s' "$2" >"$1"
    chmod 0444 "$1"
}

postgres=$(random)
rabbitmq=$(random)

keep admin_key "$(random)"
keep encryption_key "$(dd if=/dev/urandom bs=32 count=1 2>/dev/null | base64)"
keep postgres_password "$postgres"
keep store_url "postgres://tidings:$postgres@postgres:5432/tidings"
keep rabbitmq_user "default_user = tidings
default_pass = $rabbitmq
"
keep broker_url "amqp://tidings:$rabbitmq@rabbitmq:5672/tidings"
keep grafana_password "$(random)"

echo "made in $directory: $files"
