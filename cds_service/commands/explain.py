"""``cds-service explain``: evaluates a hook call offline."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

import click

from cds_service.commands.common import CODES, DAY, day_of, guide_of, settings_of
from cds_service.errors import RequestError


@click.command()
@click.argument("request_file", metavar="REQUEST.json", type=click.File(encoding="utf-8"))
@click.option("--json", "as_json", is_flag=True, help="Print the findings and the response as one JSON object.")
@click.option("--profile", help="Also evaluate the call against the rule of one source, by its id in the rule set.")
@click.option("--validate", is_flag=True, help="Also validate every resource as FHIR R4B (to standard error).")
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
    """Evaluate a hook request offline: the evidence pages as text, then the cards. '-' reads standard input.

    Lines are as wide as the terminal. Set NO_COLOR for no colors, COLUMNS for another width.
    """
    from dataclasses import replace

    from cds_service.card.style import TEXT, Style
    from cds_service.commands import explanation

    guide, day = guide_of(settings_of(codes)), day_of(today)
    try:
        body: Any = json.load(request_file)
    except ValueError as error:
        raise click.ClickException(f"{request_file.name} is not JSON: {error}") from None
    # Programs get the card as EHRs do; a terminal does not render Markdown.
    guide = guide if as_json else replace(guide, style=Style(detail_format=TEXT))
    try:
        answers = explanation.answers_to(body, guide, day, lambda sentence: click.echo(sentence, err=True), profile)
    except RequestError as error:
        place = f" ({error.expression})" if error.expression else ""
        raise click.ClickException(f"{error.sentence}{place} The service would answer {error.status}.") from None
    if validate:
        from cds_service.fhir.models import request_problems

        for problem in request_problems(body):
            click.echo(f"FHIR: {problem}", err=True)
    if as_json:
        click.echo(json.dumps(explanation.as_json(answers, day), indent=2, ensure_ascii=False))
    else:
        from cds_service.commands.terminal_page import print_answers

        print_answers(answers, day)
