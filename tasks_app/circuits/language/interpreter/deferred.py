"""Values that wait for the inputs of a program, so that it is read once for many of them.

What is computed from an input is written down on a tape and done, by the very functions that would
have done it while reading, once the values are known. An angle of a gate can wait; whatever decides
more, as the bound of a loop or a branch, asks for the value itself and raises `Decides`.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, NoReturn

Inputs = Mapping[Any, Any]
"""Values by the names of inputs or, given in order, all by the places of their declarations."""


class Decides(Exception):
    """The program is another one for other values of these inputs."""

    def __init__(self, names: frozenset[Any]) -> None:
        super().__init__(names)
        self.names = names


class Tape:
    """The steps from the values of inputs to those of angles, in order."""

    def __init__(self) -> None:
        self._steps: list[tuple[Callable[..., Any] | None, tuple[Any, ...]]] = []

    def input(self, name: Any) -> "Deferred":
        return self._write(None, (name,), frozenset((name,)))

    def step(self, function: Callable[..., Any], operands: tuple[Any, ...]) -> "Deferred":
        names = [each.names for each in operands if type(each) is Deferred]
        return self._write(function, operands, frozenset().union(*names))

    def _write(self, function: Any, operands: tuple[Any, ...], names: frozenset[Any]) -> "Deferred":
        self._steps.append((function, operands))
        return Deferred(self, len(self._steps) - 1, names)

    @property
    def length(self) -> int:
        return len(self._steps)

    def cut(self, length: int) -> None:
        """Forget the steps from there on, whose values nothing needs."""
        del self._steps[length:]

    def name(self, value: "Deferred") -> str | None:
        """Of the input, or the element of one, that it is; None for what has no name."""
        function, operands = self._steps[value.place]
        if function is None:
            return operands[0] if isinstance(operands[0], str) else None
        name = self.name(operands[0]) if function in {*_CONVERSIONS, _element} else None
        if name and function is _element:
            return f"{name}[{', '.join(map(str, operands[1]))}]"
        return name

    def play(self, inputs: Inputs) -> list[Any]:
        """The value of each step. Raises what its function does."""
        values: list[Any] = []
        for function, operands in self._steps:
            if function is None:
                values.append(inputs[operands[0]])
            else:
                known = [values[o.place] if type(o) is Deferred else o for o in operands]
                values.append(function(*known))
        return values


class Deferred:
    """A value that is not known yet. Nothing can be asked of it but to be computed with."""

    __slots__ = ("names", "place", "tape")

    def __init__(self, tape: Tape, place: int, names: frozenset[Any]) -> None:
        self.tape, self.place, self.names = tape, place, names
        """The inputs that it comes from."""

    def needed(self, *_: object) -> NoReturn:
        """Its value is asked for."""
        raise Decides(self.names)

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = needed
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = needed
    __hash__ = object.__hash__


def decided(value: Any) -> Any:
    """The value where it decides more than an angle. Raises Decides if it is not known yet."""
    if type(value) is Deferred:
        value.needed()
    return value


_CONVERSIONS: set[Callable[..., Any]] = set()


def conversion(function: Callable[..., Any]) -> Callable[..., Any]:
    """A deferrable function that gives its first operand in another type."""
    _CONVERSIONS.add(function)
    return deferrable(function)


def deferrable(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of values that waits with those of its operands that have to wait."""

    @wraps(function)
    def deferred(*operands: Any) -> Any:
        for operand in operands:
            if type(operand) is Deferred:
                return operand.tape.step(function, operands)
        return function(*operands)

    return deferred


def _element(array: Any, place: tuple[int, ...]) -> Any:
    return array[place]


element = deferrable(_element)
"""Of an array of inputs, at a place."""
