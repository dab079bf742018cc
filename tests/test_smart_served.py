"""The demo EHR over the real server, with several workers: they share sessions, codes and keys, and can cut off."""

import re
import sys
from urllib.parse import parse_qsl, urlsplit

import jwt
import pytest
import requests

from cds_service.workbench.own_app import CLIENT_ID
from cds_service.workbench.patients import FIRST
from tests.serving import served
from tests.smart_client import SCOPE, VERIFIER, form_answers, s256

SECONDS = 60
SECRET = "a secret for tests only"
# The secret of the service's own app is made at its start and told to nobody: here it is a known one.
KNOWN = f"""
import secrets
secrets.token_urlsafe = lambda size=None: {SECRET!r}
from cds_service.commands.main import main
main()
"""


def test_a_launch_holds_over_several_workers_and_a_reset_leaves_the_answers_to_be_sent_again(tmp_path):
    settings = {"CDS_SERVICE_STATE": str(tmp_path)}
    with (
        served("--workers", "2", command=[sys.executable, "-c", KNOWN], settings=settings, probe="/readyz") as running,
        requests.Session() as browser,
    ):
        root, base = f"{running.address}/workbench", f"{running.address}/workbench/fhir/{FIRST}"
        found = fresh("GET", f"{base}/.well-known/smart-configuration").json()
        launch = browser.post(f"{root}/charts/{FIRST}/launch", json={}, timeout=SECONDS).json()
        assert launch["iss"] == base == found["issuer"]
        redirect_uri = f"{running.address}/smart/callback"
        asked = {
            "response_type": "code",
            "client_id": CLIENT_ID,
            "redirect_uri": redirect_uri,
            "scope": SCOPE,
            "state": "s",
            "aud": base,
            "launch": launch["launch"],
            "code_challenge": s256(VERIFIER),
            "code_challenge_method": "S256",
        }
        page = browser.get(found["authorization_endpoint"], params=asked, timeout=SECONDS).text
        form = {
            "ticket": re.findall(r'name="ticket" value="([^"]+)"', page)[0],
            "scope": re.findall(r'name="scope" value="([^"]+)"', page),
            "decision": "allow",
        }
        consent = found["authorization_endpoint"].replace("authorize", "consent")
        back = browser.post(consent, data=form, allow_redirects=False, timeout=SECONDS)
        code = dict(parse_qsl(urlsplit(back.headers["Location"]).query))["code"]
        exchange = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": VERIFIER,
        }
        answer = fresh("POST", found["token_endpoint"], data=exchange, auth=(CLIENT_ID, SECRET))
        assert answer.status_code == 200, answer.text
        token = answer.json()
        # Whichever worker answers: the keys are the same.
        sets = [fresh("GET", found["jwks_uri"]).json() for _ in range(6)]
        assert all(keys == sets[0] for keys in sets)
        key = jwt.PyJWKSet.from_dict(sets[0]).keys[0]
        jwt.decode(token["id_token"], key, ["RS256"], audience=CLIENT_ID, issuer=base)

        headers = {"Authorization": f"Bearer {token['access_token']}"}
        at = f"{base}/QuestionnaireResponse"
        chosen = browser.post(f"{root}/refusals", json={"write": "reset"}, timeout=SECONDS)
        assert chosen.status_code == 200
        for _ in range(3):
            with pytest.raises(requests.ConnectionError):
                fresh("POST", at, json=form_answers(), headers=headers)
        browser.post(f"{root}/refusals", json={}, timeout=SECONDS)
        stored = [fresh("POST", at, json=form_answers(), headers=headers) for _ in range(6)]
        assert [item.status_code for item in stored] == [201] * 6
        written = browser.get(f"{root}/charts/{FIRST}", timeout=SECONDS).json()["written"]
        assert [item["id"] for item in written] == [item.json()["id"] for item in stored]
        reused = fresh("POST", found["token_endpoint"], data=exchange, auth=(CLIENT_ID, SECRET))
        assert reused.json()["error"] == "invalid_grant"
        assert fresh("POST", at, json=form_answers(), headers=headers).status_code == 401


def fresh(method: str, address: str, **more: object) -> requests.Response:
    """A call over a connection of its own, which any worker may take."""
    return requests.request(method, address, timeout=SECONDS, **more)  # type: ignore[arg-type]
