"""`qtasks`: the service from a terminal. Needs the extra `cli`."""

import io
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
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A name with a letter that the terminal or file has none for should cost no result.
        sys.stdout.reconfigure(errors="backslashreplace")
    with told():
        app()
