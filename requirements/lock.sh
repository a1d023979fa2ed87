#!/bin/sh
# Writes the hash-locked requirement files anew, for Python 3.11 to 3.13 on Linux. Needs uv.
set -eu
cd "$(dirname "$0")/.."
lock() { # file, extras
    output=requirements/$1.txt; shift
    compile "$output" pyproject.toml "$@"
}
compile() { # file, what asks for packages
    output=$1; shift
    uv pip compile "$@" --universal --python-version 3.11 --generate-hashes --quiet \
        --override requirements/overrides.txt --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
        --output-file "$output"
}
lock gateway --extra gateway --extra embedded
mkdir -p requirements/images
lock images/gateway --extra gateway
lock images/gateway-gpu --extra gateway --extra gpu
# only what the layers of the image without a GPU do not have
awk 'FNR == NR { if (/^[a-z]/) { split($1, name, "="); known[name[1]] } next }
    /^[a-z]/ { split($1, name, "="); wanted = !(name[1] in known) } wanted' \
    requirements/images/gateway.txt requirements/images/gateway-gpu.txt > requirements/images/gateway-gpu.new
mv requirements/images/gateway-gpu.new requirements/images/gateway-gpu.txt
lock images/triton --extra triton
lock images/triton-gpu --extra triton --extra compiler
lock images/compiler --extra gateway --extra embedded --extra compiler
echo "setuptools>=69" | compile requirements/images/setuptools.txt -  # makes the commands in an image
# of the wheel an image takes the server, not what its Python API needs
awk '/^[a-z]/ { wanted = /^nvidia-pytriton=/ } wanted' requirements/gateway.txt > requirements/images/triton-server.txt
lock device-agent --extra device-agent-nvidia
lock compiler --extra compiler
lock development --extra gateway --extra embedded --extra device-agent-nvidia --extra compiler --extra training --extra bench --extra dev
