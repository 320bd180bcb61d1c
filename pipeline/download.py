"""Fetches or unpacks the data, unless it stays where the user has it."""

from autoencoders.reporting import reporting

if __name__ == "__main__":
    with reporting():
        from autoencoders.data.sources import download
        from autoencoders.params import load_params
        from autoencoders.stage import RAW

        download(load_params().data, RAW)
