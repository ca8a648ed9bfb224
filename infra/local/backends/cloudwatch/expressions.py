"""Metric math over one period: pure. A missing value stays missing until FILL."""

import ast
import math
from collections.abc import Callable, Mapping

Value = float | None


class ExpressionError(ValueError):
    """An expression that is not written here; the text says which part."""


_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: lambda left, right: left + right,
    ast.Sub: lambda left, right: left - right,
    ast.Mult: lambda left, right: left * right,
    ast.Pow: lambda left, right: left**right,
}
_COMPARE: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Gt: lambda left, right: left > right,
    ast.GtE: lambda left, right: left >= right,
    ast.Lt: lambda left, right: left < right,
    ast.LtE: lambda left, right: left <= right,
    ast.Eq: lambda left, right: left == right,
    ast.NotEq: lambda left, right: left != right,
}
_REDUCE: dict[str, Callable[[list[float]], float]] = {
    "SUM": sum,
    "MAX": max,
    "MIN": min,
    "AVG": lambda values: sum(values) / len(values),
}
_ROUND: dict[str, Callable[[float], float]] = {"ABS": abs, "CEIL": math.ceil, "FLOOR": math.floor}
_FUNCTIONS = ("ABS", "AVG", "CEIL", "FILL", "FLOOR", "IF", "MAX", "MIN", "SUM")


def evaluate(expression: str, values: Mapping[str, Value]) -> Value:
    """Value of an expression; `values` are those of the other queries, by id. Division by zero has no value.

    Raises:
        ExpressionError: a function, name or syntax that is not written here.
    """
    return _node(_parse(expression), values)


def check(expression: str, names: frozenset[str]) -> None:
    """Raise `ExpressionError` for what `evaluate` would not take; `names` are the ids of the other queries."""
    for node in ast.walk(_parse(expression)):
        if isinstance(node, ast.Name) and node.id not in names and node.id not in _FUNCTIONS:
            raise ExpressionError(
                f"{node.id} is no id of another query and no function written here ({', '.join(_FUNCTIONS)})"
            )
    evaluate(expression, dict.fromkeys(names, 1.0))


def _parse(expression: str) -> ast.expr:
    try:
        return ast.parse(expression.strip(), mode="eval").body
    except SyntaxError as error:
        raise ExpressionError(f"{expression!r} is no expression written here") from error


def _node(node: ast.expr, values: Mapping[str, Value]) -> Value:
    match node:
        case ast.Constant(value=int() | float() as number):
            return float(number)
        case ast.Name(id=name):
            if name not in values:
                raise ExpressionError(f"no query has the id {name}")
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _node(operand, values)
            return None if value is None else -value
        case ast.BinOp(left=left, op=operator, right=right):
            return _binary(operator, _node(left, values), _node(right, values))
        case ast.Compare(left=left, ops=[operator], comparators=[right]) if type(operator) in _COMPARE:
            first, second = _node(left, values), _node(right, values)
            return None if first is None or second is None else float(_COMPARE[type(operator)](first, second))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]):
            return _call(name, arguments, values)
        case _:
            raise ExpressionError(f"{ast.unparse(node)!r} is not written here")


def _binary(operator: ast.operator, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    if isinstance(operator, ast.Div):
        return left / right if right else None
    if type(operator) not in _BINARY:
        raise ExpressionError(f"operator {type(operator).__name__} is not written here")
    return _BINARY[type(operator)](left, right)


def _call(name: str, arguments: list[ast.expr], values: Mapping[str, Value]) -> Value:
    if name == "IF" and len(arguments) in (2, 3):
        condition = _node(arguments[0], values)
        if condition:
            return _node(arguments[1], values)
        return _node(arguments[2], values) if len(arguments) == 3 and condition is not None else None
    if name == "FILL" and len(arguments) == 2:
        value = _node(arguments[0], values)
        return _node(arguments[1], values) if value is None else value
    if name in _ROUND and len(arguments) == 1:
        value = _node(arguments[0], values)
        return None if value is None else _ROUND[name](value)
    if name in _REDUCE:
        elements = arguments[0].elts if len(arguments) == 1 and isinstance(arguments[0], ast.List) else arguments
        present = [value for value in (_node(element, values) for element in elements) if value is not None]
        return _REDUCE[name](present) if present else None
    raise ExpressionError(f"function {name} with {len(arguments)} arguments is not written here")
