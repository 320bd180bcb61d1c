"""Splits the data and fits its scaling on the training rows."""

from autoencoders.data.prepared import prepare
from autoencoders.params import load_params
from autoencoders.stage import DATA, RAW, reporting

if __name__ == "__main__":
    with reporting():
        description = prepare(RAW, DATA, load_params().data)
        print(f"{description.name}: {description.rows}")
