"""What every call needs beside its request."""

from dataclasses import dataclass

from cds_service.card.guidance import Addresses
from cds_service.card.style import DEFAULT_STYLE, Style
from cds_service.facts.attesters import DEFAULT_ACCEPTS, Accepts
from cds_service.fhir.bundles import DEFAULT_LIMITS, ReadLimits
from cds_service.hooks.client_names import OPEN
from cds_service.library import Library
from cds_service.settings.settings import Settings


@dataclass(frozen=True, slots=True)
class Guide:
    """What every call needs beside its request: the policies, our addresses, the key of the ids, the caller's name, the
    most that is read, which answers without an author or a role count, and the ``style`` of cards. ``explains``: also
    what the criteria would say of an order that a card only asks about.
    """

    library: Library
    addresses: Addresses
    id_key: bytes
    client: str = OPEN
    limits: ReadLimits = DEFAULT_LIMITS
    accepts: Accepts = DEFAULT_ACCEPTS
    explains: bool = False
    style: Style = DEFAULT_STYLE


def guide_of(settings: Settings, library: Library, public_url: str) -> Guide:
    """What every call of an installation needs beside its request; ``public_url`` is its address."""
    limits = ReadLimits(
        settings.max_resources,
        settings.max_drafts,
        settings.max_text_characters,
        settings.max_all_text_characters,
    )
    accepts = Accepts(settings.accept_unsigned_answers, settings.accept_answers_without_role)
    addresses = Addresses(public_url, settings.canonical_base)
    return Guide(library, addresses, settings.key(), limits=limits, accepts=accepts)
