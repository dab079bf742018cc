"""Ways to spoil a hook request: at any place of its JSON, or in its bytes; what comes out may not be JSON at all."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Place = tuple[str | int, ...]

DATES = (
    *("0000-01-01", "0001-01-01", "9999-12-31", "10000-01-01", "-0044-03-15", "2026-02-30", "2026-13", "0000", "9999"),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-23T24:00:00Z", "2026-11-23T10:00:00+99:99"),
    *(
        "2026-11-23T10:00:60Z",
        "\u0662\u0660\u0662\u0666-11-23",
        "2026-11",
        " 2026-11-23",
        "2026-11-23\n",
        "2026-W48",
        "",
    ),
)
NUMBERS = (
    *(0, -0.0, -1, 1, 2**31, 2**53 + 1, 2**63, 2**64, 10**30, 10**400, 1e308, -1e308, 5e-324, 0.1 + 0.2),
    *(float("nan"), float("inf"), float("-inf")),
)
TEXTS = (
    *("", " ", "\x00", "\ud800", "\udfff\ud800", "\u202e\u200b\ufeff", "👩‍⚕️", "e\u0301" * 50, "x" * 20_000, "\n" * 500),
    *("<script>alert(1)</script>", "| a | b |\n|---|---|", "{{context.patientId}}", "%s%n{0}", "../../etc/passwd"),
    *("Patient/", "/", "#", "urn:uuid:", "http://", "https://[", "Patient/p1/_history/1", "Bundle", "OperationOutcome"),
)
TYPES: tuple[Any, ...] = (True, False, 0, 1.5, "text", [], {}, [[]], [{}], {"": None}, [None], {"resourceType": []})


def deep(levels: int) -> Any:
    """Lists in objects in lists."""
    value: Any = "x"
    for level in range(levels):
        value = [value] if level % 2 else {"extension": value}
    return value


class Mutation(NamedTuple):
    """What to do, at which place (a share of all places, in millionths), and with which of its values."""

    kind: str
    place: int
    choice: int


def places(value: Any, at: Place = ()) -> Iterator[Place]:
    """Every place of a JSON value but its root, outer ones first."""
    items: Any = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from places(inner, (*at, key))


def inner_of(body: Any, place: Place) -> Any:
    """What is at a place."""
    for key in place:
        body = body[key]
    return body


def _of(values: tuple[Any, ...]) -> Callable[[Any, Any, int], Any]:
    return lambda body, old, choice: values[choice % len(values)]


def _own_reference(body: Any, old: Any, choice: int) -> Any:
    """A reference to what it is in: by name, as the call, and as part of a circle."""
    names = ("#", "ServiceRequest/sr-1", "Patient/p1", "Bundle/1")
    reference = {"reference": names[choice % len(names)]}
    return [reference, reference] if choice % 2 else reference


def _from_elsewhere(body: Any, old: Any, choice: int) -> Any:
    everywhere = [*places(body)]
    # A copy: a circle in memory could not be written as JSON.
    return json.loads(json.dumps(inner_of(body, everywhere[choice % len(everywhere)])))


VALUES: dict[str, Callable[[Any, Any, int], Any]] = {
    "null": lambda body, old, choice: None,
    "type": _of(TYPES),
    "text": _of(TEXTS),
    "date": _of(DATES),
    "number": _of(NUMBERS),
    "deep": lambda body, old, choice: deep((20, 90, 110, 180, 400)[choice % 5]),
    "list": lambda body, old, choice: [old] * (choice % 3),
    "object": lambda body, old, choice: {"0": old},
    "unlisted": lambda body, old, choice: old[0] if isinstance(old, list) and old else old,
    "reference": _own_reference,
    "elsewhere": _from_elsewhere,
    "number as text": lambda body, old, choice: str(old),
    "shouted": lambda body, old, choice: old.upper() if isinstance(old, str) else old,
}
KINDS = (*VALUES, "delete", "rename", "twice", "swap", "patch")
# The member that a patch may make up: what decides over a resource, with values that FHIR has for it.
PATCHES: tuple[tuple[str, Any], ...] = (
    *(("status", "entered-in-error"), ("resourceType", "Patient"), ("resourceType", 7), ("id", ["a"]), ("code", "x")),
    *(("subject", {"reference": 7}), ("subject", [{"reference": "Patient/x"}]), ("contained", [{"id": "x"}])),
    *(("component", {"code": {}}), ("valueQuantity", {"value": "7"}), ("onsetDateTime", 2020), ("meta", "x")),
    *(("modifierExtension", [{"url": "x"}]), ("implicitRules", "x"), ("verificationStatus", {"coding": "x"})),
    *(("link", [{"relation": "next", "url": "https://ehr.example/x"}]), ("link", "x"), ("entry", {"resource": 1})),
    *(("item", [{"item": [{"linkId": 1}]}]), ("answer", [[]]), ("_birthDate", {"extension": 1}), ("extension", "x")),
)


def apply(body: Any, mutation: Mutation) -> None:
    """Does one mutation to a request, in place."""
    everywhere = [*places(body)]
    if not everywhere:
        return
    place = everywhere[mutation.place * len(everywhere) // 1_000_000]
    *outer, key = place
    parent = inner_of(body, tuple(outer))
    if mutation.kind == "delete":
        del parent[key]
    elif mutation.kind == "rename" and isinstance(parent, dict):
        parent[f"{key}x"] = parent.pop(key)
    elif mutation.kind == "twice" and isinstance(parent, list):
        parent.insert(int(key), parent[int(key)])
    elif mutation.kind == "swap":
        _swap(body, everywhere, place, mutation.choice)
    elif mutation.kind == "patch" and isinstance(parent, dict):
        name, value = PATCHES[mutation.choice % len(PATCHES)]
        parent[name] = json.loads(json.dumps(value))
    elif mutation.kind in VALUES:
        parent[key] = VALUES[mutation.kind](body, parent[key], mutation.choice)


def _swap(body: Any, everywhere: list[Place], one: Place, choice: int) -> None:
    other = everywhere[choice % len(everywhere)]
    # Of two places in one another a swap would make a circle.
    if one[: len(other)] == other or other[: len(one)] == one:
        return
    first, second = inner_of(body, one), inner_of(body, other)
    inner_of(body, one[:-1])[one[-1]] = second
    inner_of(body, other[:-1])[other[-1]] = first


def spoil(data: bytes, kind: str, place: int, choice: int) -> bytes:
    """Does one thing to the bytes of a request; ``place`` is a share of their length, in millionths."""
    at = place * len(data) // 1_000_000
    if kind == "cut":
        return data[:at]
    if kind == "flip":
        return data[:at] + bytes([data[at] ^ (1 << choice % 8)]) + data[at + 1 :] if data else data
    if kind == "insert":
        return data[:at] + INSERTED[choice % len(INSERTED)] + data[at:]
    if kind == "member twice":
        start = data.find(b"{", at)
        return data if start < 0 else data[: start + 1] + MEMBERS[choice % len(MEMBERS)] + data[start + 1 :]
    raise AssertionError(kind)


SPOILED = ("cut", "flip", "insert", "member twice")
INSERTED = (
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"[", b"}", b",", b'"', b"\\", b"\xef\xbb\xbf", b"NaN", b"1e999"),
    b" " * 1000,
)
MEMBERS = (
    *(b'"resourceType":"Patient",', b'"id":null,', b'"status":["x"],', b'"code":{"text":1},'),
    b'"hook":"order-sign",',
)
