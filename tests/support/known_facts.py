"""Facts of the data sets that are known before they are fetched."""

from autoencoders.data.sources.source import facts
from autoencoders.params.architecture import DataFacts
from autoencoders.params.sections import Data


def known_facts(data: Data) -> DataFacts:
    """The facts of a data set by name."""
    known = facts(data)
    assert known is not None
    return known
