"""What several folders of tests share."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Launch = Callable[[str], tuple[dict[str, Any], dict[str, Any]]]


@pytest.fixture
def one_and_two_processes(tmp_path: Path) -> Launch:
    """Run a script alone and in two processes; it writes JSON to its first argument and may keep files in its second, a new folder."""

    def launch(text: str) -> tuple[dict[str, Any], dict[str, Any]]:
        script = tmp_path / "script.py"
        script.write_text(text + LEAVE)
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        two = [sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", "--num_machines", "1"]
        two += ["--mixed_precision", "no", "--dynamo_backend", "no", "--main_process_port", str(port)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo", "ACCELERATE_USE_CPU": "true"}
        found = []
        for name, command in (("one", [sys.executable]), ("two", two)):
            out = tmp_path / f"{name}.json"
            call = [*command, str(script), str(out), str(tmp_path / name)]
            done = subprocess.run(call, env=environment, capture_output=True, text=True, timeout=180)
            assert done.returncode == 0, done.stderr[-2000:]
            found.append(json.loads(out.read_text()))
        return found[0], found[1]

    return launch


#: Leave together: a process whose peers are gone aborts in its communication threads. The first one out of the barrier waits until the
#: others, too, have surely left it.
LEAVE = """
import time
state.wait_for_everyone()
time.sleep(1.0)
state.destroy_process_group()
"""
