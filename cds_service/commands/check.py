"""``cds-service check`` and ``new-policy``: commands for authors of rule sets."""

import sys
import time
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds_service.commands.common import CODES, DAY, day_of, settings_of
from cds_service.errors import PolicyError

if TYPE_CHECKING:
    from cds_service.authoring.check import Wishes
    from cds_service.authoring.problems import Severity
    from cds_service.settings.settings import Settings


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--today", type=DAY, help="The day by which reviews are due (default: today, UTC).")
@click.option("--watch", "watching", is_flag=True, help="Check again whenever a file below DIRECTORY is saved.")
@click.option("--no-slips", is_flag=True, help="Leave out the mutation test, for speed.")
@click.option("--phrases", is_flag=True, help="Mutations also drop each phrase of a code set's 'text'.")
@CODES
def check(
    directory: Path | None, today: datetime | None, watching: bool, no_slips: bool, phrases: bool, codes: Path | None
) -> None:
    """Validate the rule set folders in DIRECTORY (default: those that ship), run their cases, and try mutations.

    A mutation is a small mistake made in a rule set on purpose: a limit one step off, a code forgotten. A mutation that
    no case notices is an error, reported with the case to add.
    """
    from cds_service.authoring.check import Wishes
    from cds_service.authoring.watch import watch

    settings = settings_of(codes)
    place = directory or settings.cards
    wishes = Wishes(day_of(today), mutations=not no_slips, phrases=phrases)
    if not watching:
        sys.exit(1 if _check(place, settings, wishes) else 0)
    watch(
        place,
        run=lambda: _check_while_watching(place, settings, wishes),
        say=click.echo,
        sleep=time.sleep,
        stop=lambda: False,
    )


def _check(place: Path, settings: "Settings", wishes: "Wishes") -> bool:
    """Checks the folders and prints the reports; returns whether there is an error."""
    from cds_service.authoring.check import across_folders, check_folder, policy_folders
    from cds_service.authoring.progress import Progress
    from cds_service.authoring.summary import lines, problem_lines
    from cds_service.policy.code_packs import read_packs
    from cds_service.policy.value_sets import read_value_sets, unplaced

    folders, others = policy_folders(place)
    if not folders:
        raise click.ClickException(f"{place} holds no rule set folder (a folder with a policy.json)")
    try:
        packs, given = read_packs(settings.codes), read_value_sets(settings.value_sets)
        # A value set may belong to a shipped rule set that is not checked here.
        if misplaced := unplaced(given, {path.name for path in (*folders, *policy_folders(settings.cards)[0])}):
            raise PolicyError(misplaced)
    except PolicyError as error:
        raise click.ClickException("The code packs or value sets cannot be used:\n" + str(error)) from None
    reports = []
    for folder in folders:
        progress = Progress(sys.stderr, time.monotonic, on_terminal=sys.stderr.isatty())
        reports.append(check_folder(folder, settings.canonical_base, wishes, progress.tell, packs, given))
        progress.end()
        _print(lines(reports[-1]))
    between = across_folders(reports)
    _print(problem_lines(between))
    if others:
        click.echo(f"not a rule set (no policy.json): {', '.join(path.name for path in others)}")
    return bool(between) or any(report.failed for report in reports)


def _check_while_watching(place: Path, settings: "Settings", wishes: "Wishes") -> None:
    try:
        _check(place, settings, wishes)
    except click.ClickException as error:
        click.echo(error.format_message())


def _print(lines: "Iterable[tuple[Severity | None, str]]") -> None:
    """Prints each line with its severity, in color if the terminal supports it."""
    colors = {"error": "red", "warning": "yellow"}
    for severity, line in lines:
        word = click.style(severity.value, fg=colors[severity.value]) + ": " if severity else ""
        click.echo(word + line)


@click.command("new-policy")
@click.argument("identifier", metavar="ID")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
def new_policy(identifier: str, directory: Path) -> None:
    """Write a starting folder for the rule set ID in DIRECTORY (default: the current directory).

    Replace its texts that begin with FILL IN; 'cds-service check' names the next ones. While one is left, the folder is
    a draft, and the service skips it.
    """
    from cds_service.authoring.new_policy import write_starting_folder

    try:
        folder = write_starting_folder(identifier, directory)
    except PolicyError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {folder} with {', '.join(sorted(path.name for path in folder.iterdir()))}.")
    click.echo(f"Next: run `cds-service check {folder}`; it says what to fill in first.")
