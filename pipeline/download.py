"""Fetches or unpacks the data, unless it stays where the user has it."""

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("download"):
        with importing():
            from autoencoders.core.paths import RAW
            from autoencoders.data.sources.source import download
            from autoencoders.params.params import load_params

        download(load_params().data, RAW)
