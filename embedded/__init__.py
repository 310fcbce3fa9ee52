"""Everything behind `make run`: one machine, no root, no Docker, nothing to install first."""


class StartError(RuntimeError):
    """Something cannot start or go on; the message says why and what to do."""
