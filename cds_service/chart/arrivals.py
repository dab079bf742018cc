"""What arrived under each prefetch key: all resources by type, and in which of four states the list of each type is.

Only the first two states are knowledge (CDS Hooks 2.0, "Prefetch Template"); what could not be had is never absent.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from cds_service.fhir.bundles import PrefetchValue, read_value
from cds_service.fhir.elements import Json


class State(Enum):
    """What became of the list of one type: something or nothing is on record, or it was not sent, or it failed."""

    FILLED = "filled"
    EMPTY = "empty"
    MISSING = "missing"
    FAILED = "failed"


class Unreadable(NamedTuple):
    """What could not be read, a resource or a part of a list, and why."""

    type: str
    reference: str
    why: str


class Listing(NamedTuple):
    """The list of one type: its state; ``why_missing`` says why it is not known, ``unfetched`` why fetching it failed
    (empty: neither); ``in_part`` is what of a known list could not be read."""

    state: State
    why_missing: str = ""
    unfetched: str = ""
    in_part: Unreadable | None = None

    @property
    def is_known(self) -> bool:
        """Whether what is on record was sent (even if it is nothing)."""
        return self.state in (State.FILLED, State.EMPTY)


_FILLED, _EMPTY = Listing(State.FILLED), Listing(State.EMPTY)


class Arrivals(NamedTuple):
    """All resources by type, those that came with a fullUrl by that, and the list of each type that is asked for."""

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

    ``prefetch`` is the request's own (any keys, any JSON); ``keys`` maps each published prefetch key to its resource
    type; ``unfetched`` maps a published key to the sentence why it could not be fetched, or not whole. Never raises
    on JSON that parses.
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
            # What came under the EHR's own keys counts as found, but does not show that it is all there is.
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
    """The list of a published key; resources of another type alone are not an answer to a search."""
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
