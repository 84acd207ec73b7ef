#!/usr/bin/env bash
# The one command that checks everything: formatting, lints, unit tests, whole-system tests with a
# real Redis and a real Prometheus, manifests, licences. CI runs exactly this.
#
# The last line is "N passed, N failed, N skipped". Failed also counts sections that are no tests
# (formatting, lints, a build), so it is 0 exactly when the exit code is.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export CARGO_TERM_COLOR="${CARGO_TERM_COLOR:-auto}"
export CARGO_TERM_PROGRESS_WHEN=never

scratch="$(mktemp -d)"
# Some tests run a program as somebody else, who must get to its files.
chmod 755 "$scratch"
trap 'rm -rf "$scratch"' EXIT
# What the tests put into temporary folders goes with ours, whatever happens to them.
export TMPDIR="$scratch"

failed_sections=0
skipped_sections=0

# section TITLE COMMAND…: runs a command under a heading, and remembers whether it failed. It goes
# on after a failure: one run shows everything that is wrong.
section() {
  local title="$1" begun="$SECONDS" result=ok
  shift
  printf '\n== %s\n' "$title"
  "$@" || result=FAILED
  [[ $result == ok ]] || failed_sections=$((failed_sections + 1))
  printf '== %s: %s (%d s)\n' "$title" "$result" "$((SECONDS - begun))"
  [[ $result == ok ]]
}

skip() {
  printf '\n== %s: skipped (%s)\n' "$1" "$2"
  skipped_sections=$((skipped_sections + 1))
}

# Programs that the whole-system tests start, each with its Debian package.
missing_packages() {
  local pair
  for pair in redis-server:redis-server redis-cli:redis-tools prometheus:prometheus curl:curl \
    valgrind:valgrind; do
    command -v "${pair%%:*}" >/dev/null || printf '%s ' "${pair##*:}"
  done
  # Debian's python3 comes without what makes environments.
  python3 -c 'import ensurepip, venv' 2>/dev/null || printf 'python3 python3-venv '
}

install_missing_packages() {
  local packages
  packages="$(missing_packages)"
  [[ -n $packages ]] || return 0
  local install="apt-get update && apt-get install --yes --no-install-recommends $packages"
  if [[ $EUID -ne 0 ]] || ! command -v apt-get >/dev/null; then
    echo "The tests need programs that are missing here. Please run:" >&2
    echo "  sudo sh -c '$install'" >&2
    exit 1
  fi
  DEBIAN_FRONTEND=noninteractive sh -c "$install" || return 1
  # The packages start services of their own. They were not here before, so nobody needs them.
  local service
  for service in redis-server prometheus; do
    if [[ " $packages" == *" $service "* ]] && command -v service >/dev/null; then
      service "$service" stop >/dev/null 2>&1 || true
    fi
  done
}

cargo_tests() {
  # Colours would hide the result lines from the sum below.
  CARGO_TERM_COLOR=never cargo test --workspace --no-fail-fast 2>&1 | tee "$scratch/tests.txt"
}

# sum WORD: adds up the numbers before WORD in cargo's result lines.
sum() {
  awk -v word="$1" '
    /^test result:/ { for (i = 2; i <= NF; i++) if ($i ~ "^" word) total += $(i - 1) }
    END { print total + 0 }' "$scratch/tests.txt"
}

section "Programs that the tests need" install_missing_packages
section "Formatting" cargo fmt --all --check || true
section "Lints" cargo clippy --workspace --all-targets -- -D warnings || true
touch "$scratch/tests.txt"
# The whole-system tests start the programs, and cargo builds no programs for another package's
# tests: without them, every one of those tests would fail for the same reason.
# All targets at once, because with other targets cargo would choose other features, and build
# everything twice.
if section "Programs" cargo build --workspace --all-targets; then
  section "Tests" cargo_tests || true
else
  skip "Tests" "the programs do not build"
fi
# In the profile of the tests, and short: the ratio is what counts.
section "Cost of rules" cargo test --quiet --workspace --bench rules -- --test || true
# Short: whether what is pushed as fast as it goes is counted to the line.
section "Cost of pushes" "${CARGO_TARGET_DIR:-target}/debug/logtally-bench" push --short || true
# Short: whether logtally, and whoever of the others is installed, counts files to the line.
section "Cost of files" "${CARGO_TARGET_DIR:-target}/debug/logtally-bench" files --short || true
section "Cost of commits" "${CARGO_TARGET_DIR:-target}/debug/logtally-bench" store --short || true
section "Cost of scrapes" "${CARGO_TARGET_DIR:-target}/debug/logtally-bench" scrape --short || true
section "From a record to the page" \
  "${CARGO_TARGET_DIR:-target}/debug/logtally-bench" latency --short || true
# Instructions, because times say nothing on a machine that is busy with other things.
section "Instructions of the hot loops" scripts/instructions.sh || true
if [[ -x scripts/check-manifests.sh ]]; then
  section "Manifests" scripts/check-manifests.sh || true
fi
section "Pictures of the architecture" scripts/draw-architecture.py --check || true
# Advisories are fetched from elsewhere and change without us: `cargo deny check advisories`.
if command -v cargo-deny >/dev/null; then
  section "Licences, bans, sources" cargo deny check licenses bans sources || true
else
  skip "Licences, bans, sources" "cargo-deny is not installed: cargo install cargo-deny"
fi

failed_tests="$(sum failed)"
# A failed test fails its section too: that is one failure, not two.
if ((failed_tests > 0)); then
  failed_sections=$((failed_sections - 1))
fi
failed=$((failed_tests + failed_sections))
printf '\n'
printf '%d passed, %d failed, %d skipped\n' \
  "$(sum passed)" "$failed" "$(($(sum ignored) + skipped_sections))"
((failed == 0))
