"""The usual names of the largest US payers, as coverages write them: a plan's name mostly begins with its payer's.

Only whose plan it is can be told so, and not which of the payer's policies applies to it.
"""

from typing import NamedTuple

from cds_service.fhir.free_text import words

# One spelling for the Blue plans, of which each state has its own.
_BLUE = (
    ("blue cross and blue shield", "bcbs"),
    ("blue cross blue shield", "bcbs"),
    ("bluecross and blueshield", "bcbs"),
    ("bluecross blueshield", "bcbs"),
    ("blue cross shield", "bcbs"),
)

# Beside these words a payer's name is that of another line of its business.
_NOT_MEDICAL = ("dental", "life", "vision")


class PayerName(NamedTuple):
    """A payer by the name that people know, and the words with which names of its plans begin; with one of ``but_not``
    in it, a name is another's."""

    id: str
    name: str
    begins: tuple[str, ...]
    but_not: tuple[str, ...] = ()


PAYER_NAMES = (
    PayerName("aetna", "Aetna", ("aetna",)),
    PayerName("anthem", "Anthem", ("anthem", "elevance")),
    PayerName("bcbs-al", "Blue Cross and Blue Shield of Alabama", ("bcbs of alabama", "bcbsal")),
    PayerName("bcbs-mi", "Blue Cross Blue Shield of Michigan", ("bcbs of michigan", "bcbsm", "blue care network")),
    PayerName("bcbs-tn", "BlueCross BlueShield of Tennessee", ("bcbs of tennessee", "bcbst")),
    PayerName("blue-shield-ca", "Blue Shield of California", ("blue shield of california", "blue shield of ca")),
    PayerName("centene", "Centene", ("centene", "ambetter", "wellcare")),
    PayerName("cigna", "Cigna", ("cigna",)),
    PayerName("florida-blue", "Florida Blue", ("florida blue", "guidewell", "bcbs of florida")),
    PayerName(
        "hcsc",
        "Health Care Service Corporation",
        (
            *("hcsc", "health care service corporation", "bcbs of illinois", "bcbs of montana", "bcbs of new mexico"),
            *("bcbs of oklahoma", "bcbs of texas", "bcbsil", "bcbsmt", "bcbsnm", "bcbsok", "bcbstx"),
        ),
    ),
    PayerName("highmark", "Highmark", ("highmark",)),
    PayerName("humana", "Humana", ("humana",)),
    PayerName("kaiser-permanente", "Kaiser Permanente", ("kaiser",)),
    PayerName("medicaid", "Medicaid", ("medicaid",)),
    PayerName(
        "medicare",
        "Medicare",
        ("medicare", "original medicare", "traditional medicare", "cms", "centers for medicare"),
        # Plans of private payers, each with its own rules beside Medicare's.
        ("advantage", "supplement", "medigap", "hmo", "ppo", "replacement", "part c", "part d"),
    ),
    PayerName("molina", "Molina Healthcare", ("molina",)),
    PayerName("premera", "Premera Blue Cross", ("premera",)),
    PayerName("tricare", "TRICARE", ("tricare",)),
    PayerName(
        "uhc-community",
        "UnitedHealthcare Community Plan",
        ("unitedhealthcare community plan", "united healthcare community plan", "uhc community plan"),
    ),
    PayerName(
        "unitedhealthcare",
        "UnitedHealthcare",
        ("unitedhealthcare", "united healthcare", "united health care", "unitedhealth", "uhc"),
    ),
)


def plain(name: str) -> str:
    """A payer's name as lower-case words, the Blue plans in one spelling."""
    text = words(name).strip()
    for written, short in _BLUE:
        text = text.replace(written, short)
    return text


def payer_of(name: str) -> PayerName | None:
    """The payer whose plan a name is, by the longest of the beginnings that fit; None where none does."""
    text = f"{plain(name)} "
    fitting = [
        (len(beginning), row)
        for row in PAYER_NAMES
        for beginning in row.begins
        if text.startswith(f"{beginning} ") and not any(f" {other} " in text for other in (*row.but_not, *_NOT_MEDICAL))
    ]
    return max(fitting, key=lambda pair: pair[0])[1] if fitting else None
