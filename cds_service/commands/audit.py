"""``cds-service audit``: who asked what, and what was answered."""

import json
from datetime import datetime

import click

from cds_service.commands.common import DAY, settings_of


@click.command()
@click.option("--since", type=DAY, help="The first day (UTC; default: the oldest that is kept).")
@click.option("--until", type=DAY, help="The last day (UTC; default: today).")
@click.option("--card", metavar="UUID", help="Only the call that gave this card, and feedback on it.")
@click.option(
    "--client",
    metavar="ID",
    help="Only calls of this client of the clients file; workbench: demo calls, which are else left out.",
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
    from cds_service.operations.audit import AuditError, AuditLog, Wanted, audit_folder, read
    from cds_service.operations.sealing import keys_of

    settings = settings_of()
    folder = audit_folder(settings.state)
    given = settings.audit_key.get_secret_value()
    if content and not given:
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
    try:
        keys = keys_of(given) if content else None
        for line in read(folder, wanted, keys, lambda sentence: click.echo(sentence, err=True)):
            click.echo(json.dumps(line, ensure_ascii=False))
    except (AuditError, ValueError) as error:
        raise click.ClickException(str(error)) from None
