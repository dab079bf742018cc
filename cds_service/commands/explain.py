"""``cds-service explain``: a hook call evaluated offline."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from cds_service.commands.common import CODES, DAY, day_of, settings_of, warn_of_left_out
from cds_service.errors import PolicyError, RequestError


@click.command()
@click.argument("request_file", metavar="REQUEST.json", type=click.File(encoding="utf-8"))
@click.option("--json", "as_json", is_flag=True, help="Print the findings and the response as one JSON object.")
@click.option("--profile", help="Hold the call against the rule of one source besides, by its id in the policy.")
@click.option("--validate", is_flag=True, help="Also hold every resource against its FHIR model (to standard error).")
@click.option("--today", type=DAY, help="The day to evaluate on (default: today, UTC).")
@CODES
def explain(
    request_file: TextIO,
    as_json: bool,
    profile: str | None,
    validate: bool,
    today: datetime | None,
    codes: Path | None,
) -> None:
    """Evaluate a hook request offline: the findings, then the cards. '-' reads standard input."""
    from cds_service.commands.explanation import explain as evaluate
    from cds_service.commands.explanation import table
    from cds_service.library import load_library
    from cds_service.service import guide_of

    settings = settings_of(codes)
    try:
        body: Any = json.load(request_file)
    except ValueError as error:
        raise click.ClickException(f"{request_file.name} is not JSON: {error}") from None
    try:
        library = load_library(settings.cards, settings.canonical_base, settings.codes, settings.value_sets)
        warn_of_left_out(library)
        guide = guide_of(settings, library, settings.public_url or "http://127.0.0.1:8080")
        explained = evaluate(body, guide, day_of(today), lambda sentence: click.echo(sentence, err=True), profile)
    except PolicyError as error:
        raise click.ClickException("The policies cannot be used:\n" + str(error)) from None
    except RequestError as error:
        place = f" ({error.expression})" if error.expression else ""
        raise click.ClickException(f"{error.sentence}{place} The service would answer {error.status}.") from None
    if validate:
        from cds_service.fhir.models import request_problems

        for problem in request_problems(body):
            click.echo(f"FHIR: {problem}", err=True)
    click.echo(json.dumps(explained, indent=2, ensure_ascii=False) if as_json else table(explained))
