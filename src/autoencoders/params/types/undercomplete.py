"""The undercomplete type's parameters: it has none of its own."""

from collections.abc import Iterator

from autoencoders.params.type_section import Misfit, Setting, TypeSection


class Undercomplete(TypeSection):
    """models/types/undercomplete.py."""

    def misfits(self, setting: Setting) -> Iterator[Misfit]:
        """Yields a code size that is not below the input's, which the code could copy then."""
        n_features = setting.facts.n_features
        if setting.network.code_size >= n_features:
            yield Misfit(
                "code_size",
                f"must be below the data's {n_features} features for undercomplete, "
                "which could copy its input",
            )
