"""The metrics: right over workers that come and go, and with no label value that a caller chose."""

import os
import re
import signal
import sys
import textwrap
from pathlib import Path

import pytest
import requests
from prometheus_client.mmap_dict import MmapedDict
from prometheus_client.parser import text_string_to_metric_families

from cds_service.card.outcomes import Outcome
from cds_service.installation import names_of
from cds_service.operations import metrics, metrics_folder
from cds_service.operations.metric_list import CARD_OUTCOMES, OTHER, PREFIX, allowed, described
from cds_service.operations.metrics import Metrics, mark_dead
from cds_service.operations.names import Names
from tests.canaries import Planted, found_in
from tests.serving import ROOT, free_port
from tests.shipped import example, library
from tests.waiting import answering, answers, clean_environment, wait_for

NAMES = Names(
    *(frozenset({f"{kind}-1", f"{kind}-2"}) for kind in ("service", "policy", "criterion", "key", "client")),
    checks=frozenset({"check-1"}),
    self_checks=frozenset({"golden-1"}),
    parts=frozenset({"store"}),
)


def samples(text):
    return {
        (sample.name.removeprefix(PREFIX), *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def exposed(metrics):
    return samples(metrics.exposition()[0].decode())


def everything_with(metrics, word):
    """Calls every method with a word in the place of every label."""
    metrics.call(word, word, 0.2)
    metrics.card(word, word)
    metrics.policy_failed(word)
    metrics.unknowns(word, [word])
    metrics.prefetch(word, word)
    metrics.fetch_failed(word)
    metrics.token_refused(word)
    metrics.rate_limited(word)
    metrics.feedback(word)
    metrics.form(word, word)
    metrics.form_took(word, 2)
    metrics.form_write_refused(word, word)
    metrics.form_met(word, word)
    metrics.storage(word, 0.5)
    metrics.removed(word, word, 1)
    metrics.self_check(word, True)
    metrics.ready(word, True)
    metrics.days_without_a_card(word, 3)


def test_what_happened_is_counted_under_its_labels():
    metrics = Metrics(NAMES, "1.2.3")
    metrics.call("service-1", "card", 0.02)
    metrics.call("service-1", "refused:412", 0.002)
    metrics.card("policy-1", "gaps")
    metrics.policy_failed("policy-2")
    metrics.unknowns("policy-1", ["criterion-1", "criterion-2"])
    metrics.prefetch("key-1", "filled")
    metrics.fetch_failed("timeout")
    metrics.fetched(0.3)
    metrics.token_refused("check-1")
    metrics.rate_limited("client-2")
    metrics.feedback("new")
    metrics.form("policy-1", "opened")
    metrics.form("policy-1", "signed")
    metrics.form_took("policy-1", 0.4)
    metrics.form_took("policy-1", 7)
    metrics.form_write_refused("Observation", "forbidden")
    metrics.form_met("policy-1", "criterion-1")
    metrics.storage("cards", 0.5)
    metrics.removed("feedback", "age", 7)
    metrics.audit_failed()
    metrics.log_fields_dropped(3)
    metrics.self_check("golden-1", True)
    metrics.ready("store", False)
    metrics.days_without_a_card("policy-1", 31)
    found = exposed(metrics)
    expected = {
        ("calls_total", "card", "service-1"): 1,
        ("calls_total", "refused:412", "service-1"): 1,
        ("call_seconds_count", "service-1"): 2,
        ("call_seconds_bucket", "0.0025", "service-1"): 1,
        ("call_seconds_bucket", "0.025", "service-1"): 2,
        ("cards_total", "gaps", "policy-1"): 1,
        ("policy_failures_total", "policy-2"): 1,
        ("unknowns_total", "criterion-1", "policy-1"): 1,
        ("unknowns_total", "criterion-2", "policy-1"): 1,
        ("prefetch_total", "key-1", "filled"): 1,
        ("fetch_failures_total", "timeout"): 1,
        ("fetch_seconds_sum",): 0.3,
        ("tokens_refused_total", "check-1"): 1,
        ("rate_limited_total", "client-2"): 1,
        ("feedback_total", "new"): 1,
        ("forms_total", "opened", "policy-1"): 1,
        ("forms_total", "signed", "policy-1"): 1,
        ("form_minutes_bucket", "0.5", "policy-1"): 1,
        ("form_minutes_bucket", "10.0", "policy-1"): 2,
        ("form_minutes_sum", "policy-1"): 7.4,
        ("form_writes_refused_total", "forbidden", "Observation"): 1,
        ("form_criteria_met_total", "criterion-1", "policy-1"): 1,
        ("storage_used_ratio", "cards"): 0.5,
        ("storage_removed_total", "feedback", "age"): 7,
        ("audit_failures_total",): 1,
        ("log_fields_dropped_total",): 3,
        ("self_check_failing", "golden-1"): 1,
        ("ready", "store"): 0,
        ("days_without_a_card", "policy-1"): 31,
        ("build_info", "1.2.3"): 1,
    }
    assert {key: found.get(key) for key in expected} == expected
    metrics.self_check("golden-1", False)
    metrics.ready("store", True)
    assert exposed(metrics)[("self_check_failing", "golden-1")] == 0
    assert exposed(metrics)[("ready", "store")] == 1


def test_no_word_of_a_request_becomes_a_label_or_a_series():
    """Each text of a request in the place of every label makes one series, called other."""
    planted = Planted(example("typical-gaps"))
    metrics = Metrics(names_of(library()))
    everything_with(metrics, "first")
    size = len(exposed(metrics))
    for mark in planted.marks:
        everything_with(metrics, mark)
    text = metrics.exposition()[0]
    assert found_in(text) == set()
    assert len(samples(text.decode())) == size
    assert exposed(metrics)[("cards_total", OTHER, OTHER)] == 1 + len(planted.marks)


def test_a_number_that_cannot_be_kept_costs_nobody_anything_and_is_logged_once(monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    metrics = Metrics(NAMES)
    with monkeypatch.context() as patched:
        patched.setattr("prometheus_client.Counter.labels", full)
        patched.setattr("prometheus_client.Histogram.labels", full)
        patched.setattr("prometheus_client.Gauge.labels", full)
        for _ in range(3):
            everything_with(metrics, "key-1")
    assert capsys.readouterr().err.count("metrics-failed") == 1
    metrics.feedback("new")
    assert exposed(metrics)[("feedback_total", "new")] == 1


def test_every_label_of_every_metric_has_a_closed_list():
    closed = allowed(NAMES, "1")
    assert {spec.name: spec.labels for spec in described() if spec.labels} == {
        name: tuple(labels) for name, labels in closed.items()
    }
    assert all(values for labels in closed.values() for values in labels.values())


def test_every_metric_is_exposed_with_its_kind_and_meaning():
    metrics = Metrics(NAMES)
    everything_with(metrics, "x")
    body, content_type = metrics.exposition()
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    text = body.decode()
    for spec in described():
        assert f"# HELP {spec.name} {spec.help}\n" in text
        assert f"# TYPE {spec.name} {spec.kind}\n" in text
    exposed_names = set(re.findall(r"# TYPE (\S+)", text))
    assert {name for name in exposed_names if not name.endswith("_created")} == {spec.name for spec in described()}


def test_names_follow_the_customs_of_prometheus():
    for spec in described():
        assert re.fullmatch(r"cds_service_[a-z_]+", spec.name)
        assert spec.name.endswith("_total") is (spec.kind == "counter")
        assert bool(spec.buckets) is (spec.kind == "histogram")
        assert spec.help.endswith(".")


def test_the_folder_is_private_empty_and_named_in_the_environment(tmp_path):
    environment = {}
    folder = metrics_folder.prepare(environment)
    try:
        assert environment == {metrics_folder.VARIABLE: str(folder)}
        assert folder.stat().st_mode & 0o777 == 0o700
    finally:
        metrics_folder.remove(folder)
    assert not folder.exists()


def test_a_folder_of_the_operator_loses_the_numbers_of_an_earlier_run_and_nothing_else(tmp_path):
    (tmp_path / "counter_1.db").write_text("")
    (tmp_path / "notes").write_text("")
    environment = {metrics_folder.VARIABLE: str(tmp_path)}
    assert metrics_folder.prepare(environment) == tmp_path
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_a_folder_that_would_come_too_late_is_refused():
    with pytest.raises(RuntimeError, match="before prometheus_client is imported"):
        metrics_folder.prepare()


def test_in_one_process_no_worker_is_forgotten(monkeypatch):
    monkeypatch.delenv(metrics_folder.VARIABLE, raising=False)
    monkeypatch.setattr(metrics, "mark_process_dead", lambda _: pytest.fail("its files were looked for"))
    mark_dead(1)


CUT_OFF = {"empty": b"", "cut off": b"\x40", "of other bytes": b"\xff\x7f" * 200}


def left_by_a_worker(folder, pid, number):
    """The file of numbers that a worker leaves behind."""
    numbers = MmapedDict(str(folder / f"counter_{pid}.db"))
    numbers.write_value("calls", number, 0.0)
    numbers.close()


def kept_of_ended_workers(folder):
    return {key: value for key, value, *_ in MmapedDict.read_all_values_from_file(str(folder / "counter_0.db"))}


@pytest.mark.parametrize("content", CUT_OFF.values(), ids=CUT_OFF)
def test_a_worker_that_was_killed_while_it_made_its_file_costs_its_own_numbers_alone(
    content, monkeypatch, tmp_path, capsys
):
    metrics = Metrics(NAMES)
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    (tmp_path / "counter_41.db").write_bytes(content)
    for pid, number in ((42, 2.0), (43, 3.0)):
        left_by_a_worker(tmp_path, pid, number)
    for pid in (41, 42, 43):
        metrics.worker_ended(pid)
    assert kept_of_ended_workers(tmp_path) == {"calls": 5.0}
    assert [path.name for path in tmp_path.iterdir()] == ["counter_0.db"]
    assert capsys.readouterr().err.count("metrics-failed") == 1


def test_what_a_worker_counted_waits_while_the_numbers_are_read(monkeypatch, tmp_path):
    metrics = Metrics(NAMES)
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    left_by_a_worker(tmp_path, 42, 2.0)
    with metrics_folder.reading(tmp_path):
        metrics.worker_ended(42)
        assert (tmp_path / "counter_42.db").exists()
    left_by_a_worker(tmp_path, 43, 3.0)
    metrics.worker_ended(43)
    assert kept_of_ended_workers(tmp_path) == {"calls": 5.0}
    assert [path.name for path in tmp_path.iterdir()] == ["counter_0.db"]


def test_what_a_worker_counted_waits_until_the_disk_has_room(monkeypatch, tmp_path, capsys):
    """Written all the same, it would end the main process: a map of a file has no other way to say that it is full."""

    def full(*_):
        raise OSError(28, "No space left on device")

    metrics = Metrics(NAMES)
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    left_by_a_worker(tmp_path, 42, 2.0)
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        metrics.worker_ended(42)
    assert capsys.readouterr().err.count("metrics-failed") == 1
    left_by_a_worker(tmp_path, 43, 3.0)
    metrics.worker_ended(43)
    assert kept_of_ended_workers(tmp_path) == {"calls": 5.0}
    assert [path.name for path in tmp_path.iterdir()] == ["counter_0.db"]


def test_the_disk_holds_what_a_process_counts_before_it_counts(monkeypatch, tmp_path):
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    Metrics(NAMES).call("service-1", "card", 0.2)
    held = {path.name: path.stat() for path in tmp_path.glob(f"*_{os.getpid()}.db")}
    assert {f"counter_{os.getpid()}.db", f"histogram_{os.getpid()}.db"} <= held.keys()
    # A file with holes has fewer blocks (of 512 bytes) than its size.
    assert all(found.st_blocks * 512 >= found.st_size > 0 for found in held.values())


def test_on_a_full_disk_nothing_is_counted_until_there_is_room(monkeypatch, tmp_path, capsys):
    """Counted all the same, it would end the worker: a map of a file has no other way to say that it is full."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    with monkeypatch.context() as patched:
        patched.setattr(os, "posix_fallocate", full)
        metrics = Metrics(NAMES)
        metrics.call("service-1", "card", 0.2)
        assert list(tmp_path.glob("*.db")) == []
    assert capsys.readouterr().err.count("metrics-failed") == 1
    metrics.call("service-1", "card", 0.2)
    assert list(tmp_path.glob("counter_*.db")) != []


def test_the_file_of_sums_grows_with_its_numbers_and_not_with_the_workers_that_end(monkeypatch, tmp_path):
    monkeypatch.setenv(metrics_folder.VARIABLE, str(tmp_path))
    sizes = []
    for pid in range(41, 61):
        left_by_a_worker(tmp_path, pid, 1.0)
        mark_dead(pid)
        sizes.append((tmp_path / "counter_0.db").stat().st_size)
    assert len(set(sizes[1:])) == 1
    assert kept_of_ended_workers(tmp_path) == {"calls": 20.0}


PROGRAM = """
    import os, socket, sys
    from cds_service.operations import metrics_folder
    folder = metrics_folder.prepare()
    from flask import Flask, request
    from cds_service.operations.metrics import Metrics, mark_dead
    from cds_service.operations.names import Names
    from cds_service.server.gunicorn_server import Server

    metrics = Metrics(Names(services=frozenset({"s"}), parts=frozenset({"store"})), "1")
    app = Flask("tiny")

    @app.post("/call")
    def call():
        metrics.call("s", "card", 0.01)
        metrics.ready("store", "unready" not in request.args)
        return str(os.getpid())

    @app.get("/metrics")
    def exposition():
        return metrics.exposition()[0]

    class Counted(Server):
        def load_config(self):
            super().load_config()
            self.cfg.set("child_exit", lambda arbiter, worker: mark_dead(worker.pid))
            self.cfg.set("on_exit", lambda arbiter: metrics_folder.remove(folder))
            self.cfg.set("loglevel", "error")

    print(folder, flush=True)
    Counted(app, "127.0.0.1", int(sys.argv[1]), 2).run()
"""


@pytest.fixture
def served(tmp_path):
    port, log = free_port(), tmp_path / "log"
    environment = clean_environment({})
    environment.pop(metrics_folder.VARIABLE, None)
    command = [sys.executable, "-c", textwrap.dedent(PROGRAM), str(port)]
    address = f"http://127.0.0.1:{port}"
    with answering(command, f"{address}/metrics", cwd=ROOT, environment=environment, log=log):
        folder = Path(log.read_text().partition("\n")[0])
        assert folder.is_dir()
        yield address, folder
    assert not folder.exists()


def call(base, path="/call"):
    # Each call has its own connection, so that both workers get some.
    with requests.Session() as session:
        session.headers["Connection"] = "close"
        return session.post(base + path, timeout=60).text


def scraped(base):
    return samples(requests.get(base + "/metrics", timeout=60, headers={"Connection": "close"}).text)


def test_sums_are_exact_over_two_workers_also_after_one_was_killed_and_replaced(served):
    base, folder = served
    wait_for(lambda: answers(base + "/metrics"), "the numbers can be read")
    made, workers = 0, set()

    def calls_by(seen):
        nonlocal made
        try:
            seen.add(call(base))
            made += 1
        except requests.RequestException:
            pass
        return seen

    wait_for(lambda: len(calls_by(workers)) == 2, "two workers answer")
    assert scraped(base)[("calls_total", "card", "s")] == made
    assert scraped(base)[("ready", "store")] == 1

    unready = call(base, "/call?unready")
    made += 1
    assert scraped(base)[("ready", "store")] == 0, "the least of all workers counts"

    os.kill(int(unready), signal.SIGKILL)
    # What the worker counted stays; what it said of its own state is forgotten. Nobody reads the numbers meanwhile, or
    # its files would wait for the next worker that ends.
    wait_for(lambda: not list(folder.glob(f"*{unready}*")), "the killed worker's files are removed")
    replaced = set()
    wait_for(lambda: len(calls_by(replaced)) == 2, "two workers answer again")
    assert unready not in replaced
    for _ in range(5):
        found = scraped(base)
        assert found[("calls_total", "card", "s")] == made
        assert found[("call_seconds_count", "s")] == made
        assert found[("ready", "store")] == 1
        assert found[("build_info", "1")] == 1


def test_cards_are_counted_by_each_outcome_and_late():
    assert set(CARD_OUTCOMES) == {outcome.value for outcome in Outcome} | {"late"}
