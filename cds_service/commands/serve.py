"""``cds-service serve``: runs the production server."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from cds_service.commands.common import CODES, clients_of, settings_of, warn_of_left_out
from cds_service.errors import PolicyError


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=8080, show_default=True, type=click.IntRange(0, 65535))
@click.option(
    "--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes; one for each core."
)
@CODES
def serve(host: str, port: int, workers: int, codes: Path | None) -> None:
    """Run the production server."""
    from cds_service.operations import metrics_folder
    from cds_service.server.gunicorn_server import Server, authority, can_listen, install, is_loopback, load
    from cds_service.server.worker import WorkerLimits

    settings = settings_of(codes)
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
    # A public URL means that a proxy in front forwards calls, from any machine that can reach the proxy.
    only_this_machine = is_loopback(host) and is_loopback(urlsplit(settings.public_url).hostname or host)
    if not (only_this_machine or settings.clients or settings.accept_unauthenticated_calls):
        raise click.ClickException(
            "Other machines can reach the service, and nothing says who may call it. Set CDS_SERVICE_CLIENTS to a "
            "clients file (docs/clients-file.md), or, where something in front of it lets only the right callers "
            "through, CDS_SERVICE_ACCEPT_UNAUTHENTICATED_CALLS=true. Or serve on 127.0.0.1 without a public address."
        )
    if settings.clients:
        # Reports all faults of the file before slow loading starts.
        clients_of(settings)
    try:
        library = load(settings)
    except PolicyError as error:
        raise click.ClickException("The rule sets cannot be used:\n" + str(error)) from None
    warn_of_left_out(library)
    # Must run before prometheus_client is imported, which fixes the metrics folder.
    numbers = metrics_folder.prepare()
    try:
        installed = install(settings, library, f"http://{authority(host, port)}", only_this_machine)
    except ValueError as error:
        raise click.ClickException(f"The settings cannot be used:\n{error}") from None
    store = installed.installation.store
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
    limits = WorkerLimits(settings.queue, settings.max_body_bytes)
    server = Server(
        installed.app,
        host,
        port,
        workers,
        beside=installed,
        when_over=lambda: metrics_folder.remove(numbers),
        limits=limits,
    )
    server.run()
