"""Memory of a process, as Linux counts it.

`resource.getrusage` is no use for it: a child begins with the peak of the process that started it, so a child
of a test run that has loaded torch "needs" some 600 MiB before its first line.
"""

from __future__ import annotations

from pathlib import Path


def memory(field: str, process: int | str = "self") -> float:
    """MiB of a field of /proc/PROCESS/status: `VmRSS` (held now) or `VmHWM` (held at most)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{field}:")).split()[1]) / 1024


def forget_peak(process: int | str = "self") -> None:
    """Let `VmHWM` begin anew from what is held now."""
    Path(f"/proc/{process}/clear_refs").write_text("5")
