#!/bin/sh
# Writes the hash-locked requirement files anew, for Python 3.11 to 3.13 on Linux. Needs uv.
set -eu
cd "$(dirname "$0")/.."
lock() { # file, extras
    output=requirements/$1.txt; shift
    uv pip compile pyproject.toml "$@" --universal --python-version 3.11 --generate-hashes --quiet \
        --override requirements/overrides.txt --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --output-file "$output"
}
lock gateway --extra gateway --extra embedded
lock device-agent --extra device-agent-nvidia
lock compiler --extra compiler
lock development --extra gateway --extra embedded --extra device-agent-nvidia --extra compiler --extra training --extra bench --extra dev
