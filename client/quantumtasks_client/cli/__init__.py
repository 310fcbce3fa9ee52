"""`qtasks`: the service from a terminal. Needs the extra `cli`."""

import sys


def main() -> None:
    """The command line. What can be foreseen ends with a sentence and a status of its own."""
    try:
        # The rest of the package works without typer and rich.
        from quantumtasks_client.cli.app import app
        from quantumtasks_client.cli.failures import told
    except ModuleNotFoundError as error:
        if error.name not in ("typer", "rich"):
            raise
        sys.exit("qtasks needs more packages: pip install 'quantumtasks-client[cli]'")
    except KeyboardInterrupt:  # importing takes long enough to be interrupted
        sys.exit(130)
    with told():
        app()
