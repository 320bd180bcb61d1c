"""Entry point of `ae`."""

from autoencoders.core.reporting import reporting


def main() -> None:
    """Runs `ae`. Slow imports come first here, where a signal is already answered."""
    with reporting("the same command"):
        from autoencoders import cli

        cli.main()


if __name__ == "__main__":
    main()
