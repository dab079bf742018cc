"""Bodies: JSON as RFC 8259 has it, or a clear refusal; never another error and never a hang."""

import json
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service import json_bodies
from cds_service.errors import RequestError
from cds_service.examples import examples
from cds_service.json_bodies import check_media_type, read_envelope, read_json
from cds_service.settings.settings import data_folder

EXAMPLES = examples(data_folder("fhir_examples"))
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)

REFUSED = [
    # remark, body, words in the sentence
    ("nothing", b"", "empty"),
    ("white space", b" \r\n\t", "empty"),
    ("a byte order mark", b"\xef\xbb\xbf{}", "byte order mark"),
    ("UTF-16", '{"a":1}'.encode("utf-16-le"), "not JSON"),
    ("latin-1", '{"a":"é"}'.encode("latin-1"), "UTF-8"),
    ("an overlong encoding", b'{"a":"\xc0\xaf"}', "UTF-8"),
    ("an encoded surrogate", b'{"a":"\xed\xa0\x80"}', "UTF-8"),
    ("half a surrogate pair", b'{"a":"\\ud800"}', "surrogate"),
    ("cut off", b'{"a":', "line 1, column"),
    ("two values", b"{}{}", "line 1, column 3"),
    ("a comment", b"{} // x", "not JSON"),
    ("single quotes", b"{'a':1}", "not JSON"),
    ("a comma too many", b"[1,]", "not JSON"),
    ("NaN", b'{"a":NaN}', "not JSON"),
    ("Infinity", b'{"a":-Infinity}', "not JSON"),
    ("a number beyond a double", b'{"a":1e400}', "larger than a double"),
    ("an integer of many digits", b"1" * 10_000, "larger than a double"),
    ("a control character in text", b'"\x00"', "not JSON"),
    ("lists too deep", b"[" * 255 + b"]" * 255, "levels deep"),
    ("objects too deep", b'{"a":' * 255 + b"1" + b"}" * 255, "levels deep"),
    ("depth that never ends", b"[" * 1_000_000, "levels deep"),
    ("depth behind brackets in text", b'["]]]]",' * 255 + b"1" + b"]" * 255, "levels deep"),
    ("depth that brackets in text make up for", b'["]",' * 255 + b"1" + b',"["]' * 255, "levels deep"),
    ("text that never ends, behind depth", b"[" * 201 + b'"' + b'\\"' * 65_000, "not JSON"),
]


@pytest.mark.parametrize(("data", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_is_not_json_is_refused_with_a_reason(data, words):
    with pytest.raises(RequestError) as caught:
        read_json(data)
    assert (caught.value.status, words in caught.value.sentence) == (400, True), caught.value.sentence


@pytest.mark.parametrize(
    "data",
    [
        b"[" * 254 + b"]" * 254,
        b'"' + b"[" * 5000 + b'"',
        b'{"a":"' + b"{[" * 5000 + b'"}',
        b'["\\"' + b"[" * 300 + b'"]',
        b'["\\\\"]',
        b'{"a":' + b"[[]," * 100 + b"1" + b"]" * 100 + b"}",
        b"1.10",
        b'{"a":1,"a":2}',
    ],
)
def test_what_is_json_is_read_as_everywhere(data):
    assert read_json(data) == json.loads(data)


def test_a_refusal_repeats_nothing_of_the_body():
    with pytest.raises(RequestError) as caught:
        read_json(b'{"name":"Marker", Marker}')
    assert "Marker" not in caught.value.sentence


@given(JSON)
def test_any_json_is_read(value):
    data = json.dumps(value, ensure_ascii=False).encode()
    assert read_json(data) == value


def outcome_of(data: bytes) -> tuple[int, object]:
    try:
        return 200, read_json(data)
    except RequestError as error:
        return error.status, None


@given(st.binary(max_size=200))
def test_any_bytes_are_json_or_refused(data):
    status, value = outcome_of(data)
    assert status in (200, 400)
    assert status == 400 or value == json.loads(data)


def enveloped(data: bytes) -> object:
    """The value of a body, read in two steps."""
    envelope = read_envelope(data, "prefetch", "context")
    return {**envelope.value, "prefetch": envelope.read()} if envelope.unread is not None else envelope.value


@given(st.dictionaries(st.sampled_from(["prefetch", "hook"]) | st.text(), JSON), st.booleans())
def test_a_body_read_in_two_steps_is_the_same_value(value, ascii_only):
    data = json.dumps(value, ensure_ascii=ascii_only).encode()
    assert enveloped(data) == read_json(data) == value


@pytest.mark.parametrize("data", [row[1] for row in REFUSED], ids=[row[0] for row in REFUSED])
@pytest.mark.parametrize("place", [b"%s", b'{"prefetch":%s}', b'{"context":%s,"prefetch":1}'])
def test_what_is_refused_is_refused_in_the_same_words_when_it_is_read(data, place):
    body = place.replace(b"%s", data)
    with pytest.raises(RequestError) as at_once:
        read_json(body)
    with pytest.raises(RequestError) as in_two_steps:
        enveloped(body)
    assert (in_two_steps.value.status, in_two_steps.value.sentence) == (at_once.value.status, at_once.value.sentence)


def test_the_deepest_prefetch_is_that_of_a_body_read_at_once():
    for deepest in (253, 254):
        data = b'{"prefetch":' + b"[" * deepest + b"]" * deepest + b"}"
        assert outcome_of(data)[0] == (200 if deepest == 253 else 400)
        if deepest == 253:
            assert enveloped(data) == read_json(data)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"1.10", Decimal("1.10")),
        (b"-1.0e3", Decimal("-1.0e3")),
        (b"[1 ,\n 0.50]", [1, Decimal("0.50")]),
        (b"123456789012345678901234567890", Decimal("123456789012345678901234567890")),
        (b"9223372036854775807", Decimal(9223372036854775807)),
        (b"12", 12),
        (b'"1.10"', "1.10"),
    ],
)
def test_numbers_of_the_context_stay_as_written(written, read):
    value = read_envelope(b'{"context":{"a":' + written + b'},"prefetch":{"a":1.10}}', "prefetch", "context").value
    assert (value["context"]["a"], str(value["context"]["a"])) == (read, str(read))


def depth_of(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return 0 if inner is None else 1 + max(map(depth_of, inner), default=0)


@given(
    st.recursive(
        st.text(alphabet='[]{}"\\a', max_size=5),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(alphabet='[]{}"\\', max_size=3), inner),
    ),
    st.integers(0, 6),
)
def test_depth_is_that_of_objects_and_lists(value, limit):
    assert json_bodies.is_deeper(value, limit) is (depth_of(value) > limit)


@pytest.mark.parametrize(
    "hostile", [b"[]" * 2_000_000, b"{" * 4_000_000, b'"' * 4_000_001, b'["\\' * 1_000_000, b"[{" * 9000]
)
def test_no_body_takes_long(hostile):
    started = time.thread_time()
    with pytest.raises(RequestError):
        read_json(hostile)
    assert time.thread_time() - started < 10


@pytest.mark.parametrize("name", EXAMPLES)
def test_no_example_is_near_the_limit(name):
    assert not json_bodies.is_deeper(json.loads((EXAMPLES[name].folder / "request.json").read_bytes()), 50)


MEDIA = [
    # media type, charset, encoding, words in the refusal (None: accepted)
    ("application/json", None, None, None),
    ("application/fhir+json", None, None, None),
    ("application/json", "utf-8", None, None),
    ("application/json", "UTF8", "identity", None),
    ("application/json", "iso-8859-1", None, "charset"),
    ("application/json", None, "gzip", "Content-Encoding"),
    ("text/plain", None, None, "Content-Type"),
    ("", None, None, "nothing"),
    ("application/x-www-form-urlencoded", None, None, "Content-Type"),
]


@pytest.mark.parametrize(("media_type", "charset", "encoding", "words"), MEDIA)
def test_the_declared_type_is_json_in_utf_8(media_type, charset, encoding, words):
    if words is None:
        check_media_type(media_type, charset, encoding)
    else:
        with pytest.raises(RequestError, match=words) as caught:
            check_media_type(media_type, charset, encoding)
        assert caught.value.status == 415
