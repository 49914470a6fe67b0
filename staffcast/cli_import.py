"""``staffcast import``: parse, call, print."""

from __future__ import annotations

import click

from staffcast.cli_output import progress_bar

__all__ = ["import_command"]


@click.command("import")
@click.argument("files", type=click.Path(), nargs=-1, required=True)
@click.option("-o", "--output", type=click.Path(), default="tickets.parquet", show_default=True,
              help="Tickets: .parquet. Counts per interval: .csv, .csv.gz or .parquet.")  # fmt: skip
@click.option("--format", "form", metavar="VENDOR",
              help="Whose export it is, if it is not recognised: zendesk, freshdesk, freshservice, intercom, hubspot, "
                   "chatwoot, genesys, connect, calabrio.")  # fmt: skip
@click.option("--mapping", type=click.Path(), help="TOML that says what the columns mean, for any other export.")
@click.option("--write-mapping", type=click.Path(), metavar="FILE",
              help="Write a mapping for the first of FILES, to be edited; import nothing.")  # fmt: skip
@click.option("--zone", help="IANA zone of times without an offset, and of the times written.")
@click.option("--dates", type=click.Choice(["dmy", "mdy"]), help="Order of day and month, where no date decides it.")
@click.option("--key", type=click.Path(),
              help="Key of the pseudonyms; made if absent.  [default: in your settings' folder]")  # fmt: skip
@click.option("--keep-agents", is_flag=True, help="Show agents by name; customers stay codes.")
@click.option("--json", "as_json", is_flag=True, help="Print the report as JSON with a schema_version.")
@click.option("-q", "--quiet", is_flag=True, help="No progress on stderr, and no report.")
def import_command(
    files: tuple[str, ...], output: str, form: str | None, mapping: str | None, write_mapping: str | None,
    zone: str | None, dates: str | None, key: str | None, keep_agents: bool, as_json: bool, quiet: bool,
) -> None:  # fmt: skip
    """Make one table of tickets from the exports of a help desk, FILES; texts and names of customers stay behind."""
    from staffcast.tickets import exports

    if write_mapping is not None:
        exports.write_mapping(write_mapping, exports.suggest_mapping(files[0], form=form, zone=zone))
        click.echo(f"A mapping to edit: {write_mapping}", err=True)
        return
    secret = exports.load_key(key or exports.default_key_path(), output=output)
    told = exports.load_mapping(mapping) if mapping else None
    with progress_bar(quiet) as progress:
        report = exports.import_log(
            files, output, key=secret, form=form, mapping=told, zone=zone, dates=dates or "", keep_agents=keep_agents,
            progress=progress,
        )  # fmt: skip
    if as_json:
        from staffcast.report import as_json as json_text

        click.echo(json_text("import", report.as_dict()))
    elif not quiet:
        for line in report.lines():
            click.echo(line)
        click.echo(f"{report.kind}: {report.rows_out:,} rows written to {output}")
