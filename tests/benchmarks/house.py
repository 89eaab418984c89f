"""The size and the shape of the code: lines, modules, functions, imports.

    python -m tests.benchmarks.house [CHECKOUT]...

Prints a Markdown table with a column per checkout, this one by default. Lines include
docstrings and blank lines; a cycle is a set of modules that import each other.
"""

from __future__ import annotations

import argparse
import ast
import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def modules(folder: Path) -> dict[str, ast.Module]:
    """The parsed modules of a package by their dotted names."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts).removesuffix(".__init__")
        found[name] = ast.parse(path.read_text(encoding="utf-8"))
    return found


def imported(tree: ast.AST, known: Mapping[str, ast.Module]) -> Iterator[str]:
    """The modules of the same package that a module imports, also in functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.ImportFrom) and node.module and node.module in known:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (name if name in known else str(node.module) for name in inner)
        yield from imported(node, known)


def cycles(known: Mapping[str, ast.Module]) -> list[set[str]]:
    """The sets of modules that import each other."""
    below = {name: set(imported(tree, known)) for name, tree in known.items()}
    reach: dict[str, set[str]] = {}
    for name in known:
        seen: set[str] = set()
        todo = [name]
        while todo:
            new = below[todo.pop()] - seen
            seen |= new
            todo += new
        reach[name] = seen
    rings = {frozenset(o for o in reach[n] if n in reach[o]) for n in known}
    return [set(ring) for ring in rings if len(ring) > 1]


def measure(checkout: Path) -> dict[str, str]:
    """The rows of the table."""
    rows = {}
    for package in ("tlkit", "tests"):
        known = modules(checkout / package)
        lines = sorted(
            len(path.read_text(encoding="utf-8").splitlines())
            for path in (checkout / package).rglob("*.py")
        )
        functions = sorted(
            (node.end_lineno or node.lineno) - node.lineno + 1
            for tree in known.values()
            for node in ast.walk(tree)
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        )
        rows[f"{package}: lines"] = f"{sum(lines):,}"
        for what, sizes in (("modules", lines), ("functions", functions)):
            p95 = sizes[int(0.95 * (len(sizes) - 1))]
            rows[f"{package}: {what}, median / 95th percentile / largest"] = (
                f"{len(sizes):,}, {statistics.median(sizes):g} / {p95} / {sizes[-1]}"
            )
    known = modules(checkout / "tlkit")
    rings = cycles(known)
    rows["import cycles, modules in them"] = f"{len(rings)}, {sum(map(len, rings))}"
    rows["modules directly in the largest folder"] = str(
        max(len(list(p.parent.glob("*.py"))) for p in checkout.glob("tlkit/**/*.py"))
    )
    contracts = (checkout / "pyproject.toml").read_text(encoding="utf-8")
    rows["import contracts"] = str(contracts.count("[[tool.importlinter.contracts]]"))
    homes = next(
        node.value
        for node in known["tlkit"].body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES"
    )
    rows["public names"] = str(len(ast.literal_eval(homes)))
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("checkouts", type=Path, nargs="*", default=[ROOT])
    checkouts = parser.parse_args().checkouts
    tables = [measure(checkout) for checkout in checkouts]
    print(f"| | {' | '.join(str(checkout) for checkout in checkouts)} |")
    print("|---|" + "---|" * len(checkouts))
    for name in tables[0]:
        print(f"| {name} | {' | '.join(table[name] for table in tables)} |")


if __name__ == "__main__":
    main()
