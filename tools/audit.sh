#!/usr/bin/env bash
# Looks up known vulnerabilities of bertfast's dependencies: the base install and the extras export
# and jobs, as pip resolves them today in a fresh environment. It fails, too, if one cannot be looked
# up: needs pypi.org's record of each release (pypi.org/pypi/NAME/VERSION/json), which not every
# mirror has.
#
# Usage: tools/audit.sh PYTHON      an interpreter with pip-audit
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:?usage: tools/audit.sh PYTHON}
work=$PWD/build/audit
rm -rf "$work"
mkdir -p "$work"
"$python" -m venv "$work/venv"
"$work/venv/bin/python" - >"$work/requirements.txt" <<'PYTHON'
import re
text = open("pyproject.toml", encoding="utf-8").read()
lists = re.findall(r"^(?:dependencies|export|jobs) = \[(.*?)\]$", text, re.MULTILINE | re.DOTALL)
# A marker has quotes of its own, single ones; comments have none that close.
print("\n".join(name for found in lists for name in re.findall(r'"([^"]+)"', found)))
PYTHON
"$work/venv/bin/python" -m pip install --quiet --upgrade pip
"$work/venv/bin/python" -m pip install --quiet --requirement "$work/requirements.txt"
"$work/venv/bin/python" -m pip freeze >"$work/installed.txt"
# pip and setuptools come with the environment and are left out: bertfast needs neither to run.
"$python" -m pip_audit --strict --requirement "$work/installed.txt" --no-deps --disable-pip
