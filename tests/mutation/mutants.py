"""Small changes of a program, one at a time, as mistakes would make them."""

import ast
import dataclasses
import itertools

COMPARISONS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In,
}  # fmt: skip
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.FloorDiv, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd,
}  # fmt: skip
NAMES = {
    "min": "max", "max": "min", "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "zeros": "ones",
    "ones": "zeros", "mean": "max", "sum": "max", "sigmoid": "softplus", "minimum": "maximum", "maximum": "minimum",
    "argmax": "argmin", "argmin": "argmax", "first": "last", "GlobalAveragePooling2D": "GlobalMaxPooling2D",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Mutant:
    """A program with one change.

    Attributes:
        line: Number of the line.
        change: What was changed, for people.
        source: The whole program.
    """

    line: int
    change: str
    source: str


def count_mutants(source):
    """Return how many mutants a program has."""
    return sum(1 for _ in _Places().found(ast.parse(source)))


def mutant(source, number):
    """Return one mutant of a program; docstrings, messages of errors, annotations and imports are left alone.

    Args:
        source: The program.
        number: Which one, from 0 to below ``count_mutants``.
    """
    changed = ast.parse(source)
    index, change = next(itertools.islice(_Places().found(changed), number, None))
    node = next(itertools.islice(ast.walk(changed), index, None))
    line, before = node.lineno, ast.unparse(node)
    replacement = change(node)
    if replacement is not node:
        _Replace(node, replacement).visit(changed)
    after = ast.unparse(replacement)
    return Mutant(line, f"{before}  ->  {after}", ast.unparse(ast.fix_missing_locations(changed)))


class _Replace(ast.NodeTransformer):
    def __init__(self, node, replacement):
        self.node, self.replacement = node, replacement

    def visit(self, node):
        return self.replacement if node is self.node else self.generic_visit(node)


class _Places:
    """Which nodes can be changed, by their place in ``ast.walk``, and how."""

    def found(self, tree):
        skipped = set()
        for node in ast.walk(tree):
            # What is raised or logged, what is annotated, and texts decide no result.
            hidden = []
            if isinstance(node, (ast.Raise, ast.Import, ast.ImportFrom, ast.JoinedStr)):
                hidden = [node]
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                hidden = [*filter(None, [node.returns]), *node.decorator_list]
                if node.name in ("__repr__", "__str__", "get_config", "compute_output_shape"):
                    hidden = [node]
            elif isinstance(node, ast.ClassDef):
                hidden = node.decorator_list
            elif isinstance(node, ast.arg):
                hidden = [*filter(None, [node.annotation])]
            elif isinstance(node, ast.AnnAssign):
                hidden = [node.annotation]
            elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith(("_LOG.", "_log.", "warnings.")):
                hidden = [node]
            elif isinstance(node, ast.keyword) and node.arg == "strict":
                hidden = [node]  # `zip` of equal lengths: a guard
            for one in hidden:
                skipped.update(map(id, ast.walk(one)))
        for index, node in enumerate(ast.walk(tree)):
            if id(node) not in skipped:
                for change in self.changes(node, skipped):
                    yield index, change

    def changes(self, node, skipped):
        if isinstance(node, ast.Compare) and type(node.ops[0]) in COMPARISONS:
            yield _with_operator
        elif isinstance(node, (ast.BinOp, ast.AugAssign)) and type(node.op) in OPERATORS:
            yield _with_other_operator
        elif isinstance(node, ast.BoolOp):
            yield _with_other_connective
        elif isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.Not, ast.USub)):
            yield lambda node: node.operand
        elif isinstance(node, ast.Constant) and isinstance(node.value, (bool, int, float)):
            yield _with_other_number
        elif isinstance(node, (ast.Name, ast.Attribute)) and _name(node) in NAMES:
            yield _with_other_name
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and id(node.value) not in skipped:
            yield lambda node: ast.copy_location(ast.Pass(), node)
        elif isinstance(node, ast.IfExp):
            yield lambda node: node.body
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Call) and node.value.args:
            yield _with_first_argument


def _with_operator(node):
    node.ops[0] = COMPARISONS[type(node.ops[0])]()
    return node


def _with_other_operator(node):
    node.op = OPERATORS[type(node.op)]()
    return node


def _with_other_connective(node):
    node.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
    return node


def _with_other_number(node):
    value = node.value
    other = (not value) if isinstance(value, bool) else value + 1 if isinstance(value, int) else 2 * value or 1.0
    return ast.copy_location(ast.Constant(other), node)


def _name(node):
    return node.id if isinstance(node, ast.Name) else node.attr


def _with_other_name(node):
    if isinstance(node, ast.Name):
        node.id = NAMES[node.id]
    else:
        node.attr = NAMES[node.attr]
    return node


def _with_first_argument(node):
    node.value = node.value.args[0]
    return node
