"""A real PostgreSQL on loopback, of our own: made in a temporary folder, ended by its process id."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

MISSING = (
    "These tests need PostgreSQL's server programs (initdb, postgres), and they were not found. Install them (on "
    "Debian and Ubuntu: sudo apt-get install postgresql); `make test` does so as root on Debian."
)
OWNER = "cds_tests"
SECONDS_TO_START = 60


EMPTIED = """
DO $$ DECLARE name text; BEGIN
  FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
    EXECUTE format('DROP TABLE %I CASCADE', name);
  END LOOP;
END $$
"""


@dataclass(frozen=True)
class Cluster:
    """A running server; ``database`` gives an empty database of a new name, as its URL.

    To make one takes the server some 300 files, and 20 times as long as to empty one that was given back.
    """

    port: int
    password: str
    process: int
    given_back: list[str] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"postgresql+psycopg://{OWNER}:{self.password}@127.0.0.1:{self.port}/{name}"

    def database(self) -> str:
        name = f"store_{secrets.token_hex(6)}"
        if self.given_back:
            # Who still has the earlier name finds no database.
            self.execute(f"ALTER DATABASE {self.given_back.pop()} RENAME TO {name}")
        else:
            self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def give_back(self, url: str) -> None:
        """Ends the connections of a database and empties it, for a later caller of ``database``."""
        name = url.rpartition("/")[2]
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        self.execute(EMPTIED, name)
        self.given_back.append(name)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """The server does nothing meanwhile, as in a machine that is paused; its connections live."""
        self._signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        # The main process first, so that it makes no more; each server process is in a process group of its own.
        os.kill(self.process, number)
        for path in Path("/proc").glob("[0-9]*/stat"):
            # A process may end while it is looked at.
            with suppress(FileNotFoundError, ProcessLookupError):
                if int(path.read_text().rpartition(")")[2].split()[1]) == self.process:
                    os.kill(int(path.parent.name), number)

    def execute(self, statement: str, name: str = "postgres") -> None:
        with self.connect(name) as connection:
            connection.execute(statement)

    def connect(self, name: str = "postgres") -> psycopg.Connection:
        address: dict[str, Any] = {"host": "127.0.0.1", "port": self.port, "user": OWNER, "password": self.password}
        return psycopg.connect(**address, dbname=name, autocommit=True, connect_timeout=5)


def programs() -> Path:
    """The folder of initdb and postgres: Debian's, newest first, or that on the PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    found = str(debian[-1]) if debian else shutil.which("initdb")
    if found is None:
        raise RuntimeError(MISSING)
    return Path(found).resolve().parent


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Starts a server and ends it; as root it runs as the user ``postgres``, because it refuses to run as root."""
    binaries = programs()
    # Not pytest's own folder: that is closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="cds-service-postgresql-"))
    try:
        other: dict[str, Any] = {"cwd": folder}
        if os.geteuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            other |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        password = secrets.token_hex(16)
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        data = folder / "data"
        make = [binaries / "initdb", "-D", data, "-U", OWNER, "-A", "scram-sha-256", f"--pwfile={secret}"]
        subprocess.run([*make, "--no-sync", "-E", "UTF8", "--no-locale"], check=True, capture_output=True, **other)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        # What is tested is the death of our processes, not the machine's: the disk need not be waited for.
        settings = ["listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=200"]
        run = [
            binaries / "postgres",
            "-D",
            data,
            "-p",
            str(port),
            *(word for item in settings for word in ("-c", item)),
        ]
        with open(folder / "log", "wb") as log:
            process = subprocess.Popen(run, stdout=log, stderr=log, stdin=subprocess.DEVNULL, **other)
        try:
            started = Cluster(port, password, process.pid)
            _wait(started, process, folder / "log")
            yield started
        finally:
            end(process)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def end(process: subprocess.Popen) -> None:
    """Ends a server: "fast", so that connections are ended and nothing is waited for, and at the worst by force."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait(started: Cluster, process: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + SECONDS_TO_START
    while time.monotonic() < until:
        if process.poll() is not None:
            break
        try:
            started.connect().close()
            return
        except psycopg.OperationalError:
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
