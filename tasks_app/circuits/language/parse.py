"""One statement of OpenQASM 3 at a time, through the parser of the OpenQASM project."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from antlr4.error.Errors import ParseCancellationException
from antlr4.error.ErrorStrategy import BailErrorStrategy
from openqasm3 import ast
from openqasm3 import parser as _parser

from tasks_app.circuits.errors import CircuitError
from tasks_app.circuits.language.source import check_nesting, position

reference: Any = _parser  # Untyped: it does not export what it is made of.
_ELSE_IF = re.compile(r"\belse(?=\s+(if)\b)")
_LOOSE_ALIAS = re.compile(r"\blet\s+\w+\s*=\s*\{[^{}]*\}")
_NO_BRACES = str.maketrans("{}", "  ")
_MORE_THAN_GRAMMAR = re.compile(r"\+\+|\bpow\b|\bfor\s+\w+\s+in\b")
_MICRO = re.compile(r"(?<=[0-9.])(\s*)μ(?=s\b)")
_OLD_CASE = re.compile(r"(\bcase\s[^:{};]+|\bdefault\s*)(?<!\s):\s*\{")
_OLD_LABELS = re.compile(r":(?=\s*case\b)\s*case\b")
_BREAK = re.compile(r"\s*(break\s*;)")
_MEASURES = (ast.QuantumMeasurement, ast.QuantumReset, ast.FunctionCall)


def parse_statement(text: str, start: int, end: int) -> list[Any]:
    """The statements in a part of the text, as syntax trees that know their line and column."""
    statement = text[start:end].lstrip(" \t\n")
    start = end - len(statement)
    check_nesting(statement)
    statements = _parsed(text, start, _as_specified(statement))
    if _LOOSE_ALIAS.search(text, start, end):
        aliases: list[Any] = [each for each in statements if isinstance(each, ast.AliasStatement)]
        for alias in aliases:  # A register, also of a single bit.
            alias.value = ast.DiscreteSet([alias.value])
    return statements


def parsed(text: str, start: int) -> Iterator[Any]:
    """All statements from there on."""
    while (end := statement_end(text, start)) is not None:
        yield from parse_statement(text, start, end)
        start = end


def _as_specified(text: str) -> str:
    """What the specification and Qiskit's exporter write beside the grammar, as it has that."""
    text = _MICRO.sub(r"\1µ", text)  # The Greek letter as the sign for a millionth.
    # An alias of loose bits, and the switch that was in Qiskit before it was in OpenQASM.
    text = _LOOSE_ALIAS.sub(lambda match: match[0].replace(",", "++").translate(_NO_BRACES), text)
    if not _OLD_CASE.search(text):
        return text
    text = _OLD_LABELS.sub(",", text)
    while match := _OLD_CASE.search(text):
        text = f"{text[: match.end(1)]} {text[match.end(1) + 1 :]}"
        body = statement_end(text, match.end() - 1)
        if body and (left := _BREAK.match(text, body)):
            text = text[: left.start(1)] + " " * len(left[1]) + text[left.end(1) :]
    return text


def _parsed(text: str, start: int, statement: str) -> list[Any]:
    # A long chain of `else if` is too deep for the parser: it sees its links one by one.
    links = {position(text, start + link.start(1)) for link in _ELSE_IF.finditer(statement)}
    lexer = reference.qasm3Lexer(InputStream(_ELSE_IF.sub("    ", statement)))
    line, column = position(text, start)
    lexer._interp.line, lexer._interp.column = line, column - 1
    lexer.removeErrorListeners()
    lexer.addErrorListener(_RaiseAtOnce())
    tokens = CommonTokenStream(lexer)
    if _MORE_THAN_GRAMMAR.search(statement):
        tokens.fill()
        _retype(tokens.tokens)
        _type_loops(tokens.tokens)
    parser = reference.qasm3Parser(tokens)
    parser.removeErrorListeners()
    parser._errHandler = BailErrorStrategy()
    try:
        program = _Visitor(links).visitProgram(parser.program())
    except ParseCancellationException as error:
        raise _syntax_error(error.args[0], statement) from None
    except reference.QASM3ParsingError as error:
        raise _refused(str(error)) from None
    except ValueError:  # Python reads no integer of more than 4,300 digits.
        raise CircuitError(
            "invalid_program", "A number has too many digits.", line=line, column=column
        ) from None
    if program.version is not None:
        raise CircuitError(
            "syntax_error", "The version line comes first and once.", line=line, column=column
        )
    for line, column in sorted(links):  # Those that are left.
        raise CircuitError("syntax_error", "This else belongs to no if.", line=line, column=column)
    return list(program.statements)


def _retype(tokens: Sequence[Any]) -> None:
    """Let the grammar have what only the text of the specification has.

    There, `++` joins arrays outside of aliases too, and `pow(a, b)` is a function.
    """
    types = reference.qasm3Lexer
    for place, token in enumerate(tokens):
        if token.type == types.DOUBLE_PLUS:
            token.type = types.PLUS
        elif token.type == types.POW and not _modifies(tokens, place):
            token.type = types.Identifier


def _type_loops(tokens: list[Any]) -> None:
    """Let a loop over whole numbers do without the type, as Qiskit wrote it until 1.3."""
    types = reference.qasm3Lexer
    written = (types.DecimalIntegerLiteral, types.MINUS, types.COMMA)
    for place in reversed(range(len(tokens) - 4)):
        kinds = [token.type for token in tokens[place : place + 4]]
        if kinds[:3] != [types.FOR, types.Identifier, types.IN]:
            continue
        after = next(token.type for token in tokens[place + 4 :] if token.type not in written)
        if kinds[3] == types.LBRACKET or after == types.RBRACE:
            kind = tokens[place].clone()
            kind.type, kind.text = types.INT, "int"
            tokens.insert(place + 1, kind)


def _modifies(tokens: Sequence[Any], place: int) -> bool:
    """Whether the `pow` at this place is that of a gate: an `@` follows its brackets."""
    depth = 0
    for before, after in pairwise(tokens[place + 1 :]):
        depth += (before.text == "(") - (before.text == ")")
        if depth <= 0:
            return bool(after.text == "@")
    return False


class _Visitor(reference.QASMNodeVisitor):  # type: ignore[misc]
    """`links`: lines and columns of each `if` that follows an `else`."""

    def __init__(self, links: set[tuple[int, int]]) -> None:
        super().__init__()
        self._links = links

    def visitProgram(self, ctx: Any) -> Any:
        return self._linked(super().visitProgram(ctx))

    def visitScope(self, ctx: Any) -> Any:
        return self._linked(super().visitScope(ctx))

    def _linked(self, block: Any) -> Any:
        """With each of the links as the else block that it is."""
        linked: list[Any] = []
        last: Any = None
        for statement in block.statements:
            place = statement.span.start_line, statement.span.start_column + 1
            if place in self._links and (branch := _open_branch(last)):
                branch.else_block = [statement]
                self._links.remove(place)
            else:
                linked.append(statement)
            last = statement
        block.statements = linked
        return block

    def visitAdditiveExpression(self, ctx: Any) -> Any:
        if ctx.op.text != "++":
            return super().visitAdditiveExpression(ctx)
        left, right = map(self.visit, ctx.expression())
        return reference.add_span(ast.Concatenation(left, right), reference.get_span(ctx))

    def visitArgumentDefinition(self, ctx: Any) -> Any:
        if not ctx.CREG():
            return super().visitArgumentDefinition(ctx)
        # The parser's own visitor fails on the size of a `creg`.
        size = self.visit(ctx.designator()) if ctx.designator() else None
        declared = reference.add_span(ast.BitType(size=size), reference.get_span(ctx))
        name = ast.Identifier(ctx.Identifier().getText())
        argument = ast.ClassicalArgument(type=declared, name=name)
        return reference.add_span(argument, reference.get_span(ctx))


def _open_branch(statement: Any) -> Any:
    """The innermost `if` at the end of a statement that has no else block yet."""
    found = None
    while statement is not None:
        end = statement.span.end_line, statement.span.end_column
        if isinstance(statement, ast.BranchingStatement) and not statement.else_block:
            found = statement
        bodies = (getattr(statement, name, None) for name in ("else_block", "if_block", "block"))
        last = next((body[-1] for body in bodies if body), None)
        # Else a brace ends it.
        ends = last is not None and (last.span.end_line, last.span.end_column) == end
        statement = last if ends else None
    return found


class _RaiseAtOnce(ErrorListener):  # type: ignore[misc]
    def syntaxError(
        self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any
    ) -> None:
        found = _visible(message.removeprefix("token recognition error at: "))
        raise CircuitError(
            "syntax_error", f"Unexpected characters: {found}.", line=line, column=column + 1
        )


def _visible(text: str) -> str:
    """By their codes the characters that nobody sees, such as the spaces of a web page."""
    return "".join(each if each.isprintable() else f"U+{ord(each):04X}" for each in text)


def _syntax_error(recognition: Any, statement: str) -> CircuitError:
    token = recognition.offendingToken
    found = "end of the circuit" if token.type == -1 else repr(token.text)[:60]
    before = " ".join(statement[: token.start].split()[-3:])
    after = f" after {before[-60:]!r}" if before else ""
    return CircuitError(
        "syntax_error", f"Unexpected {found}{after}.", line=token.line, column=token.column + 1
    )


def _refused(message: str) -> CircuitError:
    """What the parser finds after parsing, as in `L3:C0: 'break' statement outside loop`."""
    place, _, what = message.partition(": ")
    line, column = map(int, place[1:].split(":C"))
    what = what.capitalize() + "."
    return CircuitError("invalid_program", what, line=line, column=column + 1)


_SPACE = re.compile(r"\s*")
_SIGN = re.compile(r"""\bin\s*\{|[(\[{]|[)\]}]|;|"[^"\n]*"|'[^'\n]*'""")
_GOES_ON = re.compile(r"\s*(?:else\b|;)")


def statement_end(text: str, start: int, end: int | None = None) -> int | None:
    """The offset behind the statement at `start`; `None` if only space is left before `end`.

    It ends with a semicolon or a block outside of brackets, unless there is an `else`. A text that
    is no statement ends anywhere behind its start: a parser will refuse it.
    """
    end = len(text) if end is None else end
    if _SPACE.fullmatch(text, start, end):
        return None
    depth, opened = 0, ""
    for match in _SIGN.finditer(text, start, end):
        sign = match.group()
        if sign[-1] in "([{":
            opened = opened if depth else sign
            depth += 1
        elif sign in ")]}":
            depth -= 1
        # The braces of a set, of an array or of an alias are no block.
        last = sign == ";" or (sign == "}" and not opened.startswith("in"))
        if last and depth <= 0 and not _GOES_ON.match(text, match.end(), end):
            return match.end()
    return end


def nodes(tree: Any, but: type) -> Iterator[Any]:
    """The nodes of a syntax tree from the top, without those of one kind and what is in them."""
    parts = [tree]
    while parts:
        part = parts.pop()
        if isinstance(part, list | tuple):
            parts += part
        elif isinstance(part, ast.QASMNode) and not isinstance(part, but):
            yield part
            parts += vars(part).values()


def may_measure(node: Any) -> bool:
    """Whether it measures, resets or calls anything that might."""
    return any(isinstance(each, _MEASURES) for each in nodes(node, but=ast.SubroutineDefinition))
