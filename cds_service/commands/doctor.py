"""``cds-service doctor``: why a token is refused, or whether a client's entry works."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, TextIO

import click

from cds_service.commands.common import clients_of, library_of, settings_of

if TYPE_CHECKING:
    from cds_service.commands.diagnosis import Line


@click.group()
def doctor() -> None:
    """Say why a token is refused, or whether a client's entry works. The output may contain sensitive values."""


@doctor.command("token")
@click.argument("token_file", metavar="FILE", type=click.File(encoding="utf-8"))
@click.option("--url", required=True, metavar="URL", help="The address that was called, as the client has it.")
def doctor_token(token_file: TextIO, url: str) -> None:
    """Check the token in FILE ('-': standard input) as the service would, and stop where it would refuse it.

    FILE holds the token, or the Authorization header. The token is not used up.
    """
    from cds_service.commands.diagnosis import diagnose_token
    from cds_service.ehr.client import OutgoingClient

    clients, http = clients_of(settings_of()), OutgoingClient()
    try:
        lines = diagnose_token(token_file.read(), url, clients, http)
    finally:
        http.close()
    _print_diagnosis(lines)


@doctor.command("client")
@click.argument("identifier", metavar="ID")
def doctor_client(identifier: str) -> None:
    """Check the entry ID of the clients file end to end: its keys, its FHIR servers, what it is shown, and how the
    documentation form signs in and writes at its EHR."""
    from cds_service.commands.diagnosis import diagnose_client, find_client
    from cds_service.commands.smart_diagnosis import diagnose_smart
    from cds_service.ehr.client import OutgoingClient

    settings = settings_of()
    clients, http = clients_of(settings), OutgoingClient()
    try:
        client = find_client(clients, identifier)
        library = library_of(settings)
        url = settings.public_url or "http://127.0.0.1:8080"
        evidence = settings.evidence_mode(is_open=False)
        lines = [*diagnose_client(client, http, library, url, evidence), *diagnose_smart(client, http, library, url)]
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    finally:
        http.close()
    _print_diagnosis(lines)


def _print_diagnosis(lines: "Iterable[Line]") -> None:
    """Prints the lines and exits, with status 1 if a check failed."""
    failed = False
    for line in lines:
        click.echo(line.text())
        failed = failed or line.passed is False
    sys.exit(1 if failed else 0)
