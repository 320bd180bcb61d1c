"""Commands about registered models: who is champion, where a version comes from, its ONNX graph."""

import click

from autoencoders.commands.options import MODEL
from autoencoders.core.errors import UserError

PROMOTE_HELP = (
    "Make a version the champion; with --best, the present state's best model, "
    "if it beats the champion."
)
LINEAGE_HELP = (
    "Where a registered model comes from, and the commands that make it again. "
    "URI: models:/NAME@ALIAS or VERSION."
)


@click.group()
def registry() -> None:
    """The champion, and every decision about it."""


@registry.command()
def history() -> None:
    """Print the ledger: every decision, the oldest first."""
    from autoencoders.registry.registry import present

    registry = present(writing=False)
    decisions = registry.history()
    for decision in decisions:
        print(decision.line())
    if not decisions:
        print(f"{registry.name}: no decision yet; `dvc repro` makes the first champion")


@registry.command()
def rollback() -> None:
    """Undo the last promotion."""
    from autoencoders.registry.registry import present

    decision = present().rollback()
    print(decision.line())


@registry.command(help=PROMOTE_HELP)
@click.argument("version", required=False)
@click.option(
    "--best",
    is_flag=True,
    help="the present state's best, if it beats the champion as in `dvc repro`",
)
@click.option("--reason", default="by hand")
def promote(version: str | None, best: bool, reason: str) -> None:
    """Promotes the version, or the best model, and prints what was decided."""
    if best == (version is not None):
        raise UserError("ae registry promote: give a VERSION, or --best")
    if version is None:
        from autoencoders.registry.promotion import promote_best

        print(promote_best())
        return
    from autoencoders.registry.registry import present

    decision = present().promote_by_hand(version, reason)
    print(decision.line())


@click.command(help=LINEAGE_HELP)
@click.argument("uri")
@click.option("--verify", is_flag=True, help="hash model and data again; fails where they changed")
def lineage(uri: str, verify: bool) -> None:
    """Prints the origin of a registered model, and with --verify whether it is unchanged."""
    from autoencoders.registry import lineage
    from autoencoders.tracking.runs import connected

    client = connected(writing=False)
    for name, value in lineage.lineage(client, uri).items():
        print(f"{name:14} {value}")
    if not verify:
        print()
        return
    changes = lineage.verify(client, uri)
    if changes:
        raise UserError("\n".join(["changed since the model was made:", *changes]))
    print("verified: model, source and prepared data are as they were")


@click.command()
@MODEL
def export(model: str | None) -> None:
    """Write a model as an ONNX graph, by which score and serve answer from then on."""
    from autoencoders.registry.answering import locate
    from autoencoders.registry.versions import load_fetched
    from autoencoders.serving.onnx import export

    located = locate(model)
    export(load_fetched(located.uri, located.folder), located.graph)
    print(f"{located.graph}: agrees with torch")
