"""The undercomplete type's parameters: it has none of its own."""

from collections.abc import Iterator

from autoencoders.params.sections import Rule, Setting, TypeSection


class Undercomplete(TypeSection):
    """models/types/undercomplete.py."""

    def rules(self, setting: Setting) -> Iterator[Rule]:
        """The code is smaller than the input, which it could copy otherwise."""
        n_features = setting.facts.n_features
        reason = f"must be below the data's {n_features} features for undercomplete, which could copy its input"
        yield Rule(setting.network.code_size >= n_features, "code_size", reason)
