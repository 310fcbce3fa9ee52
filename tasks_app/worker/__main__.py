"""`python -m tasks_app.worker`: Dramatiq's master process, with its memory hidden."""

import sys

from dramatiq.cli import main

from tasks_app import metric_files
from tasks_app.processes import hide_memory

if __name__ == "__main__":
    hide_memory()  # it has the same secrets as its processes, and they inherit this
    metric_files.begin()
    sys.exit(main())  # type: ignore[no-untyped-call]
