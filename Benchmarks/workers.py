"""Worker processes: starting them, asking them, and what the system knows about them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
# Settings of a user's shell that would favour or slow one of the workers.
REMOVED = ["OMP_WAIT_POLICY", "OMP_PROC_BIND", "OMP_PLACES", "GOMP_SPINCOUNT", "GOMP_CPU_AFFINITY"]
REMOVED += ["KMP_BLOCKTIME", "KMP_AFFINITY"]
LIMIT_SECONDS = 900


class Trouble(Exception):
    """A worker died, answered nonsense, or refused."""


def environment(threads: int) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in REMOVED}
    return kept | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONWARNINGS": "ignore",
    }


class Worker:
    def __init__(self, name: str, command: list[str], threads: int):
        self.name, self.stderr = name, tempfile.TemporaryFile()
        self.started = time.perf_counter()
        try:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self.stderr,
                text=True,
                env=environment(threads),
            )
        except OSError as error:
            raise Trouble(f"Expected a worker at {command[0]}, found none: {error}.") from error
        self.lines: queue.Queue = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.put(line)
        self.lines.put(None)

    def ask(self, work: str, **fields) -> dict:
        request = json.dumps({"work": work} | fields)
        try:
            self.process.stdin.write(request + "\n")
            self.process.stdin.flush()
            line = self.lines.get(timeout=LIMIT_SECONDS)
        except (OSError, queue.Empty) as error:
            raise Trouble(self._sad(f"{type(error).__name__} after {request}")) from error
        if line is None:
            self.process.wait()
            raise Trouble(self._sad(f"status {self.process.returncode} after {request}"))
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise Trouble(self._sad(f"{line[:200]!r} as the answer to {request}")) from error
        if "error" in answer:
            raise Trouble(self._sad(f"'{answer['error']}' as the answer to {request}"))
        return answer

    def _sad(self, found: str) -> str:
        self.stderr.seek(0)
        tail = self.stderr.read().decode(errors="replace").splitlines()[-20:]
        shown = "\n".join(["the end of its standard error:", *tail]) if tail else "it said nothing"
        return f"Expected an answer of the worker {self.name}, found {found}; {shown}"

    def close(self):
        with contextlib.suppress(BrokenPipeError):  # it died with a request unread
            self.process.stdin.close()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.stderr.close()

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def reset_peak(self) -> None:
        """The kernel counts the peak anew from here (`man 5 proc`, clear_refs)."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def peak_bytes(self) -> int:
        """Most memory in use at once, mapped files that were read included."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmHWM:")]
        return int(line.split()[1]) * 1024


def machine_seconds() -> tuple[float, float]:
    """Seconds that all cores have worked, and that the hypervisor has withheld, since the start."""
    fields = [int(n) / TICK for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    user, nice, system, _idle, _wait, hard, soft, steal = fields
    return user + nice + system + hard + soft, steal


class Team:
    """Workers by name, started when first asked, and who used the cores while one was timed."""

    PAUSE = 0.1  # seconds; see README.md, "Idle workers"

    def __init__(self, commands: dict[str, list[str]], threads: int):
        self.commands, self.threads = commands, threads
        self.workers: dict[str, Worker] = {}
        self.used = {"wall": 0.0, "asked": 0.0, "idle workers": 0.0, "others": 0.0, "stolen": 0.0}

    def __getitem__(self, name: str) -> Worker:
        if name not in self.workers:
            self.workers[name] = self.fresh(name)
        return self.workers[name]

    def started(self, *more: str) -> list[str]:
        """Of the workers, those that were asked something, and `more`."""
        return [name for name in self.commands if name in self.workers or name in more]

    def fresh(self, name: str) -> Worker:
        return Worker(name, self.commands[name], self.threads)

    def timed(self, name: str, work: str, **fields) -> dict:
        """As `ask`, after the last worker's threads have gone to sleep, with the books kept."""
        worker = self[name]
        time.sleep(self.PAUSE)
        before, mine, start = self._books(), worker.cpu_seconds(), time.perf_counter()
        answer = worker.ask(work, **fields)
        wall, spent, after = time.perf_counter() - start, worker.cpu_seconds() - mine, self._books()
        worked, stolen, team = (b - a for a, b in zip(before, after))
        self.used["wall"] += wall
        self.used["asked"] += spent
        self.used["idle workers"] += team - spent
        self.used["others"] += max(0.0, worked - team)
        self.used["stolen"] += stolen
        return answer

    def _books(self) -> tuple[float, float, float]:
        return *machine_seconds(), sum(w.cpu_seconds() for w in self.workers.values())

    def close(self):
        for worker in self.workers.values():
            worker.close()
        self.workers.clear()
