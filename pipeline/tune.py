"""Looks for better values of one type: `python pipeline/tune.py sparse`."""

import sys

from autoencoders.params import load_params
from autoencoders.stage import reporting
from autoencoders.tuning.stage import tune

if __name__ == "__main__":
    with reporting():
        tune(sys.argv[1], load_params())
