"""gunicorn's settings, with deadlines that a test can wait out (`testing.service.HASTY`)."""

import runpy

from quantumtasks import serving
from testing.service import ROOT

globals().update(runpy.run_path(str(ROOT / "gunicorn.conf.py")))
serving.HEAD_S, serving.BODY_S, serving.ANSWER_S = 2, 4, 4
