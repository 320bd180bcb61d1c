"""Commands that become one of MLflow's servers on this machine: its UI, or a model over HTTP."""

import click

from autoencoders.commands.options import HOST, MODEL, named_models


@click.command()
@click.option("--port", default=5000, show_default=True)
@HOST
def ui(port: int, host: str) -> None:
    """Start the MLflow UI on this machine."""
    from autoencoders.serving import servers

    servers.prepare_ui()
    print(f"MLflow UI on http://{host}:{port}, Ctrl-C ends it", flush=True)
    servers.become("mlflow server", host, port)


@click.command()
@click.option("--port", default=5001, show_default=True)
@HOST
@MODEL
def serve(port: int, host: str, model: str | None) -> None:
    """Serve a model over HTTP on this machine."""
    from autoencoders.params.params import load_params
    from autoencoders.registry.answering import introduce, locate
    from autoencoders.serving import servers

    introduction = introduce(named_models(model), load_params().data)
    print(*introduction.lines, sep="\n", flush=True)
    (uri,) = introduction.uris
    located = locate(uri)
    servers.prepare_model_server(located.uri, located.graph)
    print(f"{located.uri} on http://{host}:{port}/invocations, Ctrl-C ends it", flush=True)
    servers.become("uvicorn --factory autoencoders.serving.app:served_app", host, port)
