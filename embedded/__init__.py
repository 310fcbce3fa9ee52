"""Everything behind `make run`: one machine, no root, no Docker, nothing to install first."""
