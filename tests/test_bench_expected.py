"""The benchmark expects the very answer that the service, as it measures it, gives."""

import orjson
import pytest

from cds_service.app import create_app
from cds_service.clock import utc_today
from cds_service.installation import installation_of
from cds_service.settings.settings import Settings
from tests.bench import workload
from tests.bench.expected import WITHOUT_PAGES, answer_of, guide_of
from tests.bench.machine import Running
from tests.shipped import library

SERVER = Running(port=8150, worker=0, ready_seconds=0.0)


@pytest.fixture
def client(tmp_path, monkeypatch):
    for name, value in WITHOUT_PAGES.items():
        monkeypatch.setenv(name, value)
    settings = Settings(state=tmp_path)
    installation = installation_of(settings, library(), only_this_machine=True)
    yield create_app(settings, library(), f"http://127.0.0.1:{SERVER.port}", utc_today, installation).test_client()
    installation.close()


@pytest.mark.parametrize("is_recognized", [True, False])
def test_the_service_without_evidence_pages_gives_the_expected_answer_byte_for_byte(client, is_recognized):
    service_id, request = workload.whole_card(utc_today())
    body = orjson.dumps(request if is_recognized else workload.unrecognized(request, utc_today()))
    guide = guide_of(SERVER)
    before = answer_of(service_id, body, guide)
    answer = client.post(f"/cds-services/{service_id}", data=body, content_type="application/json")
    assert answer.status_code == 200
    # Where the day changes meanwhile, either day's answer will do.
    assert answer.data in (before, answer_of(service_id, body, guide))
    assert len(orjson.loads(answer.data)["cards"]) == is_recognized
