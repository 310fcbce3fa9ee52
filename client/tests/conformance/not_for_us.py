"""What of Qiskit's own suites does not apply to our primitives, and why."""

NOT_FOR_US = {
    "test_backend_estimator_v2.py": {
        "test_run_errors": "expects a precision of 0 to be refused: ours is exact then",
        "test_metadata": "expects shots in the metadata: ours does not reach a precision by shots",
    },
}
"""Tests of others' peculiarities, by file and name."""
NO_PART_FOR_US = {
    ("TestStatevectorSampler", "test_run_errors", "with control flow"): (
        "expects control flow to be refused: ours runs it"
    ),
}
"""Parts of tests, by class, test and message."""
