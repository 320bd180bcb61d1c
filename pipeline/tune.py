"""Looks for better values of one type: `python pipeline/tune.py sparse`."""

from autoencoders.core.imports import importing
from autoencoders.core.reporting import reporting

if __name__ == "__main__":
    with reporting():
        with importing():
            import sys

            from autoencoders.params.params import load_params
            from autoencoders.tuning.tune import tune

        tune(sys.argv[1], load_params())
