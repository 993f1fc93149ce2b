"""`python -m lib_anim ui` as a person starts and ends it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

for package in ("gradio", "platformdirs"):
    pytest.importorskip(package, reason="needs packages for the page and the command: make test-ui")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_the_page_is_served_until_the_command_is_ended(tmp_path: Path, sent: signal.Signals) -> None:
    command = [sys.executable, "-m", "lib_anim", "ui", "--port", "0", "--home", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", said)
            assert found is not None, said + process.communicate(timeout=60)[1]
            # The port listens already; the answer comes once the page is there.
            with urllib.request.urlopen(found[0], timeout=120) as answer:
                page = answer.read().decode()
            assert 'flipbook_tab_keyframed_generate"' in page
            with urllib.request.urlopen(f"{found[0]}/flipbook/v1/jobs", timeout=60) as answer:
                assert answer.status == 200
            process.send_signal(sent)
            rest, errors = process.communicate(timeout=60)
        finally:
            process.kill()
    assert "Traceback" not in rest + errors
    assert process.returncode in (0, -sent, 128 + sent)
