"""Runs the programs in `programs/`, one process each, and reports them line by line.

Each program is a whole client of its own: it must work alone (`python programs/NAME.py`), and what
it leaves in memory must not help the next one. A program passes when its process exits with 0
within its time; its last line on stderr is the reason when it does not.
"""

import contextlib
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"
# The slowest program (a Celery chord) needs about 10 s on a busy 2-core machine.
PROGRAM_SECONDS = 60
# After that it may still delete its queues.
CLEAN_UP_SECONDS = 10


def selected(filters):
    """Programs whose name contains one of `filters`, or all of them, in order of name."""
    names = sorted(path.stem for path in PROGRAMS.glob("*.py"))
    return [name for name in names if not filters or any(part in name for part in filters)]


def environment():
    """What a program needs to find the broker and the modules beside `programs/`."""
    env = dict(os.environ)
    host, port = env.get("AMQP_HOST", "127.0.0.1"), env.get("AMQP_PORT", "5672")
    env.setdefault("AMQP_URI", f"amqp://guest:guest@{host}:{port}/%2F")
    env["PYTHONPATH"] = os.pathsep.join([str(HERE), str(PROGRAMS)])
    env["PYTHONDONTWRITEBYTECODE"] = "1"
    return env


def reason(code, stderr):
    """One line that says why a program failed."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1]}" if lines else f"exit code {code}"


def run(name, env):
    """Runs one program; returns None when it passed, else (reason, whole stderr)."""
    # A file and not a pipe: a pipe may fill up, or stay open in a worker that the program left behind.
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAMS / f"{name}.py")],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=output,
            start_new_session=True,
        )
        try:
            process.wait(PROGRAM_SECONDS)
        except subprocess.TimeoutExpired:
            # It says where it hangs, cleans up and exits with 1.
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(CLEAN_UP_SECONDS)
        # The whole group: there may be workers left, or the program hangs for good.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        output.seek(0)
        stderr = output.read().decode(errors="replace")
    return None if code == 0 else (reason(code, stderr), stderr)


def main(filters):
    names, env = selected(filters), environment()
    if not names:
        print(f"FAIL python: no program matches {' '.join(filters)}")
        return 1
    # Left out, because they are ahead of the broker.
    later = os.environ.get("CONFORM_LATER", "").split()
    failed, began = 0, time.monotonic()
    for name in names:
        if name in later:
            print(f"later {name}", flush=True)
            continue
        program_began = time.monotonic()
        failure = run(name, env)
        seconds = time.monotonic() - program_began
        if failure is None:
            print(f"ok {name}", flush=True)
        else:
            failed += 1
            print(f"FAIL {name}: {failure[0]}", flush=True)
            if os.environ.get("CONFORM_VERBOSE"):
                print(failure[1], file=sys.stderr, flush=True)
        if os.environ.get("CONFORM_VERBOSE"):
            print(f"     {name} took {seconds:.1f} s", file=sys.stderr, flush=True)
    print(
        f"{len(names) - failed} of {len(names)} passed in {time.monotonic() - began:.0f} s", file=sys.stderr
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
