"""The table of drugs: from a product or a brand to its ingredients, for code sets that name ingredients.

``tables/drugs.json`` is this project's own, and each entry names the source of its codes. The service looks up nothing
elsewhere.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cds_service.fhir.free_text import words
from cds_service.fhir.terminology import RXNORM
from cds_service.policy.codes import Code
from cds_service.policy.json_files import read_json

TABLE = Path(__file__).parent / "tables" / "drugs.json"


class Drug(NamedTuple):
    """One ingredient: its RxNorm code ("" if none was found), the source of that code, and all its names."""

    name: str
    rxnorm: str
    seen: str
    provenance: str
    names: tuple[str, ...]


class DrugTable(NamedTuple):
    """The drugs by name; ``products`` are pairs (RxNorm code, ingredient names), ``brands`` pairs (combination brand,
    names)."""

    drugs: Mapping[str, Drug]
    products: tuple[tuple[str, tuple[str, ...]], ...]
    brands: tuple[tuple[str, tuple[str, ...]], ...]


@cache
def drug_table() -> DrugTable:
    """The table as it ships."""
    document = read_json(TABLE)
    listed, mixed = document["drugs"], document["combinations"]
    drugs = {
        name: Drug(
            name,
            entry["rxnorm"] or "",
            entry.get("seen", "third-party"),
            entry.get("provenance", document["provenance"]["products"]),
            (name, *entry["names"], *entry["brands"]),
        )
        for name, entry in listed.items()
    }
    single = [(code, (name,)) for name, entry in listed.items() for code in entry["products"]]
    products = (*single, *((code, tuple(entry["of"])) for entry in mixed for code in entry["products"]))
    return DrugTable(
        drugs, products, tuple((brand, tuple(entry["of"])) for entry in mixed for brand in entry["brands"])
    )


def rows_of(ingredients: Iterable[str]) -> Iterator[Code]:
    """The row of each ingredient. Raises KeyError if an ingredient is not in the table."""
    drugs = drug_table().drugs
    for name in ingredients:
        drug = drugs[name]
        yield Code(
            system=RXNORM,
            system_name="RxNorm",
            code=drug.rxnorm,
            label=name,
            seen=drug.seen,
            provenance=drug.provenance,
            valid_from=None,
            valid_until=None,
        )


def codes_of(rows: Mapping[str, Code]) -> Iterator[tuple[str, Code]]:
    """(RxNorm code, row) of each ingredient in ``rows``, which is keyed by name, and of each product that contains one.

    If a product has several ingredients, its row names only the ones in ``rows``.
    """
    if not rows:
        return
    yield from ((row.code, row) for row in rows.values() if row.code)
    products, places = drug_table().products, _places_of_products()
    named: dict[tuple[str, ...], Code] = {}
    for place in sorted({place for name in rows for place in places.get(name, ())}):
        code, names = products[place]
        meant = _meant(rows, names)
        if meant not in named:
            named[meant] = replace(rows[meant[0]], label=together(meant))
        yield code, named[meant]


def names_of(rows: Mapping[str, Code]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """(phrase, ingredients that it names) for the ingredients in ``rows`` and for the brands of their combinations."""
    table = drug_table()
    for name in rows:
        yield from ((said, (name,)) for said in _phrases_of(name))
    yield from ((words(brand), meant) for brand, names in table.brands if (meant := _meant(rows, names)))


@cache
def _places_of_products() -> Mapping[str, Sequence[int]]:
    """Ingredient -> the positions in the table of the products that contain it."""
    found: dict[str, list[int]] = {}
    for place, (_, names) in enumerate(drug_table().products):
        for name in names:
            found.setdefault(name, []).append(place)
    return found


@cache
def _phrases_of(name: str) -> tuple[str, ...]:
    return tuple(words(said) for said in drug_table().drugs[name].names)


def together(names: Iterable[str]) -> str:
    """One label for several ingredients of one drug."""
    return " and ".join(names)


def _meant(rows: Mapping[str, Code], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if name in rows))
