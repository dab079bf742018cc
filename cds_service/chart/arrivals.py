"""The resources that arrived in a call's prefetch, by type, and the state of each type's list.

Only the first two of the four states are knowledge (CDS Hooks 2.0, "Prefetch Template"); missing data never count as
absent.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from cds_service.fhir.bundles import PrefetchValue, read_value
from cds_service.fhir.elements import Json


class State(Enum):
    """The state of the list of one type: it has records, it is empty, it was not sent, or it failed."""

    FILLED = "filled"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"


class Unreadable(NamedTuple):
    """A resource, or a part of a list, that cannot be read, and why."""

    type: str
    reference: str
    why: str


class Listing(NamedTuple):
    """The list of one type.

    ``why_missing`` says why the list is not known, and ``unfetched`` why fetching it failed (both may be empty);
    ``in_part`` is the part of a known list that cannot be read.
    """

    state: State
    why_missing: str = ""
    unfetched: str = ""
    in_part: Unreadable | None = None

    @property
    def is_known(self) -> bool:
        """Whether the list was sent, even an empty one."""
        return self.state in (State.FILLED, State.EMPTY)


_FILLED, _EMPTY = Listing(State.FILLED), Listing(State.EMPTY)


class Arrivals(NamedTuple):
    """All resources by type, the resources that have a fullUrl by that address, and the list of each requested type."""

    resources: Mapping[str, list[Json]]
    addresses: Mapping[str, Json]
    listings: Mapping[str, Listing]


def arrived(
    prefetch: Mapping[str, Any],
    keys: Mapping[str, str],
    patient_id: str,
    unfetched: Mapping[str, str] = MappingProxyType({}),
) -> Arrivals:
    """Reads the prefetch of one call.

    ``prefetch`` is the prefetch of the request (any keys, any JSON); ``keys`` maps each published prefetch key to its
    resource type; ``unfetched`` maps a published key to a sentence that says why fetching it failed in whole or in
    part. Never raises on JSON that parses.
    """
    found: dict[str, list[Json]] = {}
    addresses: dict[str, Json] = {}
    listings: dict[str, Listing] = {}
    for key, value in prefetch.items():
        if value is None and key not in keys:
            continue
        arrival = read_value(value)
        for kind, resources in arrival.by_type.items():
            found.setdefault(kind, []).extend(resources)
        addresses |= arrival.addresses
        if key in keys:
            listings[keys[key]] = _listing(key, keys[key], arrival, unfetched.get(key, ""))
    for key, expected in keys.items():
        if expected not in listings:
            # Resources under the EHR's own keys count as found, but do not show that the list is complete.
            not_sent = "" if expected in found else f"{expected} not sent (prefetch {key})"
            why_not = unfetched.get(key, "")
            listings[expected] = Listing(State.MISSING, why_not or not_sent, why_not)
    patients = found.get("Patient")
    if patients and all(patient.get("id") != patient_id for patient in patients):
        another = "the EHR sent a different patient"
        listing = listings.get("Patient", Listing(State.FAILED))
        listings["Patient"] = listing._replace(state=State.FAILED, why_missing=another)
    return Arrivals(found, addresses, listings)


def _listing(key: str, expected: str, arrival: PrefetchValue, unfetched: str) -> Listing:
    """The list of a published key; resources of another type alone do not answer the search."""
    if unfetched:
        return Listing(State.FAILED, unfetched, unfetched)
    if arrival.left_out is not None:
        return Listing(State.FAILED, arrival.left_out.format(expected))
    if expected in arrival.by_type:
        if not arrival.failure:
            return _FILLED
        broken = Unreadable(expected, f"prefetch {key}", f"in part: {arrival.failure}")
        return Listing(State.FILLED, in_part=broken)
    if arrival.failure or arrival.by_type:
        return Listing(
            State.FAILED, arrival.failure or f"the EHR sent no {expected} as prefetch {key}, but something else"
        )
    return _EMPTY
