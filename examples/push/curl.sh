#!/usr/bin/env bash
# Pushes over HTTP in all its forms, with nothing but curl.
#
#   examples/push/curl.sh [URL]
#
# URL is that of an ingest (http://localhost:9502). Started a second time, the parts with a key or a
# producer count nothing new; the others count again. That is the difference.

set -euo pipefail

url="${1:-http://localhost:9502}"

# say TITLE: before each answer.
say() { printf '\n# %s\n' "$1"; }

# post CURL-ARGUMENTS…: prints the answer; fails with it if the push was refused.
post() { curl --silent --show-error --fail-with-body --max-time 30 "$@" && echo; }

say "CSV, as host and job_name. No key: a retry would count again, and the answer says so"
printf 'web1,backup\nweb1,sync\n' |
  post --header 'Content-Type: text/csv' --data-binary @- "$url/push"

say "JSON lines"
printf '%s\n' '{"host": "web2", "job_name": "backup"}' '{"host": "web2", "job_name": "sync"}' |
  post --header 'Content-Type: application/x-ndjson' --data-binary @- "$url/push"

say "Any format by its name"
printf 'host=web3 job_name=backup\n' | post --data-binary @- "$url/push?format=logfmt"

say "Compressed"
printf 'web4,backup\nweb4,backup\n' | gzip |
  post --header 'Content-Type: text/csv' --header 'Content-Encoding: gzip' --data-binary @- "$url/push"

say "With a key: counted once, however often it is sent"
for _ in 1 2; do
  printf 'web5,backup\n' |
    post --header 'Content-Type: text/csv' --header 'Idempotency-Key: example-1' \
      --data-binary @- "$url/push"
done

say "As a producer: opened once, which tells the epoch, and the number of the last message"
opened="$(post --request POST "$url/producers/example/curl")"
echo "$opened"
epoch="$(sed -E 's/.*"epoch":"([0-9a-f]+)".*/\1/' <<<"$opened")"
sequence="$(sed -E 's/.*"sequence":([0-9]+).*/\1/' <<<"$opened")"

# push_next NUMBER: one message of the producer.
push_next() {
  printf 'web6,backup\nweb6,sync\n' |
    post --header 'Content-Type: text/csv' --header 'Logtally-Producer: example/curl' \
      --header "Logtally-Epoch: $epoch" --header "Logtally-Sequence: $1" \
      --data-binary @- "$url/push"
}

# A program of your own remembers nothing but this: what it has not sent yet begins after `sequence`.
if ((sequence == 0)); then
  push_next 1
  say "Sent again, because the answer was lost, perhaps"
  push_next 1
fi

say "Metrics of a batch job, as to a Pushgateway: counters add up, gauges are the last"
post --header 'Idempotency-Key: run-1' --data-binary @- "$url/metrics/job/backup/instance/web1" <<'METRICS'
# TYPE backup_bytes_total counter
# HELP backup_bytes_total Bytes that were saved.
backup_bytes_total{disk="sda"} 2048
# TYPE backup_last_success_seconds gauge
backup_last_success_seconds 1.7e9
METRICS

say "The groups that were pushed"
post "$url/api/groups"

# curl --request DELETE "$url/metrics/job/backup/instance/web1" would forget the group.
