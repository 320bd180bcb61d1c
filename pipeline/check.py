"""Refuses a params.yaml that can't work, before any output is deleted."""

from autoencoders.core.reporting import reporting
from autoencoders.core.stage_times import timed

if __name__ == "__main__":
    with reporting(), timed("check"):
        from autoencoders.core.files import write_text
        from autoencoders.core.paths import CHECKED
        from autoencoders.data.sources.source import check, facts
        from autoencoders.params.params import load_params
        from autoencoders.params.space import check_space

        params = load_params()
        check(params.data)
        params.check(facts(params.data))
        check_space(params, facts(params.data))
        write_text(CHECKED, "params.yaml is valid\n")  # a constant: nothing runs again for its sake
