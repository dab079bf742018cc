"""``cds-service changes``: what changed between two editions of a statement."""

from pathlib import Path

import click

from cds_service.commands.common import settings_of
from cds_service.errors import PolicyError


@click.command()
@click.argument("old")
@click.argument("new")
def changes(old: str, new: str) -> None:
    """Print what changed between two editions of a statement, OLD and NEW, and what can differ on cards.

    OLD and NEW are ids of rule sets, or folders: give the folder of an earlier revision to compare it with today's.
    """
    from cds_service.facts.vocabulary import VOCABULARY
    from cds_service.policy.loading.folder import load_policy
    from cds_service.publish.changes import changes as compare
    from cds_service.publish.effects import effects

    cards = settings_of().cards
    try:
        before, after = (load_policy(_policy_folder(name, cards), VOCABULARY) for name in (old, new))
    except PolicyError as error:
        raise click.ClickException("The rule sets cannot be used:\n" + str(error)) from None
    if before.statement != after.statement:
        raise click.ClickException(
            f"{before.id} is an edition of '{before.statement}' and {after.id} one of '{after.statement}'; only "
            "editions of one statement can be compared."
        )
    click.echo(f"From edition {before.edition} ({before.id}) to edition {after.edition} ({after.id}):")
    sentences = compare(before, after)
    for sentence in sentences or ["Nothing changed."]:
        click.echo(f"- {sentence}")
    if sentences:
        click.echo("On cards:")
        for sentence in effects(before, after):
            click.echo(f"- {sentence}")


def _policy_folder(name: str, cards: Path) -> Path:
    """The folder of a rule set given by path or id. Raises ClickException if there is none."""
    for folder in (Path(name), cards / name):
        if (folder / "policy.json").exists():
            # A rule set's folder has the rule set's id as its name, and "." has no name.
            return folder.resolve()
    known = ", ".join(sorted(path.parent.name for path in cards.glob("*/policy.json")))
    raise click.ClickException(f"There is no rule set '{name}': neither a folder with policy.json nor one of {known}.")
