"""Facts about the data of params.yaml, before or after it is prepared."""

from autoencoders.core.paths import DATA, DESCRIPTION
from autoencoders.data.prepared.prepared import load_description
from autoencoders.data.sources.source import facts
from autoencoders.params.architecture import DataFacts
from autoencoders.params.sections import Data


def known_facts(data: Data) -> DataFacts | None:
    """The facts of the prepared data, else those that its source states, if it states any."""
    if DESCRIPTION.exists():
        return load_description(DATA).facts
    return facts(data)
