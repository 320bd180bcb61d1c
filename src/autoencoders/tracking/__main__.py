"""Entry point of the writer beside a stage: `python -m autoencoders.tracking`."""

from autoencoders.core.imports import importing

if __name__ == "__main__":
    with importing():
        from autoencoders.tracking.writer import main

    main()
