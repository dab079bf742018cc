"""``cds-service store check | recover | prune``, and a service that starts without its store."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cds_service.app import create_app
from cds_service.commands.main import main
from cds_service.hooks.feedback import CardsShown, DayRange, FeedbackItem
from cds_service.installation import installation_of
from cds_service.self_check.checks import SelfCheck
from cds_service.server.gunicorn_server import install
from cds_service.settings.settings import Settings
from cds_service.store import shown
from cds_service.store.database import open_store
from cds_service.store.feedback import kept, save
from cds_service.store.shown import Shown
from tests.shipped import TODAY, example, library
from tests.test_trust_serving import BASE, PATH, bearer
from tests.torture import FEEDBACK

RECEIVED = datetime(2026, 11, 25, 10, 30, tzinfo=UTC)
ANY = DayRange()
SIGN = "/cds-services/coverage-guidance-order-sign"


def store(command: str, folder: Path, *arguments: str, url: str = "") -> Result:
    environment = {"CDS_SERVICE_STATE": str(folder), "CDS_SERVICE_STORE_URL": url}
    return CliRunner().invoke(main, ["store", command, *arguments], env=environment)


def filled(folder: Path, url: str | None = None, number: int = 400) -> None:
    with closing(open_store(url, folder)) as opened:
        items = [FeedbackItem(f"c-{one}", "accepted", None, (f"s-{one}",), comment="x" * 100) for one in range(number)]
        save(opened, items, "ehr", RECEIVED)


def damage(file: Path, part: bytes) -> None:
    """Overwrites the head of each page that holds some bytes."""
    content = bytearray(file.read_bytes())
    at = content.index(part) & ~4095
    content[at : at + 64] = b"\xff" * 64
    file.write_bytes(content)


def cards(folder: Path) -> set[str]:
    with closing(open_store(None, folder)) as opened:
        return {item.card for item in kept(opened, ANY)}


def test_a_sound_store_is_reported_with_how_much_it_holds(tmp_path, store_url):
    filled(tmp_path, store_url)
    found = store("check", tmp_path, url=store_url or "")
    assert found.exit_code == 0, found.output
    assert "feedback: 400\n" in found.output
    assert "password" not in found.output
    assert "damaged" not in found.output


def test_a_damaged_store_is_found_and_what_can_be_read_is_saved(tmp_path):
    filled(tmp_path)
    file = tmp_path / "store.sqlite"
    damage(file, b"c-200accepted")
    found = store("check", tmp_path)
    assert found.exit_code == 1
    assert "damaged: " in found.output
    recovered = store("recover", tmp_path)
    assert recovered.exit_code == 0, recovered.output
    saved = cards(tmp_path)
    assert 370 <= len(saved) < 400
    assert {"c-0", "c-399"} <= saved
    assert f"feedback: {len(saved)} rows saved" in recovered.output
    (aside,) = tmp_path.glob("store.sqlite.damaged-*Z")
    assert str(aside) in recovered.output
    assert store("check", tmp_path).exit_code == 0
    assert not list(tmp_path.glob("*recovered*"))


def test_a_running_service_goes_on_with_the_recovered_file(tmp_path):
    filled(tmp_path)
    with closing(open_store(None, tmp_path)) as running:
        save(running, [FeedbackItem("in the file beside it", "accepted", None)], "ehr", RECEIVED)
        assert store("recover", tmp_path).exit_code == 0
        save(running, [FeedbackItem("after", "accepted", None)], "ehr", RECEIVED)
        assert running.reopened == 1
    assert {"in the file beside it", "after", "c-0", "c-399"} <= cards(tmp_path)
    assert len(cards(tmp_path)) == 402


@pytest.mark.parametrize("content", [b"no database" * 1000, b"SQLite format 3\0" + b"\xff" * 9000])
def test_a_file_of_which_nothing_can_be_read_stays_as_it_is(tmp_path, content):
    (tmp_path / "store.sqlite").write_bytes(content)
    found = store("recover", tmp_path)
    assert found.exit_code == 1
    assert "cannot be read at all" in found.output
    assert (tmp_path / "store.sqlite").read_bytes() == content
    assert {path.name for path in tmp_path.iterdir()} <= {"store.sqlite", "store.sqlite.lock"}


def test_there_is_nothing_to_recover_in_postgresql_or_where_no_file_is(tmp_path):
    assert "There is no store at" in store("recover", tmp_path).output
    found = store("recover", tmp_path, url="postgresql://u:hunter2@127.0.0.1:1/x")
    assert "with its own tools" in found.output
    assert "hunter2" not in found.output


def test_what_is_past_its_days_is_removed(tmp_path, store_url):
    today = datetime.now(UTC).date()
    old, new = today - timedelta(days=2191), today - timedelta(days=2190)
    with closing(open_store(store_url, tmp_path)) as opened:
        shown.record(
            opened,
            [
                Shown(card=f"c-{day}", client="ehr", policy="p", edition="1", outcome="met", service="s", day=day)
                for day in (old, new)
            ],
        )
        found = store("prune", tmp_path, url=store_url or "")
        assert found.output == "cards: 1 rows removed, past their days\n"
        assert shown.counts(opened, ANY) == [CardsShown("p", "met", 1)]
        assert store("prune", tmp_path, url=store_url or "").output == "Nothing is past its days or beyond its cap.\n"


# --- a service that starts without its store ---


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def unreachable(request, tmp_path):
    """Settings of a service whose store cannot be opened."""
    if request.param == "PostgreSQL":
        return {"store_url": "postgresql://u:hunter2@127.0.0.1:1/x", "state": tmp_path}
    (tmp_path / "store.sqlite").write_bytes(b"no database" * 1000)
    return {"state": tmp_path}


def test_without_trust_cards_are_served_and_readiness_says_degraded(unreachable):
    installed = install(Settings(**unreachable), library(), "http://127.0.0.1:8080", True, lambda: TODAY)
    with closing(installed.installation):
        client, check = installed.app.test_client(), installed.watch._check
        assert "cannot be used" in installed.installation.store.problem()
        answer = client.post(SIGN, json=example("typical-gaps"))
        assert (answer.status_code, len(answer.get_json()["cards"])) == (200, 1)
        kept_not = client.post(FEEDBACK, json={"feedback": [{"card": "c", "outcome": "accepted"}]})
        assert (kept_not.status_code, kept_not.headers["Retry-After"]) == (503, "5")
        assert isinstance(check, SelfCheck)
        check._tell({"store": check._guarded(check._store)})
        ready = client.get("/readyz")
        assert (ready.status_code, ready.get_json()) == (200, {"status": "degraded", "failing": ["store"]})
        assert 'cds_service_degraded{part="store"} 1.0' in client.get("/metrics").get_data(as_text=True)


def test_with_trust_calls_get_503_and_never_401_and_readiness_is_red(unreachable, clients_file):
    settings = Settings(**unreachable, clients=clients_file)
    now = int(datetime.now(UTC).timestamp())
    installed = install(settings, library(), BASE, True, lambda: TODAY)
    with closing(installed.installation):
        client, check = installed.app.test_client(), installed.watch._check
        headers = {"Authorization": bearer(iat=now, exp=now + 300)}
        assert client.post(PATH, json=example("unrelated-order"), headers=headers).status_code == 503
        check._tell({"store": check._guarded(check._store)})
        ready = client.get("/readyz")
        assert (ready.status_code, ready.get_json()["status"]) == (503, "not-ready")


def test_a_store_that_comes_back_is_used_without_a_restart(tmp_path):
    (tmp_path / "store.sqlite").write_bytes(b"no database" * 1000)
    settings = Settings(state=tmp_path, audit=False)
    with closing(installation_of(settings, library(), only_this_machine=True)) as installation:
        client = create_app(settings, library(), "http://127.0.0.1:8080", lambda: TODAY, installation).test_client()
        body = {"feedback": [{"card": "c", "outcome": "accepted"}]}
        assert client.post(FEEDBACK, json=body).status_code == 503
        (tmp_path / "store.sqlite").unlink()
        installation.store._try_again = 0.0
        assert client.post(FEEDBACK, json=body).status_code == 200
    assert cards(tmp_path) == {"c"}


def test_a_store_of_a_newer_version_stops_the_start(tmp_path):
    open_store(None, tmp_path).close()
    with closing(sqlite3.connect(tmp_path / "store.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(ValueError, match="has version 9999"):
        installation_of(Settings(state=tmp_path), library(), only_this_machine=True)
