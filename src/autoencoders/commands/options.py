"""Arguments and options that several commands share."""

from pathlib import Path

import click

HOST = click.option(
    "--host", default="127.0.0.1", show_default=True, help="the default: from this machine alone"
)
MODEL = click.option(
    "--model", help="default: models:/autoencoder-NAME@champion of the data in params.yaml"
)
MODELS = click.option(
    "--model", multiple=True, help="as elsewhere; several: the mean of their scores"
)
FILE = click.argument("file", type=click.Path(path_type=Path))
OUT = click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help=".csv, .parquet, .npy; of images also .png",
)


def named_models(model: str | None) -> list[str]:
    """The models that `--model` names: one, or none."""
    return [model] if model else []
