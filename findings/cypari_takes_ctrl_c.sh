#!/usr/bin/env bash
# Importing cypari replaces the caller's handler of Ctrl-C, and fails in any thread but the main one.
#
# Version:  cypari 2.5.7 (PARI 2.15.4)
# Expected: an import leaves the handlers of signals alone, and works in every thread.
# Seen:     after `import cypari` SIGINT is cypari's; in another thread the import raises "signal only works in main thread".
# Matters:  a program that saves its work on Ctrl-C stops saving it; a server that imports in a worker fails. Import it first, in the main
#           thread, and set your handler after that.
set -euo pipefail
work=$(mktemp -d); trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check cypari==2.5.7 >/dev/null 2>&1
"$work/venv/bin/python" - <<'PY'
import signal


def mine(*_):
    print("saved")


signal.signal(signal.SIGINT, mine)
import cypari

print("the handler after the import:", signal.getsignal(signal.SIGINT))
assert signal.getsignal(signal.SIGINT) is not mine
PY
"$work/venv/bin/python" - <<'PY'
import threading

seen = []


def work():
    try:
        import cypari
    except ValueError as error:
        seen.append(str(error))


thread = threading.Thread(target=work)
thread.start()
thread.join()
print("in a thread:", *seen)
assert "main thread" in seen[0]
PY
