"""Which options of the IBM Runtime client's a simulation can honour.

Some are granted by doing nothing: what they do against noise changes nothing where there is none,
and nothing waits between shots; of a device, which has noise, they are not. Some are done. All
others, which would change what a result says, are refused by name.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tasks_app.runtime_api.arrays import invalid

Rule = Callable[[Any], bool]


def _any(_: Any) -> bool:
    """It changes nothing here, or is read elsewhere."""
    return True


def _off(value: Any) -> bool:
    return value is None or value is False or value in ({}, [])


def _one_of(*values: Any) -> Rule:
    return lambda value: (
        value is None or any(value == each and type(value) is type(each) for each in values)
    )


_COMMON: dict[str, Rule] = {
    # No time passes in which an idle qubit could decay, and none between shots.
    "dynamical_decoupling": _any,
    "execution.rep_delay": _any,
    "execution.init_qubits": _one_of(True),
    # Gates and measurements without errors have nothing to average.
    "twirling": _any,
    "simulator.noise_model": _off,
    "simulator.coupling_map": _any,
    "simulator.basis_gates": _any,
    "simulator.seed_simulator": _any,
    "max_execution_time": _any,
    "experimental": _off,
}
SAMPLER: dict[str, Rule] = {
    **_COMMON,
    "default_shots": _any,
    "execution.meas_type": _one_of("classified"),
}
ESTIMATOR: dict[str, Rule] = {
    **_COMMON,
    "default_shots": _any,
    "default_precision": _any,
    "seed_estimator": _any,
    # 2 extrapolates to no noise.
    "resilience_level": _one_of(0, 1),
    "resilience.measure_mitigation": _any,
    "resilience.measure_noise_learning": _any,
    "resilience.zne_mitigation": _off,
    "resilience.zne": _any,
    "resilience.pec_mitigation": _off,
    "resilience.pec": _any,
    "resilience.layer_noise_learning": _any,
    "resilience.layer_noise_model": _off,
}
_UNMITIGATED: dict[str, Rule] = {
    "dynamical_decoupling": lambda value: not nested({"its": value}, "its", "enable"),
    "twirling": lambda value: (
        not any(nested({"its": value}, "its", name) for name in ("enable_gates", "enable_measure"))
    ),
    "resilience_level": _one_of(0),
    "resilience.measure_mitigation": _off,
}
"""Where noise would make them count."""
EXECUTOR: dict[str, Rule] = {
    "init_qubits": _one_of(True),
    "rep_delay": _any,
    "scheduler_timing": _off,
    "stretch_values": _off,
    "experimental": _off,
}


def checked(options: Any, rules: Mapping[str, Rule], *, noisy: bool) -> Mapping[str, Any]:
    """The options. Raises ApiError with the names of those that are not supported."""
    if noisy:
        stricter = {name: rule for name, rule in _UNMITIGATED.items() if name in rules}
        rules = {**rules, **stricter}
    if options is None:
        return {}
    if not isinstance(options, Mapping):
        raise invalid("options is an object.")
    refused = sorted(set(_refused(options, rules, "")))
    if refused:
        names = ", ".join(refused[:20])
        raise invalid(f"Not supported, and it would change the result: options {names:.1000}.")
    return options


def _refused(options: Mapping[str, Any], rules: Mapping[str, Rule], before: str) -> Iterator[str]:
    for name, value in options.items():
        path = f"{before}{name}"
        if rule := rules.get(path):
            if not rule(value):
                yield path
        elif any(known.startswith(f"{path}.") for known in rules):
            if isinstance(value, Mapping):
                yield from _refused(value, rules, f"{path}.")
            elif value is not None:
                yield path
        else:
            yield path


def nested(options: Mapping[str, Any], *path: str) -> Any:
    """An option's value; None if it is not given."""
    value: Any = options
    for name in path:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def twirled_shots(options: Mapping[str, Any]) -> int | None:
    """The shots that randomizations fix, where both numbers of them are given."""
    twirling = nested(options, "twirling") or {}
    if not isinstance(twirling, Mapping):
        raise invalid("options.twirling is an object.")
    if not (twirling.get("enable_gates") or twirling.get("enable_measure")):
        return None
    shots = 1
    for name in ("num_randomizations", "shots_per_randomization"):
        number = twirling.get(name)
        if number in (None, "auto"):
            return None
        if type(number) is not int or not 1 <= number <= 10**9:
            raise invalid("options.twirling: its numbers are whole, or auto.")
        shots *= number
    return shots
