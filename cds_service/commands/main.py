"""The command line, with one file for each group of commands. Results go to standard output, the rest to standard
error."""

import click

from cds_service import __version__
from cds_service.commands.audit import audit
from cds_service.commands.changes import changes
from cds_service.commands.charts import charts
from cds_service.commands.check import check, new_policy
from cds_service.commands.codes import codes
from cds_service.commands.config import config
from cds_service.commands.doctor import doctor
from cds_service.commands.example import example
from cds_service.commands.explain import explain
from cds_service.commands.feedback import feedback
from cds_service.commands.serve import serve
from cds_service.commands.store import store


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Coverage guidance for orders, as CDS Hooks cards."""


for command in (
    serve,
    check,
    new_policy,
    codes,
    explain,
    charts,
    changes,
    example,
    config,
    audit,
    doctor,
    feedback,
    store,
):
    main.add_command(command)
