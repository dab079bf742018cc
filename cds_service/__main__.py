"""The command line. Results go to standard output, all else to standard error."""

import json
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO, TypeVar
from urllib.parse import urlsplit

import click

from cds_service import __version__, examples
from cds_service.clock import utc_today
from cds_service.errors import PolicyError, RequestError
from cds_service.folders import data_folder
from cds_service.store_commands import store_group

if TYPE_CHECKING:
    from cds_service.authoring.check import Wishes
    from cds_service.authoring.problems import Severity
    from cds_service.doctor import Line
    from cds_service.feedback import Days
    from cds_service.library import Library
    from cds_service.settings import Settings
    from cds_service.store.database import Store
    from cds_service.trust.entries import Clients

Found = TypeVar("Found")
DAY = click.DateTime(["%Y-%m-%d"])
SINCE = click.option("--since", type=DAY, help="The first day (UTC; default: the oldest that is kept).")
UNTIL = click.option("--until", type=DAY, help="The last day (UTC; default: today).")
OF_WORKBENCH = click.option(
    "--workbench", is_flag=True, help="The feedback on the workbench's demo calls, in place of that of EHRs."
)
CODES = click.option(
    "--codes",
    metavar="DIR",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of code packs whose words and numbers replace ours (default: CDS_SERVICE_CODES).",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def main() -> None:
    """Coverage guidance for orders, as CDS Hooks cards."""


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes; one for each core."
)
@CODES
def serve(host: str, port: int, workers: int, codes: Path | None) -> None:
    """Run the production server."""
    from cds_service.operations import metrics_folder
    from cds_service.server import Server, authority, can_listen, install, is_loopback, load
    from cds_service.worker import Limits

    settings = _settings(codes)
    if not is_loopback(host):
        missing = [
            name
            for name, given in (
                ("CDS_SERVICE_ID_KEY", settings.id_key.get_secret_value()),
                ("CDS_SERVICE_PUBLIC_URL", settings.public_url),
            )
            if not given
        ]
        if missing:
            raise click.ClickException(
                f"{host} can be reached from other machines, and {' and '.join(missing)} must then be set: the key of "
                "card ids (openssl rand -hex 32; keep it, a new one changes every id) and the address that clients "
                "use. Or serve on 127.0.0.1."
            )
    if not can_listen(host, port):
        raise click.ClickException(f"Port {port} on {host} is in use or not allowed; choose another with --port.")
    # With an address of its own it is reached through something in front, from wherever that is reached.
    only_this_machine = is_loopback(host) and is_loopback(urlsplit(settings.public_url).hostname or host)
    if not (only_this_machine or settings.clients or settings.accept_unauthenticated_calls):
        raise click.ClickException(
            "Other machines can reach the service, and nothing says who may call it. Set CDS_SERVICE_CLIENTS to a "
            "clients file (docs/clients-file.md), or, where something in front of it lets only the right callers "
            "through, CDS_SERVICE_ACCEPT_UNAUTHENTICATED_CALLS=true. Or serve on 127.0.0.1 without a public address."
        )
    if settings.clients:
        # All faults of the file are told before anything is loaded that takes time.
        _clients(settings)
    try:
        library = load(settings)
    except PolicyError as error:
        raise click.ClickException("The policies cannot be used:\n" + str(error)) from None
    _warn_of_left_out(library)
    # Before anything loads prometheus_client, which decides then where its numbers are kept.
    numbers = metrics_folder.prepare()
    try:
        installed = install(settings, library, f"http://{authority(host, port)}", only_this_machine)
    except ValueError as error:
        raise click.ClickException(f"The settings cannot be used:\n{error}") from None
    store = installed.around.store
    if store is not None and (problem := store.problem()):
        does = "calls get 503" if settings.clients else "cards are served, feedback gets 503"
        click.echo(f"DEGRADED: {problem} Until it can be used, {does}.", err=True)
    address = f"http://{authority(host, port)}/"
    if settings.clients:
        click.echo(f"The clients of {settings.clients} can call the service at {address}, by their tokens.", err=True)
    else:
        reach = "Only this machine" if is_loopback(host) else "Anyone who can reach this machine"
        click.echo(f"OPEN: {reach} can call the service at {address}; calls are not authenticated.", err=True)
    kept = [*(["audit log"] if settings.audit else []), *([] if settings.store_url.get_secret_value() else ["store"])]
    if kept:
        click.echo(
            f"The {' and the '.join(kept)} {'is' if len(kept) == 1 else 'are'} kept in {settings.state}.", err=True
        )
    limits = Limits(settings.queue, settings.max_body_bytes)
    Server(installed.app, host, port, workers, installed, lambda: metrics_folder.remove(numbers), limits).run()


@main.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), required=False)
@click.option("--today", type=DAY, help="The day by which reviews are due (default: today, UTC).")
@click.option("--watch", "watching", is_flag=True, help="Check again whenever a file below DIRECTORY is saved.")
@click.option("--no-slips", is_flag=True, help="Leave out the slip test, for speed.")
@click.option("--phrases", is_flag=True, help="Slips also drop each phrase of a code set's 'text'.")
@CODES
def check(
    directory: Path | None, today: datetime | None, watching: bool, no_slips: bool, phrases: bool, codes: Path | None
) -> None:
    """Validate the policy folders in DIRECTORY (default: those that ship), run their cases, and try slips.

    A slip is a small mistake made in a policy on purpose: a limit one step off, a code forgotten. One that no case
    notices is an error, and is told with the case to add.
    """
    from cds_service.authoring.check import Wishes
    from cds_service.authoring.watch import watch

    settings = _settings(codes)
    place = directory or settings.cards
    wishes = Wishes(_day(today), slips=not no_slips, phrases=phrases)
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
    """Checks and prints; whether an error was found."""
    from cds_service.authoring.check import across_folders, check_folder, policy_folders
    from cds_service.authoring.progress import Progress
    from cds_service.authoring.summary import lines, problem_lines
    from cds_service.code_packs import read_packs

    folders, others = policy_folders(place)
    if not folders:
        raise click.ClickException(f"{place} holds no policy folder (a folder with a policy.json)")
    try:
        packs = read_packs(settings.codes)
    except PolicyError as error:
        raise click.ClickException("The code packs cannot be used:\n" + str(error)) from None
    reports = []
    for folder in folders:
        progress = Progress(sys.stderr, time.monotonic, on_terminal=sys.stderr.isatty())
        reports.append(check_folder(folder, settings.canonical_base, wishes, progress.tell, packs))
        progress.end()
        _print(lines(reports[-1]))
    between = across_folders(reports)
    _print(problem_lines(between))
    if others:
        click.echo(f"not a policy (no policy.json): {', '.join(path.name for path in others)}")
    return bool(between) or any(report.failed for report in reports)


def _check_while_watching(place: Path, settings: "Settings", wishes: "Wishes") -> None:
    try:
        _check(place, settings, wishes)
    except click.ClickException as error:
        click.echo(error.format_message())


def _print(lines: "Iterable[tuple[Severity | None, str]]") -> None:
    """Prints lines with the word of their severity, in its colour where a terminal shows colours."""
    colours = {"error": "red", "warning": "yellow"}
    for severity, line in lines:
        word = click.style(severity.value, fg=colours[severity.value]) + ": " if severity else ""
        click.echo(word + line)


@main.command("new-policy")
@click.argument("identifier", metavar="ID")
@click.argument("directory", type=click.Path(file_okay=False, path_type=Path), default=".")
def new_policy(identifier: str, directory: Path) -> None:
    """Write a starting folder for the policy ID in DIRECTORY (default: the current directory).

    Its texts that begin with FILL IN are to be written; 'cds-service check' says which come next. While one is left,
    the folder is a draft, and the service skips it.
    """
    from cds_service.authoring.new_policy import write_starting_folder

    try:
        folder = write_starting_folder(identifier, directory)
    except PolicyError as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Wrote {folder} with {', '.join(sorted(path.name for path in folder.iterdir()))}.")
    click.echo(f"Next: run `cds-service check {folder}`; it says what to fill in first.")


@main.command()
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
    from cds_service.card import Addresses
    from cds_service.explain import explain as evaluate
    from cds_service.explain import table
    from cds_service.library import load_library
    from cds_service.service import Guide

    settings = _settings(codes)
    try:
        body: Any = json.load(request_file)
    except ValueError as error:
        raise click.ClickException(f"{request_file.name} is not JSON: {error}") from None
    try:
        library = load_library(settings.cards, settings.canonical_base, settings.codes)
        _warn_of_left_out(library)
        addresses = Addresses(settings.public_url or "http://127.0.0.1:8080", settings.canonical_base)
        guide = Guide(library, addresses, settings.key())
        explained = evaluate(body, guide, _day(today), lambda sentence: click.echo(sentence, err=True), profile)
    except PolicyError as error:
        raise click.ClickException("The policies cannot be used:\n" + str(error)) from None
    except RequestError as error:
        place = f" ({error.expression})" if error.expression else ""
        raise click.ClickException(f"{error.sentence}{place} The service would answer {error.status}.") from None
    if validate:
        from cds_service.fhir_models import request_problems

        for problem in request_problems(body):
            click.echo(f"FHIR: {problem}", err=True)
    click.echo(json.dumps(explained, indent=2, ensure_ascii=False) if as_json else table(explained))


@main.command()
@click.argument("old")
@click.argument("new")
def changes(old: str, new: str) -> None:
    """Print what changed between two editions of a statement, OLD and NEW: ids of policies, or their folders."""
    from cds_service.changes import changes as compare
    from cds_service.loader import load_policy

    cards = _settings().cards
    try:
        before, after = (load_policy(_policy_folder(name, cards)) for name in (old, new))
    except PolicyError as error:
        raise click.ClickException("The policies cannot be used:\n" + str(error)) from None
    if before.statement != after.statement:
        raise click.ClickException(
            f"{before.id} is an edition of '{before.statement}' and {after.id} one of '{after.statement}'; only "
            "editions of one statement can be compared."
        )
    click.echo(f"From edition {before.edition} ({before.id}) to edition {after.edition} ({after.id}):")
    for sentence in compare(before, after) or ["Nothing changed."]:
        click.echo(f"- {sentence}")


@main.command()
@click.argument("name", required=False)
@click.option("--today", type=DAY, help="The day to move the dates to (default: today, UTC).")
def example(name: str | None, today: datetime | None) -> None:
    """Print an example request with its dates moved to today, for curl; without NAME, list the examples."""
    found = examples.examples(data_folder("fhir_examples"))
    if name is None:
        width = max(len(item) for item in found)
        for item in found.values():
            click.echo(f"{item.name.ljust(width)}  {item.about['title']}")
        return
    if name not in found:
        raise click.ClickException(f"There is no example '{name}'. The examples are {', '.join(found)}.")
    click.echo(json.dumps(examples.request_as_of(found[name], _day(today)), indent=1, ensure_ascii=False))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list, with what each setting means.")
def config(as_json: bool) -> None:
    """Print every setting as it holds in this environment, and whether it is set there; secrets are masked."""
    from cds_service.effective_settings import effective, table

    rows = effective(_settings())
    click.echo(json.dumps([row._asdict() for row in rows], indent=1, ensure_ascii=False) if as_json else table(rows))


@main.command()
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

    settings = _settings()
    folder = audit_folder(settings.state)
    given = settings.audit_key.get_secret_value()
    if content and not given:
        raise click.ClickException(
            "--content needs CDS_SERVICE_AUDIT_KEY, the key with which the content was encrypted."
        )
    wanted = Wanted(
        since.date() if since else None,
        until.date() if until else None,
        card,
        client,
        AuditLog(folder, settings.key(), None).patient(patient.removeprefix("Patient/")) if patient else None,
    )
    try:
        keys = keys_of(given) if content else None
        for line in read(folder, wanted, keys, lambda sentence: click.echo(sentence, err=True)):
            click.echo(json.dumps(line, ensure_ascii=False))
    except (AuditError, ValueError) as error:
        raise click.ClickException(str(error)) from None


@main.group()
def doctor() -> None:
    """Say why a token is refused, or whether a client's entry works. What is printed is for your eyes alone."""


@doctor.command("token")
@click.argument("token_file", metavar="FILE", type=click.File(encoding="utf-8"))
@click.option("--url", required=True, metavar="URL", help="The address that was called, as the client has it.")
def doctor_token(token_file: TextIO, url: str) -> None:
    """Check the token in FILE ('-': standard input) as the service would, and stop where it would refuse it.

    FILE holds the token, or the Authorization header. The token is not used up.
    """
    from cds_service.doctor import diagnose_token
    from cds_service.outgoing.client import OutgoingClient

    clients, http = _clients(_settings()), OutgoingClient()
    try:
        lines = diagnose_token(token_file.read(), url, clients, http)
    finally:
        http.close()
    _print_diagnosis(lines)


@doctor.command("client")
@click.argument("identifier", metavar="ID")
def doctor_client(identifier: str) -> None:
    """Check the entry ID of the clients file end to end: its keys, its FHIR servers, and what it is shown."""
    from cds_service.doctor import diagnose_client, find_client
    from cds_service.library import load_library
    from cds_service.outgoing.client import OutgoingClient

    settings = _settings()
    clients, http = _clients(settings), OutgoingClient()
    try:
        client = find_client(clients, identifier)
        library = load_library(settings.cards, settings.canonical_base, settings.codes)
        url = settings.public_url or "http://127.0.0.1:8080"
        lines = [*diagnose_client(client, http, library, url)]
    except PolicyError as error:
        raise click.ClickException("The policies cannot be used:\n" + str(error)) from None
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    finally:
        http.close()
    _print_diagnosis(lines)


def _clients(settings: "Settings") -> "Clients":
    """The clients file of the settings."""
    from cds_service.trust.clients import ClientsError, load_clients

    path = settings.clients
    if path is None:
        raise click.ClickException("Set CDS_SERVICE_CLIENTS to the clients file; without one calls are open.")
    try:
        return load_clients(path)
    except ClientsError as error:
        raise click.ClickException(f"The clients file of CDS_SERVICE_CLIENTS cannot be used:\n{error}") from None


def _print_diagnosis(lines: "Iterable[Line]") -> None:
    """Prints the lines, and ends with 1 if a check failed."""
    failed = False
    for line in lines:
        click.echo(line.text())
        failed = failed or line.passed is False
    sys.exit(1 if failed else 0)


@main.group()
def feedback() -> None:
    """What clinicians did with the cards."""


@feedback.command("report")
@SINCE
@UNTIL
@OF_WORKBENCH
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV, one row for each line of each table.")
def feedback_report(since: datetime | None, until: datetime | None, workbench: bool, as_csv: bool) -> None:
    """Print how often cards were accepted and overridden, by statement, by what the card said and by reason.

    Each card counts once, by its newest feedback.
    """
    from cds_service import feedback_report as reports
    from cds_service.library import load_library
    from cds_service.store import feedback as stored
    from cds_service.store import shown
    from cds_service.store.database import Store

    days, settings = _days(since, until), _settings()
    try:
        library = load_library(settings.cards, settings.canonical_base, settings.codes)
    except PolicyError as error:
        raise click.ClickException("The policies cannot be used:\n" + str(error)) from None

    def made(store: Store) -> reports.Report:
        kept, counts = stored.kept(store, days, workbench=workbench), shown.counts(store, days, workbench=workbench)
        return reports.report(days, kept, counts, library.reason_label, workbench=workbench)

    found = _from_store(made)
    click.echo(reports.as_csv(found) if as_csv else reports.table(found), nl=not as_csv)


@feedback.command("export")
@SINCE
@UNTIL
@OF_WORKBENCH
@click.option("--ndjson", is_flag=True, help="Print JSON, one object a line, in place of CSV.")
def feedback_export(since: datetime | None, until: datetime | None, workbench: bool, ndjson: bool) -> None:
    """Print each piece of feedback: intervention, action taken, user feedback, user, date, location.

    CDS Hooks sends neither user nor location with feedback; both columns are empty. The users' own words are part of
    it and may speak of patients: keep the output as you keep a chart.
    """
    from cds_service.feedback_report import export_csv, export_ndjson
    from cds_service.store.feedback import kept

    days = _days(since, until)
    found = _from_store(lambda store: kept(store, days, workbench=workbench))
    click.echo(export_ndjson(found) if ndjson else export_csv(found), nl=False)


def _days(since: datetime | None, until: datetime | None) -> "Days":
    from cds_service.feedback import Days

    if since and until and until < since:
        raise click.ClickException("--until is a day before --since; the first day comes first.")
    return Days(since.date() if since else None, until.date() if until else None)


def _from_store(read: "Callable[[Store], Found]") -> "Found":
    """What is read from the store that the settings name."""
    from cds_service.store.database import open_store
    from cds_service.store.failures import StoreError

    settings = _settings()
    try:
        with closing(open_store(settings.store_url.get_secret_value(), settings.state, create=False)) as store:
            return read(store)
    except StoreError as error:
        raise click.ClickException(str(error)) from None


def _settings(codes: Path | None = None) -> "Settings":
    """The settings; an option of the command line stands above the variable of the same name."""
    from cds_service.settings import load_settings

    try:
        settings = load_settings()
        return settings.model_copy(update={"codes": codes}) if codes else settings
    except ValueError as error:
        raise click.ClickException(f"The settings cannot be used:\n{error}") from None


def _warn_of_left_out(library: "Library") -> None:
    """Names each policy folder that was not loaded, and why, on standard error."""
    for item in library.left_out:
        click.echo(f"{'Skipped the draft' if item.draft else 'LEFT OUT the policy'} {item.name}:", err=True)
        for problem in item.problems:
            click.echo(f"  {problem}", err=True)


def _policy_folder(name: str, cards: Path) -> Path:
    """The folder of a policy given by its path or its id."""
    for folder in (Path(name), cards / name):
        if (folder / "policy.json").exists():
            # The last part of "." is no name, and a policy's folder is named as its id.
            return folder.resolve()
    known = ", ".join(sorted(path.parent.name for path in cards.glob("*/policy.json")))
    raise click.ClickException(f"There is no policy '{name}': neither a folder with a policy.json nor one of {known}.")


def _day(given: datetime | None) -> date:
    return given.date() if given else utc_today()


main.add_command(store_group(_settings))

if __name__ == "__main__":
    main()
