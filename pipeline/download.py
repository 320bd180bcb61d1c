"""Fetches the data set that `data.name` names."""

from autoencoders.data.sources import download
from autoencoders.params import load_params
from autoencoders.stage import RAW, reporting

if __name__ == "__main__":
    with reporting():
        download(load_params().data.name, RAW)
