"""Entry point of `ae`."""

from autoencoders.core.reporting import reporting


def main() -> None:
    """Runs `ae`; all that takes time to import is imported where a signal is answered."""
    with reporting("the same command"):
        from autoencoders import cli

        cli.main()


if __name__ == "__main__":
    main()
