"""Refuses a params.yaml that can't work, before any output is deleted."""

from autoencoders.reporting import reporting

if __name__ == "__main__":
    with reporting():
        from autoencoders.data.sources import check, facts
        from autoencoders.files import write_text
        from autoencoders.params import load_params
        from autoencoders.space import check_space
        from autoencoders.stage import CHECKED

        params = load_params()
        check(params.data)
        params.check(facts(params.data))
        check_space(params, facts(params.data))
        write_text(CHECKED, "params.yaml is valid\n")  # a constant: nothing runs again for its sake
