"""Looks for better values of one type: `python pipeline/tune.py sparse`."""

import sys

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("tune", *sys.argv[1:]):
        with importing():
            from autoencoders.params.params import load_params
            from autoencoders.tuning.tune import tune

        tune(sys.argv[1], load_params())
