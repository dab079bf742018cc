"""What free text says of a phrase: reported, over, suspected, only mentioned, of a relative, denied."""

import pytest

from cds_service.fhir import manners
from cds_service.fhir.free_text import NEXT_TEXT, FreeText, reports_any, words
from cds_service.fhir.manners import Said
from tests.charts import named

ARTHRITIS = [words("septic arthritis")]


@pytest.mark.parametrize(
    ("text", "normal"),
    named(
        ("capitals", "Knee Pain", " knee pain "),
        ("punctuation", "pain, (right) knee;", " pain right knee "),
        ("line breaks and tabs", "knee\n\tpain", " knee pain "),
        ("nothing", "", "  "),
    ),
)
def test_words(text, normal):
    assert words(text) == normal


def test_a_phrase_is_found_at_word_boundaries_only():
    assert " knee " in words("Right knee.")
    assert " knee " not in words("kneecap")
    assert FreeText("Septic arthritisx").manner(ARTHRITIS) is None


# A sentence in which {} stands for the phrase, and the manner in which it is said.
SENTENCES = {
    Said.REPORTED: (
        "{}",
        "{} of the right knee",
        "{}, not elsewhere classified",
        "{} without sepsis",
        "Nodular, knobbly, notable {}",
        "No fever, but {}",
        "No fever; {}",
        "No fever, {}",
        "No fever. {}",
        "Denies fever but {} on exam",
        "No fever or chills, {}",
        "{} after fall",
        "{} following trauma in 2012",
        "{} negative straight leg raise",
        "{}, sciatica ruled out",
        "{}; discitis suspected",
        "{} without relief",
        "No relief from {}",
        "No improvement with {}",
        "Lack of benefit from {}",
        "Not only {}",
        "Lives with mother. {}",
        "Smothering {} in the fatherland",
        "History of falls; {}",
    ),
    Said.PAST: (
        "History of {}",
        "Hx of {}",
        "H/O {}",
        "Status post {}",
        "s/p {} 2016",
        "{}, resolved",
        "{} (resolved)",
        "Previous {}",
        "{} in the past",
    ),
    Said.SUSPECTED: (
        "Rule out {}",
        "R/O {}",
        "Probable {}",
        "Suspected {}",
        "Possible {}",
        "{}?",
        "? {}",
        "{} suspected",
        "{}, possible",
        "Concern for {}",
        "Cannot exclude {}",
        "{} cannot be excluded",
        "{} not excluded",
        "Sepsis versus {}",
        "Differential: {}",
    ),
    Said.MENTIONED: (
        "Screening for {}",
        "{} prophylaxis",
        "{}, planned",
        "Discussed {}",
        "Pain after {}",
        "Before {}",
    ),
    Said.RELATIVE: (
        "Family history of {}",
        "FHx: {}",
        "Mother had {}",
        "Maternal grandfather: {}",
        "{} (brother)",
        "{} in an aunt",
        "Daughter with {}",
    ),
    Said.DENIED: (
        "No {}",
        "Not {}",
        "Fever without {}",
        "Fever w/o {}",
        "Neg {}",
        "Patient denies {}",
        "Negative for {}",
        "Never had {}",
        "Excludes {}",
        "MRI: no {}",
        "No fever, chills or {}",
        "No fever, {} or chills",
        "Neither fever nor {}".replace("Neither", "No"),
        "Denies: fever, {}",
        "Negative for: weight loss, {}, chills",
        "{} ruled out",
        "{}, ruled out",
        "Ruled out: {}",
        "{}: no",
        "{} - none",
        "{}: not present",
        "{} not present",
        "{} not seen",
        "{} denied",
        "{} unlikely",
        "{} absent on examination",
        "{} negative",
    ),
}


@pytest.mark.parametrize(("sentence", "said"), [(text, said) for said, texts in SENTENCES.items() for text in texts])
@pytest.mark.parametrize("phrase", ["septic arthritis", "Septic Arthritis"])
def test_the_manner_in_which_a_sentence_says_a_phrase(sentence, said, phrase):
    assert FreeText(sentence.format(phrase)).manner(ARTHRITIS) is said


@pytest.mark.parametrize(
    ("text", "said"),
    named(
        ("denied in one sentence, reported in another", "No septic arthritis then. Septic arthritis now.", "REPORTED"),
        ("over, and here again", "History of septic arthritis. Septic arthritis now.", "REPORTED"),
        ("over, and suspected again", "History of septic arthritis. Possible septic arthritis.", "PAST"),
        ("suspected, and over", "Possible septic arthritis. History of septic arthritis.", "PAST"),
        ("a phrase over a comma", "Arthritis, septic arthritis", "REPORTED"),
        ("what was typed outweighs a display", f"Rule out septic arthritis{NEXT_TEXT}Septic arthritis", "SUSPECTED"),
        ("a display that says no more", f"Septic arthritis{NEXT_TEXT}Septic arthritis (disorder)", "REPORTED"),
    ),
)  # fmt: skip
def test_several_places(text, said):
    assert FreeText(text).manner(ARTHRITIS) is Said[said]


def test_a_phrase_that_commas_divide_is_said_as_its_clauses_are():
    fusion = [words("fusion lumbar")]
    assert FreeText("Fusion, lumbar").manner(fusion) is Said.REPORTED
    assert FreeText("No fusion, lumbar").manner(fusion) is Said.DENIED


@pytest.mark.parametrize(
    ("text", "said"),
    named(
        ("a plain diagnosis", "Septic arthritis of the right knee", "REPORTED"),
        ("something else denied further on", "Low back pain; sciatica ruled out", "REPORTED"),
        ("the same behind a comma", "Low back pain, sciatica ruled out", "REPORTED"),
        ("without", "MRI knee without contrast", "REPORTED"),
        ("not elsewhere classified", "Arthritis, not elsewhere classified", "REPORTED"),
        ("ruled out", "Arthritis ruled out", "DENIED"),
        ("a denial at the begin", "Patient denies arthritis", "DENIED"),
        ("a suspicion", "Possible arthritis", "SUSPECTED"),
        ("not excluded", "Arthritis cannot be excluded", "SUSPECTED"),
        ("over", "Arthritis, resolved", "PAST"),
        ("a relative", "Arthritis (mother)", "RELATIVE"),
        ("a screening has its code", "Arthritis screening", "REPORTED"),
        ("nothing", "", "REPORTED"),
    ),
)
def test_the_manner_of_words_beside_a_code(text, said):
    assert FreeText(text).manner_of_code() is Said[said]


def test_what_is_denied_or_only_mentioned_is_not_reported():
    assert reports_any("Possible septic arthritis", ARTHRITIS)
    assert not reports_any("No septic arthritis", ARTHRITIS)
    assert not reports_any("Septic arthritis screening", ARTHRITIS)
    assert not reports_any("Knee pain", ARTHRITIS)


TABLES = {
    Said.DENIED: ("{word} septic arthritis", manners.DENIALS),
    Said.SUSPECTED: ("{word} septic arthritis", manners.SUSPICIONS),
    Said.PAST: ("{word} septic arthritis", manners.PAST),
    Said.RELATIVE: ("septic arthritis {word}", manners.OF_ANOTHER),
    Said.MENTIONED: ("septic arthritis {word}", manners.MENTIONS),
}


@pytest.mark.parametrize(
    ("text", "said"), [(text.format(word=word), said) for said, (text, table) in TABLES.items() for word in table]
)
def test_every_word_of_the_tables_works(text, said):
    assert FreeText(text).manner(ARTHRITIS) is said


@pytest.mark.parametrize("word", [*manners.DENIED_BEHIND, *manners.DENIED_ALONE_BEHIND])
def test_every_word_of_the_tables_works_behind_a_phrase(word):
    assert FreeText(f"septic arthritis {word}").manner(ARTHRITIS) is Said.DENIED
    assert FreeText(f"septic arthritis: {word}").manner(ARTHRITIS) is Said.DENIED


@pytest.mark.parametrize("words_of_failure", manners.NO_DENIALS)
def test_what_did_not_help_was_tried(words_of_failure):
    assert FreeText(f"{words_of_failure}, septic arthritis").manner(ARTHRITIS) in (Said.REPORTED, Said.SUSPECTED)


def test_a_label_denies_all_of_its_list_and_nothing_behind_it():
    text = FreeText("Denies: fever, chills, discitis. Lumbar stenosis, arthritis")
    denied = {phrase: text.manner([f" {phrase} "]) for phrase in ("fever", "chills", "discitis")}
    assert set(denied.values()) == {Said.DENIED}
    assert {text.manner([f" {phrase} "]) for phrase in ("stenosis", "arthritis")} == {Said.REPORTED}
