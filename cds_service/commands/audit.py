"""``cds-service audit``: calls and their answers, and the cards that a corrected rule changes."""

import json
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

import click

from cds_service.commands.common import DAY, guide_of, settings_of

if TYPE_CHECKING:
    from cds_service.commands.affected import Question
    from cds_service.operations.sealing import Keys
    from cds_service.service.guide import Guide
    from cds_service.settings.settings import Settings


@click.group(invoke_without_command=True)
@click.option("--since", type=DAY, help="The first day (UTC; default: the oldest that is kept).")
@click.option("--until", type=DAY, help="The last day (UTC; default: today).")
@click.option("--card", metavar="UUID", help="Only the call that gave this card, and feedback on it.")
@click.option(
    "--client",
    metavar="ID",
    help="Only calls of this client of the clients file; workbench: demo calls, left out by default.",
)
@click.option("--patient", metavar="ID", help="Only calls for this patient, by the id that the EHR sent.")
@click.option("--content", is_flag=True, help="Also the calls and answers, decrypted with CDS_SERVICE_AUDIT_KEY.")
def audit(
    since: datetime | None,
    until: datetime | None,
    card: str | None,
    client: str | None,
    patient: str | None,
    content: bool,
) -> None:
    """Print the audit log as JSON, one line for each call: who asked what, and what was answered."""
    if command := click.get_current_context().invoked_subcommand:
        if any((since, until, card, client, patient, content)):
            raise click.UsageError(f"Write the options behind '{command}'; it has its own.")
        return
    from cds_service.operations.audit import AuditError, AuditLog, audit_folder
    from cds_service.operations.audit_lines import Wanted, read

    settings = settings_of()
    folder = audit_folder(settings.state)
    if content and not settings.audit_key.get_secret_value():
        raise click.ClickException(
            "--content needs CDS_SERVICE_AUDIT_KEY, the key with which the content was encrypted."
        )
    wanted = Wanted(
        since=since.date() if since else None,
        until=until.date() if until else None,
        card=card,
        client=client,
        patient=AuditLog(folder, settings.key(), None).patient(patient.removeprefix("Patient/")) if patient else None,
    )
    keys = _keys(settings) if content else None
    try:
        for line in read(folder, wanted, keys, _tell):
            click.echo(json.dumps(line, ensure_ascii=False))
    except AuditError as error:
        raise click.ClickException(str(error)) from None


@audit.command("request")
@click.argument("card", metavar="UUID")
def audit_request(card: str) -> None:
    """Print the call that gave the card UUID, as a request for `cds-service explain`; standard error says of which day.

    It needs kept content and CDS_SERVICE_AUDIT_KEY. What is printed is patient data.
    """
    from cds_service.commands.kept_calls import request_of
    from cds_service.operations.audit import AuditError, audit_folder
    from cds_service.operations.audit_lines import Wanted, read

    settings = settings_of()
    if not settings.audit_key.get_secret_value():
        raise click.ClickException("Set CDS_SERVICE_AUDIT_KEY, the key with which the content was encrypted.")
    try:
        lines = read(audit_folder(settings.state), Wanted(card=card), _keys(settings), _tell)
        line = next((line for line in lines if line.get("kind") == "call"), None)
    except AuditError as error:
        raise click.ClickException(str(error)) from None
    if line is None:
        raise click.ClickException(f"No call in the audit log gave the card {card}; see `cds-service audit --card`.")
    request = request_of(line.get("content"))
    if request is None:
        content = line.get("content") or {}
        why = content.get("cannot be opened", "CDS_SERVICE_AUDIT_CONTENT was off, or a cap was reached")
        raise click.ClickException(f"The content of the call of {line['time']} is not available: {why}.")
    click.echo(json.dumps(request, ensure_ascii=False))
    _tell(f"Evaluate it as of its day: cds-service explain FILE --today {line['today']}")


@audit.command()
@click.option("--policy", "policy_id", metavar="ID", required=True, help="The rule set that was corrected.")
@click.option("--criterion", metavar="ID", required=True, help="The criterion whose rule was corrected.")
@click.option("--from", "since", type=DAY, required=True, help="The first day (UTC) of calls.")
@click.option("--until", type=DAY, help="The last day (UTC; default: today).")
@click.option(
    "--truth",
    "truths",
    multiple=True,
    type=click.Choice(["met", "not-met", "unknown"]),
    help="Only cards on which the criterion had this result; may be given more than once.",
)
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    metavar="ID",
    help="Only cards with this outcome; may be given more than once.",
)
@click.option(
    "--patients",
    type=click.File(encoding="utf-8"),
    help="File with the EHR's patient ids, one per line ('-': standard input); the output names those that it finds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, one object per line, instead of a table.")
def affected(  # noqa: PLR0913 - click passes one argument for each option
    policy_id: str,
    criterion: str,
    since: datetime,
    until: datetime | None,
    *,
    truths: tuple[str, ...],
    outcomes: tuple[str, ...],
    patients: TextIO | None,
    as_json: bool,
) -> None:
    """Print the calls whose card would read otherwise after a rule was corrected.

    Run it with the corrected rule set. A call whose content is kept (CDS_SERVICE_AUDIT_CONTENT) is evaluated again as
    of its own day. Any other call is selected if its card used the criterion and other rules answered it. Patient ids
    stay sealed unless --patients lists them.
    """
    from cds_service.commands.affected import checked
    from cds_service.commands.affected_report import AffectedReport
    from cds_service.operations.audit import AuditError, AuditLog, audit_folder
    from cds_service.operations.audit_lines import Wanted, read

    if until and until < since:
        raise click.ClickException("--until is a day before --from; the first day comes first.")
    settings = settings_of()
    guide = guide_of(settings)
    question = _question(guide, policy_id, criterion, truths, outcomes)
    folder = audit_folder(settings.state)
    log = AuditLog(folder, settings.key(), None)
    names = {log.patient(name): name for name in _names(patients)} if patients else {}
    report = AffectedReport(question, names)
    wanted = Wanted(since=since.date(), until=until.date() if until else None)
    keys = _keys(settings) if settings.audit_key.get_secret_value() else None
    try:
        for found in checked(read(folder, wanted, keys, _tell), question, guide, _tell):
            report.add(found)
    except AuditError as error:
        raise click.ClickException(str(error)) from None
    for text in report.as_json() if as_json else report.as_table():
        click.echo(text)
    click.echo(report.summary(), err=True)


def _question(
    guide: "Guide", policy_id: str, criterion: str, truths: tuple[str, ...], outcomes: tuple[str, ...]
) -> "Question":
    """The question to ask. Raises ClickException if the rule set or the criterion does not exist."""
    from cds_service.commands.affected import Question

    policy = guide.library.policy(policy_id)
    if policy is None:
        known = ", ".join(item.id for item in guide.library.policies)
        raise click.ClickException(f"There is no rule set '{policy_id}'; the rule sets are {known}.")
    criteria = [item.id for item in policy.criteria]
    if criterion not in criteria:
        raise click.ClickException(
            f"{policy_id} has no criterion '{criterion}'; its criteria are {', '.join(criteria)}."
        )
    return Question(policy=policy, criterion=criterion, truths=frozenset(truths), outcomes=frozenset(outcomes))


def _names(patients: TextIO) -> Iterator[str]:
    lines = (line.strip().removeprefix("Patient/") for line in patients)
    return (line for line in lines if line)


def _keys(settings: "Settings") -> "Keys":
    from cds_service.operations.sealing import keys_of

    try:
        return keys_of(settings.audit_key.get_secret_value())
    except ValueError as error:
        raise click.ClickException(str(error)) from None


def _tell(sentence: str) -> None:
    click.echo(sentence, err=True)
