"""The condition language: a subset of Python expressions about one case on one target.

Per-axis names (k, s, p, a, d of the layer, n and m, e = d(k - 1) + 1, lo and hi) are arrays with one number for each
spatial axis, and an expression means what Python makes of it with NumPy: ``any((a >= s) & (a < d))``. Everything that
can be wrong with an expression is found when it is read, with its column: reading gives every term a sort, so that
evaluating cannot fail but for what a case has not got. Nothing here calls ``eval``.
"""

from __future__ import annotations

import ast
import functools
import itertools
import operator
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Flag, auto
from typing import Any, TypeAlias

from packaging.version import Version

from harness.errors import UsageError
from harness.layer import MAX_NDIM, Case, Layer
from harness.values import DTYPES

MAX_LENGTH = 1000
MAX_DEPTH = 50
MAX_NUMBER = 2**31

Fact: TypeAlias = "bool | int | str | Version | tuple[int, ...]"


class ConditionError(UsageError):
    """A text that is no condition: the text, the column (from 1), what is wrong and what to do, in one line.

    >>> Condition.parse("any(a >= q)")
    Traceback (most recent call last):
    harness.judge.condition.ConditionError: condition 'any(a >= q)': column 10: 'q' is not a name here; known are \
k, s, p, a, d, n, m, e, lo, hi, g, ndim, batch, in_channels, out_channels, bias, dtype, mode, version
    """

    def __init__(self, text: str, column: int, problem: str) -> None:
        self.text = text
        self.column = column
        self.problem = problem
        super().__init__(f"condition {_clip(text, 200)!r}: column {column}: {problem}")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a condition may ask of one case on one target, by name; what is unknown is left out."""

    known: Mapping[str, Fact]

    @classmethod
    def of(cls, case: Case, layer: Layer | None, *, mode: str | None = None, version: str | None = None) -> Facts:
        """The facts of a case, of the layer that it asks or that its spelling resolves to, and of the target.

        Without a layer (the documentation gives the spelling no meaning) only n, ndim, batch and dtype are known of
        the case. A version that is none by PEP 440 is unknown.

        Raises:
            InvalidField: the layer has another number of axes than the case.

        >>> case = Case(Layer(kernel_size=3, stride=2, ndim=1), input_size=(4,))
        >>> facts = Facts.of(case, case.layer, mode="eager")
        >>> facts.known["m"], facts.known["mode"], "version" in facts.known
        ((9,), 'eager', False)
        """
        known: dict[str, Fact] = {"n": case.input_size, "ndim": case.ndim, "batch": case.batch, "dtype": case.dtype}
        if layer is not None:
            known |= _of_layer(layer, case)
        if mode is not None:
            known["mode"] = mode
        if parsed := _version(version):
            known["version"] = parsed
        return cls(known)


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read: its text, the names that it uses, and whether it holds for some facts."""

    text: str
    names: frozenset[str]
    _evaluate: _Evaluate = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Condition:
        """Read a condition.

        Raises:
            ConditionError: not an expression, not in the language, an unknown name, a truth that would be ambiguous,
                too long, nested too deep, a number too large.

        >>> sorted(Condition.parse('any(a >= s) and version < "2.14"').names)
        ['a', 's', 'version']
        """
        reader = _Reader(text)
        evaluate = reader.condition()
        return cls(text, frozenset(reader.names), evaluate)

    def holds(self, facts: Facts) -> bool:
        """Whether the condition holds; ``and`` and ``or`` ask no further than they need.

        It does not hold where it asks for what is unknown or for an axis that is not there, nor where it divides by
        zero or leaves the range of floats, even under a ``not``.

        >>> plane = Case(Layer(kernel_size=3, stride=(1, 2), ndim=2), input_size=(4, 4))
        >>> line = Case(Layer(kernel_size=3, ndim=1), input_size=(4,))
        >>> condition = Condition.parse("s[1] > 1")
        >>> [condition.holds(Facts.of(case, case.layer)) for case in (plane, line)]
        [True, False]
        """
        try:
            return bool(self._evaluate(facts.known))
        except (LookupError, ArithmeticError):
            return False


def _of_layer(layer: Layer, case: Case) -> dict[str, Fact]:
    return {
        "k": layer.kernel_size,
        "s": layer.stride,
        "p": layer.padding,
        "a": layer.output_padding,
        "d": layer.dilation,
        "m": layer.output_size(case.input_size),
        "e": layer.effective_kernel_size,
        "lo": tuple(crop.lo for crop in layer.crops),
        "hi": tuple(crop.hi for crop in layer.crops),
        "g": layer.groups,
        "in_channels": layer.in_channels,
        "out_channels": layer.out_channels,
        "bias": layer.bias,
    }


def _version(text: str | None) -> Version | None:
    try:
        return None if text is None else Version(text)
    except ValueError:
        return None


class _Sort(Flag):
    """What a term gives. An ``and`` of a truth and a number gives either, hence flags."""

    TRUTH = auto()
    NUMBER = auto()
    TRUTHS = auto()
    NUMBERS = auto()
    DTYPE = auto()
    MODE = auto()
    VERSION = auto()
    TEXT = auto()
    NUMBER_LIST = auto()
    TEXT_LIST = auto()


_SINGLE = _Sort.TRUTH | _Sort.NUMBER
_PER_AXIS = _Sort.TRUTHS | _Sort.NUMBERS
_ANY_TRUTH = _Sort.TRUTH | _Sort.TRUTHS
_ANY_NUMBER = _Sort.NUMBER | _Sort.NUMBERS
_NAMED_TEXT = _Sort.DTYPE | _Sort.MODE | _Sort.VERSION

_IN_WORDS = {
    _Sort.TRUTH: "a truth",
    _Sort.NUMBER: "a number",
    _SINGLE: "a truth or a number",
    _Sort.TRUTHS: "a truth for each axis",
    _Sort.NUMBERS: "a number for each axis",
    _Sort.DTYPE: "a text",
    _Sort.MODE: "a text",
    _Sort.VERSION: "a version",
    _Sort.TEXT: "a text",
    _Sort.NUMBER_LIST: "a list",
    _Sort.TEXT_LIST: "a list",
}

_NAMES = {
    **dict.fromkeys(("k", "s", "p", "a", "d", "n", "m", "e", "lo", "hi"), _Sort.NUMBERS),
    **dict.fromkeys(("g", "ndim", "batch", "in_channels", "out_channels"), _Sort.NUMBER),
    "bias": _Sort.TRUTH,
    "dtype": _Sort.DTYPE,
    "mode": _Sort.MODE,
    "version": _Sort.VERSION,
}
_LANGUAGE = (
    "a condition is made of names, numbers, texts in quotes, + - * / // %, comparisons, in, and, or, not, & | ~, "
    "[index], any(), all(), max() and min()"
)

_Evaluate: TypeAlias = "Callable[[Mapping[str, Fact]], Any]"
_Operation: TypeAlias = "Callable[[Any, Any], Any]"

_CALCULATED = (_Sort.NUMBER, _Sort.NUMBERS, "only numbers are calculated with")
_JOINED = (
    _Sort.TRUTH,
    _Sort.TRUTHS,
    "& and | join truths, and bind closer than comparisons: put each comparison in parentheses",
)
_BINARY: dict[type[ast.operator], tuple[_Operation, tuple[_Sort, _Sort, str]]] = {
    ast.Add: (operator.add, _CALCULATED),
    ast.Sub: (operator.sub, _CALCULATED),
    ast.Mult: (operator.mul, _CALCULATED),
    ast.Div: (operator.truediv, _CALCULATED),
    ast.FloorDiv: (operator.floordiv, _CALCULATED),
    ast.Mod: (operator.mod, _CALCULATED),
    ast.BitAnd: (operator.and_, _JOINED),
    ast.BitOr: (operator.or_, _JOINED),
}

_Pairs: TypeAlias = "tuple[tuple[_Sort, _Sort], ...]"

_ORDERED: _Pairs = ((_ANY_NUMBER, _ANY_NUMBER), (_Sort.VERSION, _Sort.VERSION))
_EQUATED: _Pairs = (
    *_ORDERED,
    (_ANY_TRUTH, _ANY_TRUTH),
    (_Sort.DTYPE, _Sort.DTYPE),
    (_Sort.MODE, _Sort.MODE),
)
_LISTED: _Pairs = ((_Sort.NUMBER, _Sort.NUMBERS | _Sort.NUMBER_LIST), (_NAMED_TEXT, _Sort.TEXT_LIST))
_ORDER_RULE = "only numbers have an order, and version beside a text in quotes"
_EQUAL_RULE = "compare a number with a number, a truth with a truth, dtype, mode or version with a text in quotes"
_IN_RULE = '\'in\' asks for a number in a list or a per-axis name, or for dtype, mode or version in a list ("x", "y")'
_COMPARED: dict[type[ast.cmpop], tuple[_Operation, _Pairs, str]] = {
    ast.Eq: (operator.eq, _EQUATED, _EQUAL_RULE),
    ast.NotEq: (operator.ne, _EQUATED, _EQUAL_RULE),
    ast.Lt: (operator.lt, _ORDERED, _ORDER_RULE),
    ast.LtE: (operator.le, _ORDERED, _ORDER_RULE),
    ast.Gt: (operator.gt, _ORDERED, _ORDER_RULE),
    ast.GtE: (operator.ge, _ORDERED, _ORDER_RULE),
    ast.In: (lambda item, items: item in items, _LISTED, _IN_RULE),
    ast.NotIn: (lambda item, items: item not in items, _LISTED, _IN_RULE),
}


@dataclass(frozen=True, slots=True)
class _Term:
    """A part of the expression: where it stands, what it gives, and how."""

    node: ast.expr
    sort: _Sort
    evaluate: _Evaluate


class _Reader:
    """Reads one text: checks each node of the tree and makes its function, from the leaves up."""

    def __init__(self, text: str) -> None:
        self.names: set[str] = set()
        self._text = text
        self._source = text.strip()
        self._lead = len(text) - len(text.lstrip())
        self._depth = 0

    def condition(self) -> _Evaluate:
        """The function of the whole text, which gives one truth."""
        return self._single(self._term(self._tree()), "a condition").evaluate

    def _tree(self) -> ast.expr:
        self._check_text()
        try:
            with warnings.catch_warnings():
                # Python warns of doubtful spellings like "\d" and 1if, which are no errors of ours to raise.
                warnings.simplefilter("ignore")
                return ast.parse(self._source, mode="eval").body
        except SyntaxError as error:
            # Python 3.10 and 3.11 give no column where the text ends too early.
            offset = min(error.offset - 1 if error.offset else len(self._source), len(self._source))
            raise self._refused_at(offset, f"is not a Python expression ({error.msg}): {_LANGUAGE}") from None
        except (ValueError, RecursionError, MemoryError):
            raise self._refused_at(0, f"cannot be read: {_LANGUAGE}") from None

    def _check_text(self) -> None:
        if len(self._text) > MAX_LENGTH:
            rule = f"{len(self._text)} characters are too many: keep to {MAX_LENGTH}"
            raise ConditionError(self._text, MAX_LENGTH + 1, rule)
        if not self._source:
            raise self._refused_at(0, "is empty: write an expression like any(a >= s)")
        if stop := re.search(r"[\r\n\0]", self._source):
            raise self._refused_at(stop.start(), "the line ends here: write the condition on one line")

    def _term(self, node: ast.expr) -> _Term:
        read = _READ.get(type(node))
        if read is None:
            raise self._refused(node, f"{self._shown(node)} is no part of the language: {_LANGUAGE}")
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._refused(node, f"is nested deeper than {MAX_DEPTH}: take parts out")
        term = read(self, node)
        self._depth -= 1
        return term

    def _name(self, node: ast.Name) -> _Term:
        name = node.id
        if name not in _NAMES:
            raise self._refused(node, f"{name!r} is not a name here; known are {', '.join(_NAMES)}")
        self.names.add(name)
        if name == "version":
            return _Term(node, _Sort.VERSION, lambda facts: _without_label(facts[name]))
        return _Term(node, _NAMES[name], lambda facts: facts[name])

    def _constant(self, node: ast.Constant) -> _Term:
        value = node.value
        if isinstance(value, bool):
            return _Term(node, _Sort.TRUTH, lambda _: value)
        if isinstance(value, str):
            return _Term(node, _Sort.TEXT, lambda _: value)
        if not isinstance(value, (int, float)):
            raise self._refused(node, f"{self._shown(node)} is no part of the language: {_LANGUAGE}")
        if value > MAX_NUMBER:
            raise self._refused(node, f"{self._shown(node)} is too large: nothing in a case is above 2**31")
        return _Term(node, _Sort.NUMBER, lambda _: value)

    def _list(self, node: ast.Tuple | ast.List) -> _Term:
        terms = [self._term(item) for item in node.elts]
        for sort, of_sort in (_Sort.NUMBER, _Sort.NUMBER_LIST), (_Sort.TEXT, _Sort.TEXT_LIST):
            if terms and all(term.sort is sort for term in terms):
                return _Term(node, of_sort, lambda facts: tuple(term.evaluate(facts) for term in terms))
        raise self._refused(node, "a list stands after 'in' and holds either numbers or texts in quotes")

    def _unary(self, node: ast.UnaryOp) -> _Term:
        term = self._term(node.operand)
        if isinstance(node.op, ast.Not):
            self._single(term, "'not'")
            return _Term(node, _Sort.TRUTH, lambda facts: not term.evaluate(facts))
        if isinstance(node.op, ast.Invert):
            self._check(term, _Sort.TRUTHS, "'~' turns round the truths of the axes; for a single one write not")
            return _Term(node, term.sort, lambda facts: tuple(not truth for truth in term.evaluate(facts)))
        self._check(term, _ANY_NUMBER, _CALCULATED[-1])
        sign = -1 if isinstance(node.op, ast.USub) else 1
        return _Term(node, term.sort, lambda facts: _each(operator.mul, sign, term.evaluate(facts)))

    def _binary(self, node: ast.BinOp) -> _Term:
        if type(node.op) not in _BINARY:
            raise self._refused(node, f"the operator of {self._shown(node)} is no part of the language: {_LANGUAGE}")
        operation, (single, per_axis, rule) = _BINARY[type(node.op)]
        left, right = (self._check(self._term(side), single | per_axis, rule) for side in (node.left, node.right))
        sort = single if left.sort is right.sort is single else per_axis
        return _Term(node, sort, lambda facts: _each(operation, left.evaluate(facts), right.evaluate(facts)))

    def _boolean(self, node: ast.BoolOp) -> _Term:
        stops = isinstance(node.op, ast.Or)
        word = "'or'" if stops else "'and'"
        terms = [self._single(self._term(value), word) for value in node.values]

        def evaluate(facts: Mapping[str, Fact]) -> Any:
            for term in terms[:-1]:
                if bool(value := term.evaluate(facts)) is stops:
                    return value
            return terms[-1].evaluate(facts)

        return _Term(node, functools.reduce(operator.or_, (term.sort for term in terms)), evaluate)

    def _comparison(self, node: ast.Compare) -> _Term:
        terms = [self._term(item) for item in (node.left, *node.comparators)]
        pairs = zip(node.ops, terms[:-1], terms[1:], strict=True)
        links = [self._link(node, op, left, right) for op, left, right in pairs]
        if len(links) == 1:
            return links[0]
        if any(link.sort is not _Sort.TRUTH for link in links):
            rule = "write each comparison in parentheses and join them with &, like (1 < n) & (n < 5)"
            raise self._refused(node, f"{self._shown(node)} is a chain of comparisons of what each axis has: {rule}")
        return _Term(node, _Sort.TRUTH, lambda facts: all(link.evaluate(facts) for link in links))

    def _link(self, node: ast.Compare, op: ast.cmpop, left: _Term, right: _Term) -> _Term:
        """One comparison of two terms."""
        if type(op) not in _COMPARED:
            raise self._refused(node, "'is' is no part of the language: compare with == or !=")
        operation, admitted, rule = _COMPARED[type(op)]
        left, right = self._meant(left, right), self._meant(right, left)
        if not any(left.sort in lefts and right.sort in rights for lefts, rights in admitted):
            raise self._refused(node, f"{self._which(left)} and {self._which(right)}: {rule}")
        if admitted is _LISTED:
            return _Term(node, _Sort.TRUTH, lambda facts: operation(left.evaluate(facts), right.evaluate(facts)))
        sort = _Sort.TRUTHS if (left.sort | right.sort) & _PER_AXIS else _Sort.TRUTH
        return _Term(node, sort, lambda facts: _each(operation, left.evaluate(facts), right.evaluate(facts)))

    def _meant(self, term: _Term, other: _Term) -> _Term:
        """What texts in quotes mean to the name that they are compared with."""
        if other.sort not in _NAMED_TEXT or term.sort not in _Sort.TEXT | _Sort.TEXT_LIST:
            return term
        if isinstance(term.node, (ast.Tuple, ast.List)):
            values = tuple(self._value(item, other.sort) for item in term.node.elts)
            return _Term(term.node, term.sort, lambda _: values)
        value = self._value(term.node, other.sort)
        return _Term(term.node, other.sort, lambda _: value)

    def _value(self, literal: ast.expr, sort: _Sort) -> str | Version:
        text = str(ast.literal_eval(literal))
        if sort is _Sort.DTYPE and text not in DTYPES:
            raise self._refused(literal, f"{_clip(text)!r} is not a dtype here; known are {', '.join(DTYPES)}")
        if sort is not _Sort.VERSION:
            return text
        version = _version(text)
        if version is None or version.local:
            rule = 'by PEP 440 without a local label: write one like "2.14" or "2.14.0rc1"'
            raise self._refused(literal, f"{_clip(text)!r} is not a version {rule}")
        return version

    def _index(self, node: ast.Subscript) -> _Term:
        term = self._check(self._term(node.value), _PER_AXIS, "only what has a value for each axis has an index")
        index = _integer(node.slice)
        if index is None or not -MAX_NDIM <= index < MAX_NDIM:
            rule = f"write an integer from 0 to {MAX_NDIM - 1}, or from -1 (the last) to -{MAX_NDIM}"
            raise self._refused(node.slice, f"{self._shown(node.slice)} is no axis: {rule}")
        sort = _Sort.TRUTH if term.sort is _Sort.TRUTHS else _Sort.NUMBER
        return _Term(node, sort, lambda facts: term.evaluate(facts)[index])

    def _call(self, node: ast.Call) -> _Term:
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        if name not in _CALLED:
            raise self._refused(node, f"{self._shown(node.func)} is no function here; known are {', '.join(_CALLED)}")
        function, sort, admitted, rule = _CALLED[name]
        if node.keywords or not node.args or (len(node.args) > 1 and sort is _Sort.TRUTH):
            raise self._refused(node, f"{self._shown(node)}: {rule}")
        terms = [self._term(argument) for argument in node.args]
        if len(terms) == 1:
            one = self._check(terms[0], admitted, rule)
            return _Term(node, sort, lambda facts: function(one.evaluate(facts)))
        for term in terms:
            self._check(term, _Sort.NUMBER, rule)
        return _Term(node, sort, lambda facts: function([term.evaluate(facts) for term in terms]))

    def _single(self, term: _Term, where: str) -> _Term:
        """The term, which must give one truth or number."""
        if term.sort in _PER_AXIS:
            instead = "put it into any() or all(), and join such truths in parentheses with & | ~"
            raise self._refused(term.node, f"{self._which(term)}, but {where} needs a single one: {instead}")
        return self._check(term, _SINGLE, f"{where} needs a truth: compare it with something")

    def _check(self, term: _Term, sorts: _Sort, rule: str) -> _Term:
        if term.sort not in sorts:
            raise self._refused(term.node, f"{self._which(term)}: {rule}")
        return term

    def _which(self, term: _Term) -> str:
        return f"{self._shown(term.node)} is {_IN_WORDS[term.sort]}"

    def _shown(self, node: ast.expr) -> str:
        return repr(_clip(self._source.encode()[node.col_offset : node.end_col_offset].decode()))

    def _refused(self, node: ast.expr, problem: str) -> ConditionError:
        # Python counts the columns of nodes in bytes of UTF-8, people in characters.
        return self._refused_at(len(self._source.encode()[: node.col_offset].decode()), problem)

    def _refused_at(self, offset: int, problem: str) -> ConditionError:
        return ConditionError(self._text, self._lead + offset + 1, problem)


#: the white list: a node that is not here is refused
_READ: dict[type[ast.expr], Callable[[_Reader, Any], _Term]] = {
    ast.Name: _Reader._name,
    ast.Constant: _Reader._constant,
    ast.Tuple: _Reader._list,
    ast.List: _Reader._list,
    ast.UnaryOp: _Reader._unary,
    ast.BinOp: _Reader._binary,
    ast.BoolOp: _Reader._boolean,
    ast.Compare: _Reader._comparison,
    ast.Subscript: _Reader._index,
    ast.Call: _Reader._call,
}

_TRUTH_OF_AXES = (_Sort.TRUTH, _PER_AXIS, "any() and all() take what has one value for each axis, like a >= s")
_EXTREME = (_Sort.NUMBER, _Sort.NUMBERS, "max() and min() take what has one number for each axis, or several numbers")
_CALLED: dict[str, tuple[Callable[[Any], Any], _Sort, _Sort, str]] = {
    "any": (any, *_TRUTH_OF_AXES),
    "all": (all, *_TRUTH_OF_AXES),
    "max": (max, *_EXTREME),
    "min": (min, *_EXTREME),
}


def _each(operation: _Operation, left: Any, right: Any) -> Any:
    """The operation on two single values, or axis by axis; a single value stands for every axis.

    On Python's own integers: they do not wrap, and dividing by zero raises instead of warning.
    """
    if isinstance(left, tuple):
        return tuple(map(operation, left, right if isinstance(right, tuple) else itertools.repeat(right)))
    if isinstance(right, tuple):
        return tuple(operation(left, one) for one in right)
    return operation(left, right)


def _integer(node: ast.expr) -> int | None:
    """The integer that is written there, perhaps with a minus."""
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    digits = node.operand if isinstance(node, ast.UnaryOp) and negative else node
    if not isinstance(digits, ast.Constant) or type(digits.value) is not int:
        return None
    return -digits.value if negative else digits.value


def _without_label(version: Any) -> Version:
    """As PEP 440 compares what has no local label itself: 2.13.0+cpu is 2.13.0."""
    return Version(version.public)


def _clip(text: str, limit: int = 40) -> str:
    return text if len(text) <= limit else text[: limit - 3] + "..."
