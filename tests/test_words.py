"""The package speaks the field's words: the old ones and odd forms do not come back."""

from __future__ import annotations

import ast
import re

from tests.conftest import ROOT

FILES = sorted(
    path
    for pattern in ("*.py", "*.j2", "*.md", "*.yaml")
    for folder in ("tlkit", "examples", "recipes", "docs")
    for path in (ROOT / folder).rglob(pattern)
)
# What to say instead. Whole words, also as parts of identifiers.
GLOSSARY = {
    "image": "pictures?",
    "duplicates, near-duplicates": "telltales?|likeness(es)?",
    "exported model": "artefacts?|artifacts?",
    "image cache, ImageInfo, inspect": "ledgers?|survey(s|ed)?|facts?",
    "label issues": "doubts?",
    "again": "anew",
    "fix": "mend(s|ed|ing)?|mendable",
    "checksum": "digests",
    "temperature-scaled": "tempered",
    "bbox, reported": "told",
    "return, report, warn": "says?|tells",
    "learned": "learnt",
    "TrainResult": "lessons?",
    "feature cache, partition": "shel(f|ves)",
    "horizontal flip": "mirror images?",
    "learning curve": "doubtful",
    "rotated or flipped": "turned (copies|images)|find_turned",
    "split": "(validation|training|test|val|train) sides?",
    "selected, select on": "found out|judges?|judged",
    "restore_weights": "put back",
    "optimistic": "bright side",
    "image record": "scans",
    "offer -> selection": "offers?|offered",
    "errors (misclassified images)": "mistakes?",
    "incorrect": "wrongly",
    "data set directory": "dataset director(y|ies)",
    "near-duplicate": "near duplicates?",
    "US spelling": "colours?|neighbours?|labell(ed|ing)|behaviours?|grey",
}
ALLOWED = {
    # An HTML list of definitions.
    "tlkit/dataset/report/report.html.j2": {"image cache, ImageInfo, inspect"},
    "tlkit/dataset/report/context.py": {"image cache, ImageInfo, inspect"},
}
# "X in, Y out", and a question for a summary.
MODULE = re.compile(r"^[^.]*\bin[,;] .*\bout\b")
QUESTION = re.compile(r"^(What|Whether|How|Where|Who|Which|As in|The like)\b")
# "One row a file": say per.
PER = re.compile(
    r"\b(one( \w+)?|images|steps|batches|examples|folds|rows|lines|operations|times"
    r"|labels|[0-9]+) an? (class|epoch|file|image|processor|repeat|step|fold|line)\b",
    re.IGNORECASE,
)


def test_old_words_do_not_come_back():
    found = []
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        text = path.read_text(encoding="utf-8")
        for instead, words in GLOSSARY.items():
            if instead in ALLOWED.get(name, ()):
                continue
            pattern = rf"(?<![A-Za-z])({words})(?![A-Za-z])"
            for number, line in enumerate(text.splitlines(), 1):
                if match := re.search(pattern, line, re.IGNORECASE):
                    found.append(f"{name}:{number}: {match[0]!r}, say {instead!r}")
        for number, line in enumerate(text.splitlines(), 1):
            if match := PER.search(line):
                found.append(f"{name}:{number}: {match[0]!r}, say 'per'")
    assert len(FILES) > 200
    assert found == []


def test_summaries_are_noun_phrases_or_imperatives():
    found = []
    for path in FILES:
        if path.suffix != ".py":
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if not isinstance(
                node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
            ):
                continue
            summary = (ast.get_docstring(node) or "").partition("\n")[0]
            odd = QUESTION.search(summary)
            if isinstance(node, ast.Module):
                odd = odd or MODULE.search(summary)
            if odd:
                line = getattr(node, "lineno", 1)
                found.append(f"{path.relative_to(ROOT)}:{line}: {summary}")
    assert found == []
