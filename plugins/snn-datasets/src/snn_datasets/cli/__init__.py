"""``snn data``: getting, checking, showing and converting data."""

from __future__ import annotations

import typer

from snn_datasets.cli import convert, facts, listing, prepare, preview, user_data, verify
from snn_datasets.cli.notices import plain_notices

app = typer.Typer(no_args_is_help=True, help="Get, check, look at and convert data.")


@app.callback()
def _data(ctx: typer.Context) -> None:
    """Get, check, look at and convert data."""
    ctx.with_resource(plain_notices())


app.command("list")(listing.list_)
app.command("info")(facts.info)
app.command("prepare")(prepare.prepare)
app.command("verify")(verify.verify)
app.command("preview")(preview.preview)
app.command("import")(user_data.import_)
app.command("convert")(convert.convert)
