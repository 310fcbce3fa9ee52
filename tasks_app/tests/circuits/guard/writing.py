"""Expressions of every type, drawn at random, as a program writes them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
Number = Callable[[int, int], int]
"""Draws a whole number between two, both included."""
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
WIDTHS = (1, 2, 3, 4, 5, 8)


@dataclass(frozen=True, slots=True)
class Var:
    """A variable that the program has in scope; `width` is 0 where it has none."""

    name: str
    kind: str
    width: int = 0
    constant: bool = False
    counter: bool = False
    """Whether a loop counts with it, so that nothing else may assign to it."""
    length: int = 0
    """Of an array."""
    columns: int = 0
    """Of an array of two dimensions."""

    @property
    def type(self) -> str:
        return self.kind if not self.width else f"{self.kind}[{self.width}]"


class Words:
    """Draws expressions over the variables in scope."""

    def __init__(self, number: Number) -> None:
        self.number = number
        self.scope: list[Var] = []
        self.plain = False
        """Whether only operators that the simulator can do on measured bits are drawn."""

    def pick(self, options: Sequence[T]) -> T:
        return options[self.number(0, len(options) - 1)]

    def sample(self, length: int, count: int) -> list[int]:
        """Different numbers below `length`."""
        left = list(range(length))
        return [left.pop(self.number(0, len(left) - 1)) for _ in range(count)]

    def chance(self, percent: int) -> bool:
        return self.number(0, 99) >= 100 - percent

    def variables(self, *kinds: str, width: int = -1, arrays: bool = False) -> list[Var]:
        return [
            var
            for var in self.scope
            if var.kind in kinds and bool(var.length) == arrays and width in (-1, var.width)
        ]

    def expression(self, kind: str, width: int, depth: int = 2) -> str:
        """Something that a variable of this type can hold."""
        if kind == "bool":
            return self.condition(depth)
        if kind == "bit":
            return self.bits(width or 1, depth)
        if kind == "angle":
            return self.angle(width, depth)
        if kind == "float":
            return self.real(depth)
        return self.integer(depth)

    # Integers, of any width and sign: every operator has a meaning for a mixture of them.

    def integer(self, depth: int) -> str:
        if depth <= 0 or self.chance(20):
            return self._integer_leaf()
        choice = self.number(0, 11)
        if choice <= 3:
            operation = self.pick(("+", "-", "*"))
            return f"({self.integer(depth - 1)} {operation} {self.integer(depth - 1)})"
        if choice == 4:
            return f"(-{self.integer(depth - 1)})"
        if choice == 5:
            return self._cast_to_integer(depth - 1)
        if choice == 6 and not self.plain:
            return f"({self.integer(depth - 1)} {self.pick(('/', '%'))} {self.number(1, 7)})"
        if choice == 7 and not self.plain:
            return f"({self.sized(depth - 1)} ** {self.number(0, 3)})"
        if choice == 8:
            return f"popcount({self.pick_bits(depth - 1)})"
        if choice == 9 and self.variables("int", "uint", arrays=True):
            return self.element(self.pick(self.variables("int", "uint", arrays=True)))
        if choice == 10 and not self.plain and self.chance(70):
            return self._whole_function(depth - 1)
        return self.sized(depth)

    def _whole_function(self, depth: int) -> str:
        arrays = self.variables("int", "uint", arrays=True)
        if arrays and self.chance(30):
            return f"sizeof({self.pick(arrays).name})"
        if (angles := self.variables("angle")) and self.chance(70):
            var = self.pick(angles)
            step = f"{var.type}(tau / {1 << var.width})"
            return f"({self.angle_variable(var.width)} / ({var.name} | {step}))"
        return f"mod(uint[5]({self.integer(depth)}), {self.number(1, 6)})"

    def _integer_leaf(self) -> str:
        found = self.variables("int", "uint")
        if found and self.chance(75):
            return self.pick(found).name
        return str(self.pick((0, 1, 2, 3, 5, 7, 9, 12, 100, "0xB", "0b1_01", "0o17")))

    def _cast_to_integer(self, depth: int) -> str:
        width = self.pick(WIDTHS[1:])
        choice = self.number(0, 4)
        if choice <= 1:
            return f"{self.pick(('int', 'uint'))}[{width}]({self.integer(depth)})"
        if choice == 2:
            return f"uint[{width}]({self.bits(width, depth)})"
        if choice == 3:
            return f"{self.pick(('int', 'uint'))}({self.condition(depth)})"
        if self.plain:
            return f"{self.pick(('int', 'uint'))}({self.bits(width, depth)})"
        return f"int[16]({self.real(depth)})"

    def sized(self, depth: int) -> str:
        """An integer whose type has a width."""
        found = [var for var in self.variables("int", "uint") if var.width]
        if not found or self.chance(10):
            literal = self.number(0, 15)
            return f"{self.pick(('uint[4]', 'int[6]', 'uint[8]'))}({literal})"
        var = self.pick(found)
        if depth <= 0:
            return var.name
        choice = self.number(0, 5)
        if choice == 0:
            return f"(~{self.sized(depth - 1)})"
        if choice <= 2:
            return f"({var.name} {self.pick(('&', '|', '^'))} {self.sized(depth - 1)})"
        if choice == 3:
            return f"({self.sized(depth - 1)} {self.pick(('<<', '>>'))} {self.places(depth)})"
        if choice == 4 and var.kind == "uint":
            return f"{self.pick(('rotl', 'rotr'))}({var.name}, {self.number(0, 9)})"
        return var.name

    def places(self, depth: int) -> str:
        """How far something is shifted."""
        found = [var.name for var in self.variables("uint")]
        if found and not self.plain and self.chance(30):
            return self.pick(found)
        return str(self.number(0, 5))

    def index(self, length: int) -> str:
        found = [var for var in self.variables("uint") if var.width]
        if found and not self.plain and self.chance(15):
            return f"{self.pick(found).name} % {length}"
        place = self.number(0, length - 1)
        return str(place - length if self.chance(20) else place)

    def element(self, array: Var) -> str:
        second = f", {self.index(array.columns)}" if array.columns else ""
        return f"{array.name}[{self.index(array.length)}{second}]"

    # Bits.

    def bits(self, width: int, depth: int) -> str:
        """An expression of type `bit[width]`."""
        if depth <= 0 or self.chance(25):
            return self._bits_leaf(width)
        choice = self.number(0, 5)
        if choice <= 1:
            operation = self.pick(("&", "|", "^"))
            return f"({self.bits(width, depth - 1)} {operation} {self.bits(width, depth - 1)})"
        if choice == 2:
            return f"(~{self.bits(width, depth - 1)})"
        if choice == 3:
            return f"({self.bits(width, depth - 1)} {self.pick(('<<', '>>'))} {self.places(depth)})"
        if choice == 4 and width > 1:
            turn = self.pick(("rotl", "rotr"))
            return f"{turn}({self.bits(width, depth - 1)}, {self.number(0, 6)})"
        if width == 1 and self.chance(50):
            return f"bit({self.condition(depth - 1)})"
        return self._bits_leaf(width)

    def _bits_leaf(self, width: int) -> str:
        found = [var.name for var in self.variables("bit", width=0 if width == 1 else width)]
        for var in self.variables("uint", "int", "angle", width=width):
            if self.chance(60):
                found.append(f"bit[{width}]({var.name})")
        for var in self.variables("bit", "uint", "int", "angle"):
            if var.width > width and self.chance(60):
                found.append(f"{var.name}{self.slice(var.width, width)}")
        arrays = [v for v in self.variables("int", "uint", arrays=True) if v.width >= width]
        if arrays and not self.plain and self.chance(15):
            array = self.pick(arrays)
            row = "[0]" if not array.columns else "[0, 1]"
            return f"{array.name}{row}{self.slice(array.width, width)}"
        if found and self.chance(85):
            return self.pick(found)
        return '"' + format(self.number(0, (1 << width) - 1), f"0{width}b") + '"'

    def slice(self, length: int, width: int) -> str:
        if width == 1:
            return f"[{self.index(length)}]"
        low = self.number(0, length - width)
        if length >= 2 * width - 1 and self.chance(20):
            low = self.number(0, length - 2 * width + 1)
            return f"[{low}:2:{low + 2 * width - 2}]"
        if self.chance(10):
            return f"[{{{', '.join(map(str, self.sample(length, width)))}}}]"
        if self.chance(15):
            return f"[{low + width - 1}:-1:{low}]"
        if self.chance(15):
            return f"[{low - length}:{low + width - 1 - length}]"
        return f"[{low}:{low + width - 1}]"

    def pick_bits(self, depth: int) -> str:
        found = self.variables("bit", "uint")
        var = self.pick(found)
        return self.bits(var.width or 1, depth) if var.kind == "bit" else var.name

    # Angles and floats.

    def angle(self, width: int, depth: int) -> str:
        """An expression of type `angle[width]`; floats in it are exactly such angles."""
        found = [var.name for var in self.variables("angle", width=width)]
        if depth <= 0 or not found or self.chance(25):
            return self.pick(found) if found and self.chance(60) else self.turn(width)
        one = self.angle(width, depth - 1)
        choice = self.number(0, 7)
        if choice <= 1:
            return f"({self.pick(found)} {self.pick(('+', '-'))} {one})"
        if choice == 2:
            return f"(-{self.pick(found)})"
        if choice == 3:
            factor = self.number(0, min(9, (1 << width) - 1))
            return f"({factor} * {self.pick(found)})"
        if choice == 4:
            return f"({self.pick(found)} / {self.number(1, min(5, (1 << width) - 1))})"
        if choice == 5:
            return f"({self.pick(found)} {self.pick(('<<', '>>'))} {self.number(0, 4)})"
        if choice == 6:
            return f"({self.pick(found)} {self.pick(('&', '|', '^'))} {self.pick(found)})"
        return f"(~{self.pick(found)})"

    def angle_variable(self, width: int) -> str:
        return self.pick(self.variables("angle", width=width)).name

    def turn(self, width: int) -> str:
        """A float that is a multiple of the angle's smallest step."""
        steps = min(width, 6)
        return f"{self.number(0, (1 << steps) - 1)} * tau / {1 << steps}"

    def real(self, depth: int) -> str:
        found = [var.name for var in self.variables("float")]
        found += [self.element(array) for array in self.variables("float", arrays=True)]
        if depth <= 0 or self.chance(25):
            literal = str(self.pick((0.5, 0.25, 1.5, 2.0, 0.1, 3.7, 1e-2)))
            return self.pick(found) if found and self.chance(70) else literal
        one = self.real(depth - 1)
        choice = self.number(0, 6)
        if choice <= 2:
            return f"({one} {self.pick(('+', '-', '*'))} {self.real(depth - 1)})"
        if choice == 3:
            return f"({one} {self.pick(('/ 2', '/ 4.0', '/ 0.3', '** 2', '** 3.0'))})"
        if choice == 4:
            functions = ("sin", "cos", "floor", "ceiling", "exp", "arctan", "tan", "log(1.5 +")
            function = self.pick((*functions, "arcsin(0.9 * sin", "arccos(0.9 * cos"))
            return f"{function}({one})" + ")" * ("(" in function)
        if choice == 5:
            return f"({one} {self.pick(('+', '*'))} {self.integer(depth - 1)})"
        return f"(-{one})" if self.chance(50) else f"sqrt({one} * {one} + 1)"

    # Conditions.

    def condition(self, depth: int) -> str:
        if depth <= 0:
            found = [var.name for var in self.variables("bool")]
            found += [f"{var.name}[{var.width - 1}]" for var in self.variables("bit") if var.width]
            return self.pick(found) if found and self.chance(80) else self.pick(("false", "true"))
        choice = self.number(0, 8)
        if choice == 0:
            join = self.pick(("&&", "||"))
            return f"({self.condition(depth - 1)} {join} {self.condition(depth - 1)})"
        if choice == 1:
            return f"!{self.condition(depth - 1)}"
        bits = self.variables("bit")
        if choice == 2 and bits:
            var = self.pick(bits)
            other = self.bits(var.width or 1, depth - 1)
            return f"({var.name} {self.pick(COMPARISONS)} {other})"
        if choice == 3 and bits:
            var = self.pick(bits)
            return f"({var.name} {self.pick(COMPARISONS)} {self.number(0, 5)})"
        if choice == 4 and (angles := self.variables("angle")) and not self.plain:
            var = self.pick(angles)
            other = self.angle(var.width, depth - 1)
            return f"({var.name} {self.pick(COMPARISONS)} {other})"
        if choice == 5 and not self.plain:
            return f"({self.real(depth - 1)} {self.pick(COMPARISONS)} {self.real(depth - 1)})"
        return f"({self.integer(depth - 1)} {self.pick(COMPARISONS)} {self.integer(depth - 1)})"
