#!/usr/bin/env bash
# Tests what reads and loads files with the lowest versions that pyproject.toml allows, on the lowest
# Python where there is one.
#
# usage: tools/lowest.sh [EXTRAS]   e.g. studio,serve,train; training brings torch, several gigabytes
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:-studio,serve}
python=python3
for found in python3.10 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10*/bin/python; do
    if "$found" -c "" 2>/dev/null; then
        python=$found
        break
    fi
done
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$python" -m venv "$folder"
"$folder/bin/pip" install -q -c requirements-lowest.txt ".[$extras]" pytest pytest-xdist hypothesis
"$folder/bin/python" --version
tests=(tests/test_{images,faulty_pictures,matrix,matting,saving,files,cli_faults}.py)
case $extras in *train*) tests+=(tests/test_stored.py) ;; esac
"$folder/bin/python" -m pytest -q -p no:cacheprovider "${tests[@]}"
