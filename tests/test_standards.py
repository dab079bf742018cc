"""The rules of CDS Hooks for a service, each with the tests that show it; a rule whose test is gone fails here.

Sections are those of CDS Hooks 2.0 (https://cds-hooks.hl7.org/2.0/) where no other source is named.
"""

import ast
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from cds_service.examples import examples
from cds_service.settings.settings import data_folder
from cds_service.web.discovery import discovery_document
from tests.shipped import library

TESTS = Path(__file__).parent


class Rule(NamedTuple):
    """A section, what it asks of a service in our words, and the tests that show it, as ``module.function``."""

    section: str
    asks: str
    shown_by: tuple[str, ...]


RULES = [
    Rule("Discovery", "GET {base}/cds-services answers 200 with an object that lists services",
         ("http.discovery_is_what_the_specification_asks_for",)),
    Rule("Discovery", "it answers with a slash at the end, and to HEAD",
         ("http.discovery_answers_with_a_slash_at_the_end_and_to_head",)),
    Rule("Discovery", "each service has id, hook and description, and what else it has is of its type",
         ("http.discovery_is_what_the_specification_asks_for", "openapi.whatever_is_sent_is_answered_as_described")),
    Rule("Discovery", "prefetch asks for what the service needs, and no more",
         ("http.prefetch_asks_for_just_what_the_policies_read",)),
    Rule("Use of JSON", "what there is nothing to say of is left out: no null, no empty text, list or object",
         ("standards.nothing_is_said_with_an_empty_value",)),
    Rule("HTTP, RFC 9110", "GET of a service is 405 with Allow, of an unknown one 404",
         ("errors.a3_7_every_error_is_one_operation_outcome_with_the_same_headers",
          "errors.a1_8_allow_lists_what_is_allowed_whether_refused_or_asked")),
    Rule("Prefetch Template", "tokens are of the context's root, and every template can be resolved",
         ("fetching.a2_tokens_of_cds_hooks_2_0_are_resolved", "fetching.all_templates_can_be_resolved",
          "http.discovery_is_what_the_specification_asks_for")),
    Rule("Prefetch Template", "a token that has no value, or none that fits, is said and never sent",
         ("fetching.a2_a_token_without_a_fit_value_is_said",)),
    Rule("Prefetch Template", "a key that is absent is fetched; null and failures are answers and are not asked again",
         ("fetching_examples.a3_4_a2_what_was_sent_is_not_asked_for_and_what_is_absent_is",
          "fetching.a_key_that_was_tried_is_not_tried_again", "chart.a_prefetch_value_arrives_in_one_of_four_states")),
    Rule("Prefetch Template", "the pages behind a first page that was sent are followed",
         ("fetching_examples.a3_4_the_pages_behind_a_first_page_are_followed_with_the_token",
          "fetching.a_next_link_is_followed_at_the_base")),
    Rule("HTTP Request", "hook, hookInstance and context are required, with what the hook's context must hold",
         ("http.malformed_calls_get_an_answer_that_says_what_and_where",
          "openapi.whatever_is_sent_is_answered_as_described")),
    Rule("HTTP Request", "members that are not known are ignored",
         ("http.unknown_members_are_ignored",)),
    Rule("HTTP Request", "the hook in the body is the one that the service answers",
         ("errors.a3_7_every_error_is_one_operation_outcome_with_the_same_headers",)),
    Rule("HTTP Request", "JSON with or without charset, as application/json or application/fhir+json",
         ("http.json_is_read_with_charset_and_as_fhir_json", "bodies.the_declared_type_is_json_in_utf_8")),
    Rule("FHIR Resource Access", "a grant comes with a server, its token is a Bearer's, and is for this call alone",
         ("fetching.a3_1_a3_2_a_grant_that_cannot_be_used_is_refused", "fetching.a7_the_token_is_not_shown",
          "fetching_examples.a_token_is_neither_shown_nor_kept")),
    Rule("FHIR Resource Access", "only what the scopes cover is asked for",
         ("fetching.a3_6_only_what_is_granted_is_asked_for",
          "fetching.a3_6_a_key_that_the_scope_does_not_cover_is_not_asked_for")),
    Rule("FHIR Resource Access", "the service works from prefetch alone as well as from the server alone",
         ("fetching_examples.a3_6_works_from_prefetch_alone_where_no_server_is_named",
          "fetching_examples.the_card_is_the_same_by_fetching")),
    Rule("HTTP Status Codes", "412 where data that are required can neither be had from prefetch nor be fetched",
         ("http.a_recognized_order_without_its_patient_is_412",
          "fetching_examples.a3_5_412_says_why_the_patient_could_not_be_fetched")),
    Rule("HTTP Status Codes; 3.0", "every other answer than 200 carries an OperationOutcome",
         ("errors.a3_7_every_error_is_one_operation_outcome_with_the_same_headers",
          "errors.a3_8_every_status_that_is_described_for_a_call_is_tried",
          "openapi.a3_8_every_refusal_described_is_an_operation_outcome")),
    Rule("HTTP Status Codes", "a body that is not JSON is 400, whatever is wrong with it",
         ("errors.a3_7_every_error_is_one_operation_outcome_with_the_same_headers",
          "bodies.what_is_not_json_is_refused_with_a_reason",
          "body_fuzz.spoiled_bytes_are_answered_or_refused_and_nothing_leaks")),
    Rule("HTTP, RFC 9110 and RFC 6585", "405, 408, 413, 415 and 429 are what they are for",
         ("errors.a3_7_every_error_is_one_operation_outcome_with_the_same_headers",
          "errors.a3_8_too_many_calls_learn_when_to_call_again",
          "errors.a3_8_a_body_too_large_in_chunks_is_refused",
          "errors.callers_that_announce_a_body_and_send_none_hold_nobody_up")),
    Rule("FHIR R4, References", "absolute, relative, urn and contained references lead to the same resource",
         ("chart.a_medicine_is_found_however_it_is_referred_to",
          "properties.order_paging_and_references_never_matter")),
    Rule("FHIR R4, id; as EHRs send it", "ids of any length with dots and dashes are ids",
         ("fetching.a3_9_long_ids_with_dots_and_dashes_are_ids",)),
    Rule("Security and Safety", "patients are never mixed: an order of another is refused, a resource is not evidence",
         ("http.an_order_for_another_patient_is_refused", "chart.only_the_patients_own_resources_count",
          "chart.another_patients_infection_is_neither_found_nor_missed")),
    Rule("HTTP Response", "200 holds cards; without guidance the list is empty",
         ("http.every_example_is_answered_as_frozen", "http.an_unrelated_order_without_its_patient_is_silence")),
    Rule("Card Attributes", "a card is as the specification has it, whatever was sent",
         ("http.every_example_is_answered_as_frozen",
          "body_fuzz.a_spoiled_request_is_answered_or_refused_and_nothing_leaks")),
    Rule("Suggestion", "an update holds the whole resource, as it was sent",
         ("cards.an_update_is_the_draft_as_received_plus_one_coding", "cards.an_order_is_echoed_digit_for_digit")),
    Rule("Feedback", "accepted and overridden cards are read with their suggestions, reason and time",
         ("feedback.what_the_standard_sends_is_read", "feedback.accepted_without_suggestions_is_read")),
    Rule("Feedback", "what EHRs send otherwise is read, and what cannot be read is reported with its place",
         ("feedback.what_ehrs_send_beside_the_standard_is_read",
          "feedback.what_cannot_be_read_is_a_400_that_names_the_place")),
    Rule("Feedback", "what is acknowledged is kept, once however often it is sent, for cards that are not known too",
         ("http_feedback.repeated_feedback_is_answered_as_the_first_and_kept_once",
          "http_feedback.feedback_may_come_before_what_was_shown_is_written",
          "http_feedback.what_cannot_be_kept_is_not_acknowledged")),
    Rule("Security and Safety, CORS", "browsers may ask first, and are answered on errors too",
         ("http.browsers_may_ask_first", "http.origins_can_be_limited",
          "errors.a3_7_every_error_is_one_operation_outcome_with_the_same_headers")),
    Rule("Security and Safety", "a fhirServer is called only where it is allowed, over connections that are checked",
         ("fetching.9_a_server_that_is_not_allowed_is_never_asked",
          "outgoing.a_hostile_address_is_refused_as_written",
          "outgoing.a_name_that_leads_to_a_hostile_address_is_not_called",
          "outgoing.the_certificate_must_be_trusted_and_name_the_host_although_we_connect_by_address")),
    Rule("Security and Safety", "text of a chart never becomes markup, and never stands in the summary",
         ("cards.chart_text_never_becomes_markup", "cards.chart_text_never_reaches_the_summary")),
    Rule("Security and Safety", "nothing of a patient and no token gets into logs, metrics, errors or the store",
         ("http_fetching.nothing_of_a_call_reaches_log_metrics_audit_or_store",
          "body_fuzz.a_spoiled_request_is_answered_or_refused_and_nothing_leaks")),
    Rule("Trusting CDS Clients", "the token is a JWT of RS384 or ES384 (RS256, ES256), never unsigned or by a secret",
         ("trust_tokens.a7_each_algorithm_of_an_entry_is_accepted",
          "trust_tokens.a7_an_attack_is_refused_by_its_check_without_a_connection_and_without_using_up_the_token")),
    Rule("Trusting CDS Clients", "iss is on the allow list, jku is compared with it and never followed",
         ("trust_tokens.there_are_many_attacks_and_every_check_refuses_one",
          "trust_keys.a7_a_token_that_names_another_jku_leads_nowhere",
          "trust_tokens.keys_in_the_file_leave_jku_unread_unless_the_entry_lists_some")),
    Rule("Trusting CDS Clients", "aud is the address that was called, or an alias of it",
         ("trust_tokens.a7_the_audience_is_the_address_that_was_called",
          "trust_tokens.a7_audiences_of_the_entry_are_also_accepted")),
    Rule("Trusting CDS Clients", "a jti counts once, whichever worker or host it reaches",
         ("trust_tokens.a_good_token_is_let_in_once", "store.of_several_processes_exactly_one_has_a_token_first",
          "trust_serving.a_token_works_once_whichever_process_it_reaches")),
    Rule("Trusting CDS Clients", "tenant tells the customers of one issuer apart",
         ("trust_tokens.the_tenant_chooses_the_entry_and_its_keys",)),
    Rule("Trusting CDS Clients", "keys are kept for a while, and a new one is found",
         ("trust_keys.nothing_is_fetched_before_a_token_needs_it_and_then_once_an_hour",
          "trust_keys.a_new_key_is_found_at_once_and_unknown_kids_lead_to_a_fetch_every_30_seconds_at_most")),
    Rule("Security and Safety", "401 says nothing of the reason, and is the same for every reason",
         ("trust_tokens.a7_over_http_every_attack_gets_one_and_the_same_401",)),
    Rule("Discovery; Security and Safety", "discovery asks for no token; browsers may ask first without one",
         ("trust_tokens.a1_9_discovery_health_and_metrics_ask_for_no_token",
          "trust_tokens.a7_a_browser_may_ask_before_it_calls_without_a_token")),
    Rule("Feedback", "it asks for a token of its own, for its own address",
         ("trust_serving.a6_feedback_asks_for_a_token_that_names_its_own_address",)),
    Rule("Suggestion; as Epic reads it", "one action a suggestion for clients that read no more",
         ("client_profiles.a_suggestion_of_two_actions_becomes_two_that_say_they_belong_together",
          "trust_serving.a_client_is_answered_in_its_dialect")),
    Rule("Response; as the public sandbox reads it", "system actions stand in the extension as well, where asked for",
         ("client_profiles.system_actions_stand_in_the_extension_as_well",)),
]  # fmt: skip


@cache
def functions_of(module: str) -> frozenset[str]:
    """The names of a module's tests, without ``test_``."""
    tree = ast.parse((TESTS / f"test_{module}.py").read_text(encoding="utf-8"))
    names = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return frozenset(name.removeprefix("test_") for name in names if name.startswith("test_"))


@pytest.mark.parametrize("rule", RULES, ids=[f"{rule.section}: {rule.asks}" for rule in RULES])
def test_every_rule_has_its_tests(rule):
    assert rule.shown_by
    for name in rule.shown_by:
        module, _, function = name.partition(".")
        assert function in functions_of(module), name


def empty_in(value: Any, place: str = "") -> Iterator[str]:
    """The places of null, empty text, empty lists and empty objects; resources are the EHR's own words."""
    if value is None or value in ("", [], {}):
        yield place
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        if key != "resource":
            yield from empty_in(inner, f"{place}.{key}")


@pytest.mark.parametrize("lean", [True, False])
def test_nothing_is_said_with_an_empty_value(lean):
    assert [*empty_in(discovery_document(library(), lean=lean, fetches=True))] == []
    for example in examples(data_folder("fhir_examples")).values():
        response = json.loads((example.folder / "response.json").read_text(encoding="utf-8"))
        # Only the list of cards itself may be empty, and says by that that there are none.
        assert set(empty_in(response)) <= {".cards"}, example.name
