"""The settings and rule sets that every call needs in addition to its request."""

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
    """Everything that a call needs in addition to its request.

    ``library`` are the rule sets, ``addresses`` our addresses, ``id_key`` the key of ids, ``client`` the caller's name,
    ``limits`` the most that is read, and ``style`` the style of cards. ``accepts`` says which answers without an author
    or a role count. With ``explains``, an answer also has the criteria of an order that a card only asks about.
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
    """The guide of an installation; ``public_url`` is its address."""
    limits = ReadLimits(
        settings.max_resources,
        settings.max_drafts,
        settings.max_text_characters,
        settings.max_all_text_characters,
    )
    accepts = Accepts(settings.accept_unsigned_answers, settings.accept_answers_without_role)
    addresses = Addresses(public_url, settings.canonical_base)
    return Guide(library, addresses, settings.key(), limits=limits, accepts=accepts)
