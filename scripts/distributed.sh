#!/usr/bin/env bash
# The distributed form on one machine: a Redis, two aggregators, two ingests, two exporters.
#
#   scripts/distributed.sh [FILES or globs...]           starts them, shows where they are, waits
#   scripts/distributed.sh --check [FILES or globs...]   on free ports: compares the totals with a
#                                                        recount, stops everything, exits 0 or 1
#
# Without files it counts examples/logs/*.csv. Everything listens on the loopback only. Ctrl-C stops
# all of it.
#
#   LOGTALLY_DEMO_DIR    Redis' data and the programs' logs (target/distributed). They stay there:
#                        started again, nothing is counted twice. Remove it to begin anew. --check
#                        uses a fresh folder inside, and removes it if all is well.
#   LOGTALLY_BIN_DIR     the programs (target/release, built if they are missing)
#   LOGTALLY_REDIS_PORT  port of the Redis that is started (6390: yours may run on 6379)
#
# Needs redis-server and curl; --check also python3.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
folder="${LOGTALLY_DEMO_DIR:-$root/target/distributed}"
programs="${LOGTALLY_BIN_DIR:-$root/target/release}"
redis_port="${LOGTALLY_REDIS_PORT:-6390}"

# Two of each: what it is for, then its admin listener; and of an ingest, where it takes pushes over
# HTTP.
aggregator_ports=(9510 9511 9512 9513)
ingest_ports=(9500 9501 9502 9503 9504 9505)
exporter_ports=(8000 8001 8010 8011)

names=()
pids=()
passed=false

fail() {
  echo "error: $*" >&2
  exit 1
}

usage() {
  sed -n '2,/^set -e/{/^#/s/^# \{0,1\}//p}' "${BASH_SOURCE[0]}"
}

parse_arguments() {
  check=false
  case "${1:-}" in
    --check) check=true && shift ;;
    -h | --help) usage && exit 0 ;;
    -*) fail "unknown option $1; see --help" ;;
  esac
  files=("$@")
  ((${#files[@]} > 0)) || files=("$root/examples/logs/*.csv")
}

# need PROGRAM HINT: refuses to go on without a program.
need() {
  command -v "$1" >/dev/null || fail "$1 is missing; $2"
}

build() {
  local program
  for program in logtally-aggregator logtally-ingest logtally-exporter; do
    if [[ ! -x $programs/$program ]]; then
      [[ -z ${LOGTALLY_BIN_DIR:-} ]] || fail "no $program in $LOGTALLY_BIN_DIR"
      (cd "$root" && cargo build --release --workspace --bins)
      return
    fi
  done
}

# Ports that nobody uses now, one per line.
free_ports() {
  python3 - "$1" <<'PYTHON'
import socket, sys

sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for s in sockets:
    s.bind(("127.0.0.1", 0))
for s in sockets:
    print(s.getsockname()[1])
PYTHON
}

take_free_ports() {
  local ports
  mapfile -t ports < <(free_ports 15)
  redis_port="${ports[0]}"
  aggregator_ports=("${ports[@]:1:4}")
  ingest_ports=("${ports[@]:5:6}")
  exporter_ports=("${ports[@]:11:4}")
}

# start NAME COMMAND...: runs a program in the background, its output in a file. Apart from the
# terminal, so that Ctrl-C reaches only this script, which stops all in order. (Where there is no
# setsid, they stop by themselves, which is as good but less tidy.)
start() {
  local name="$1"
  shift
  if command -v setsid >/dev/null; then
    set -- setsid "$@"
  fi
  "$@" >"$folder/$name.log" 2>&1 </dev/null &
  names+=("$name")
  pids+=("$!")
}

# Ends everything in the order that lets each part finish: readers first, the store last.
stop_all() {
  local i
  for ((i = ${#pids[@]} - 1; i >= 0; i--)); do
    kill -TERM "${pids[i]}" 2>/dev/null || true
    wait "${pids[i]}" 2>/dev/null || true
  done
  # What a failed check leaves behind is for whoever looks into it.
  if $check && $passed; then
    rm -rf "$folder"
  fi
}

# Fails if a program has ended by itself, with the end of its output.
check_running() {
  local i
  for i in "${!pids[@]}"; do
    if ! kill -0 "${pids[i]}" 2>/dev/null; then
      tail -n 5 "$folder/${names[i]}.log" >&2
      fail "${names[i]} has ended; its output is in $folder/${names[i]}.log"
    fi
  done
}

# until_true SECONDS WHAT COMMAND...: repeats a command until it succeeds.
until_true() {
  local deadline=$((SECONDS + $1)) what="$2"
  shift 2
  until "$@"; do
    check_running
    ((SECONDS < deadline)) || fail "$what: not within the time; see the logs in $folder"
    sleep 0.2
  done
}

is_ready() {
  curl --silent --fail --output /dev/null --max-time 5 "http://127.0.0.1:$1/-/ready"
}

redis_answers() {
  (exec 3<>"/dev/tcp/127.0.0.1/$redis_port") 2>/dev/null
}

start_redis() {
  ! redis_answers || fail "port $redis_port is in use; choose another with LOGTALLY_REDIS_PORT"
  mkdir -p "$folder/redis"
  start redis redis-server --port "$redis_port" --bind 127.0.0.1 --dir "$folder/redis" \
    --appendonly yes --appendfsync always --save "" --maxmemory-policy noeviction
  until_true 30 "Redis" redis_answers
}

start_programs() {
  local store="redis://127.0.0.1:$redis_port" ring="" i
  for i in 0 1; do
    local grpc="127.0.0.1:${aggregator_ports[2 * i]}"
    ring+="${ring:+,}aggregator-$i=$grpc"
    start "aggregator-$i" "$programs/logtally-aggregator" --store "$store" --durability fsync \
      --grpc.listen-address "$grpc" --admin.listen-address "127.0.0.1:${aggregator_ports[2 * i + 1]}"
  done
  for i in 0 1; do
    start "exporter-$i" "$programs/logtally-exporter" --store "$store" \
      --web.listen-address "127.0.0.1:${exporter_ports[2 * i]}" \
      --admin.listen-address "127.0.0.1:${exporter_ports[2 * i + 1]}"
  done
  for i in 0 1; do
    start "ingest-$i" "$programs/logtally-ingest" --aggregators "$ring" --volume demo \
      --shard "$i" --total-shards 2 \
      --grpc.listen-address "127.0.0.1:${ingest_ports[3 * i]}" \
      --admin.listen-address "127.0.0.1:${ingest_ports[3 * i + 1]}" \
      --push.listen-address "127.0.0.1:${ingest_ports[3 * i + 2]}" "${files[@]}"
  done
}

wait_until_ready() {
  local port
  for port in "${aggregator_ports[1]}" "${aggregator_ports[3]}" "${ingest_ports[1]}" \
    "${ingest_ports[4]}" "${exporter_ports[1]}" "${exporter_ports[3]}"; do
    until_true 30 "readiness on port $port" is_ready "$port"
  done
}

# page WHICH: the body of an exporter's page, into a file.
page() {
  curl --silent --fail --max-time 10 --output "$folder/page-$1" \
    "http://127.0.0.1:${exporter_ports[2 * $1]}/metrics"
}

# Whether both exporters serve counts, and the same bytes. While lines are being counted two requests
# one after the other may differ; at rest they may not.
pages_are_equal() {
  page 0 && page 1 && grep -q '^log_host_job_count' "$folder/page-0" &&
    cmp --silent "$folder/page-0" "$folder/page-1"
}

# The counts of a page as recount.py prints them.
counts_of() {
  python3 - "$1" <<'PYTHON'
import csv, re, sys

LINE = re.compile(r'log_host_job_count\{host="((?:[^"\\]|\\.)*)",job_name="((?:[^"\\]|\\.)*)"\} (\d+)$')
ESCAPES = {r"\\": "\\", r"\"": '"', r"\n": "\n"}


def plain(text):
    return re.sub(r"\\.", lambda found: ESCAPES[found[0]], text)


rows = []
for line in open(sys.argv[1], encoding="utf-8"):
    if found := LINE.match(line):
        rows.append((plain(found[1]), plain(found[2]), int(found[3])))
csv.writer(sys.stdout, lineterminator="\n").writerows(sorted(rows))
PYTHON
}

recount() {
  local pattern paths=()
  for pattern in "${files[@]}"; do
    # A pattern becomes the files that match it, a name stays what it is.
    mapfile -t -O "${#paths[@]}" paths < <(compgen -G "$pattern" || echo "$pattern")
  done
  python3 "$root/examples/recount.py" "${paths[@]}"
}

totals_are_exact() {
  pages_are_equal && counts_of "$folder/page-0" | cmp --silent - "$folder/expected"
}

run_check() {
  recount >"$folder/expected"
  until_true 60 "totals equal to the recount" totals_are_exact
  passed=true
  echo "ok: two exporters, the same bytes, $(wc -l <"$folder/expected") series as the recount has them"
}

show() {
  cat <<TEXT
counts       http://localhost:${exporter_ports[0]}/metrics and http://localhost:${exporter_ports[2]}/metrics
exporters    admin on http://localhost:${exporter_ports[1]} and http://localhost:${exporter_ports[3]}
ingests      admin on http://localhost:${ingest_ports[1]} and http://localhost:${ingest_ports[4]}
pushes       http://localhost:${ingest_ports[2]} and http://localhost:${ingest_ports[5]}, gRPC on :${ingest_ports[0]} and :${ingest_ports[3]}
aggregators  admin on http://localhost:${aggregator_ports[1]} and http://localhost:${aggregator_ports[3]}
redis        redis-cli -p $redis_port
logs         $folder/*.log

TEXT
  until_true 60 "equal pages" pages_are_equal
  echo "\$ cmp <(curl -s localhost:${exporter_ports[0]}/metrics) <(curl -s localhost:${exporter_ports[2]}/metrics) && echo same"
  echo "same"
  grep '^logtally_records' "$folder/page-0"
  printf '\nKill any of them and look again. Ctrl-C stops everything.\n'
}

# Until Ctrl-C. Whoever kills one of the programs wants to see the others go on.
wait_for_end() {
  local i
  while ((${#pids[@]} > 0)); do
    wait -n "${pids[@]}" 2>/dev/null || true
    for i in "${!pids[@]}"; do
      if ! kill -0 "${pids[i]}" 2>/dev/null; then
        echo "${names[i]} has ended"
        unset "pids[i]" "names[i]"
      fi
    done
    pids=("${pids[@]}")
    names=("${names[@]}")
  done
}

parse_arguments "$@"
need redis-server "on Debian and Ubuntu: apt install redis-server"
need curl "on Debian and Ubuntu: apt install curl"
build
mkdir -p "$folder"
if $check; then
  need python3 "it makes the recount"
  folder="$(mktemp -d "$folder/check-XXXXXX")"
  take_free_ports
fi
trap stop_all EXIT
trap 'exit 130' INT TERM
start_redis
start_programs
wait_until_ready
if $check; then
  run_check
else
  show
  wait_for_end
fi
