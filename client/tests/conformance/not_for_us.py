"""What of others' suites does not apply to us, and why."""

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

_CLOUD = "asks hosts of IBM Cloud's (iam., resource-controller.) under the service's own name"
_FAST = "expects a job to take longer than 0.1 s"
_LEARNER = "runs a program that learns a device's noise: there is none here"
_PORT = "looks for port 443 in what its proxy has seen: the service is at another here"
_PRIVATE = "wants a job that its owner can read once: here who submits a task can read it"
RUNTIME = {
    "TestQuantumPlatform.test_passing_name_as_instance": _CLOUD,
    "TestQuantumPlatform.test_account_preferences_tags": _CLOUD,
    "TestIntegrationSession.test_session_instance_logic": _CLOUD,
    "TestIntegrationAccount.test_resolve_crn_for_valid_service_instance_name": _CLOUD,
    "TestIntegrationResults.test_result_timeout": _FAST,
    "TestIntegrationResults.test_wait_for_final_state_timeout": _FAST,
    "TestIBMJob.test_wait_for_final_state_timeout": _FAST,
    "TestIntegrationNoiseLearner.test_with_default_options": _LEARNER,
    "TestIntegrationNoiseLearner.test_with_non_default_options": _LEARNER,
    "TestIntegrationNoiseLearner.test_with_no_layers": _LEARNER,
    "TestIntegrationNoiseLearner.test_learner_plus_estimator": _LEARNER,
    "TestNoiseLearnerV3.test_noise_learner_v3": _LEARNER,
    "TestEstimatorV2.test_estimator_v2_options": (
        "asks the legacy estimator for zero-noise extrapolation, which is refused by name"
    ),
    "TestIBMJobSubmission.test_private_option": _PRIVATE,
    "TestIBMJobAttributes.test_private_option": _PRIVATE,
    "TestProxies.test_proxies_cloud_runtime_client": _PORT,
    "TestProxies.test_proxies_qiskit_runtime_service": _PORT,
    "TestIBMBackend.test_backend_fractional_gates_error": (
        "expects a backend without fractional gates: ours has them"
    ),
}
"""Of the IBM Runtime client's integration tests, by class and test."""
