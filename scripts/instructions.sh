#!/usr/bin/env bash
# Counts the instructions of the hot loops with callgrind, and fails when one has grown by more than
# 5 % over bench/hot/instructions.json. `--update` counts anew and writes that file.
#
# It builds on top of what the tests have built: our crates once more, optimised (bench/hot/profile.toml).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# The whole workspace, so that cargo chooses the features that the tests have, too.
exec cargo test --quiet --workspace --bench instructions --config bench/hot/profile.toml -- "$@"
