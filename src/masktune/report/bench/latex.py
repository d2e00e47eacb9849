r"""`table.tex`: each data set's table for a paper, with `\cite` keys of the `references.bib` beside it."""

import re
from collections.abc import Sequence
from textwrap import wrap

from masktune.bench.published import CITED, DATA_CITED
from masktune.report.bench.columns import BenchTable, TableColumn, TableRow, Text
from masktune.report.bench.words import PUBLISHED_MEANS, about

_HEAD = r"""% Written by masktune; \input this file. It needs, in the preamble:
%   \usepackage{booktabs,graphicx}
% and, where the references are to stand:
%   \bibliographystyle{plain}
%   \bibliography{references}
% Names in other scripts than Latin need XeLaTeX or LuaLaTeX and a font that has them."""

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "±": r"$\pm$",
    "−": r"$-$",
    "–": "--",
    "“": "``",
    "”": "''",
    "[": "{[}",
    "]": "{]}",
}
r"""A bracket after `\\` would be taken for a distance; a straight quotation mark is not in every encoding."""

_HEADING, _UNDER = 14, 30
"""Letters in a line of a heading, and of what stands below a number: a page is narrow."""


def latex_of(tables: Sequence[BenchTable]) -> str:
    """The content of `table.tex`: a `table*` each."""
    return "\n\n".join([_HEAD, *map(_of, tables)]) + "\n"


def in_latex(text: str) -> str:
    """Text of one line as LaTeX shows it."""
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def _of(one: BenchTable) -> str:
    aligned = "".join("r" if column.number else "l" for column in one.columns)
    cited = DATA_CITED.get(one.of.dataset)
    source = "" if cited is None else rf"~\cite{{{cited}}}"
    variant = f" ({in_latex(one.of.variant)})" if one.of.variant else ""
    title = f"{in_latex(one.of.dataset)}{source}{variant}, {in_latex(one.of.net)}"
    meaning = (
        r"$\pm$: standard deviation over seeds. Intervals and tests are over images; p is corrected (Holm)."
    )
    lines = [
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{title}. {in_latex(' '.join(about(one)))} {meaning}}}",
        rf"\label{{tab:bench-{_label(one.of.dataset)}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{l{aligned}}}",
        r"\toprule",
        *_overs(one),
        _joined(["Method", *map(_heading, one.columns)]),
        r"\midrule",
        *(_row(row, one.columns) for row in one.rows),
        r"\bottomrule",
        r"\end{tabular}}",
        *(_below(rf"$^{{{at}}}$~{in_latex(note)}") for at, note in enumerate(one.notes, 1)),
        *([_below(in_latex(PUBLISHED_MEANS))] if _has_published(one) else []),
        r"\end{table*}",
    ]
    return "\n".join(lines)


def _below(text: str) -> str:
    return rf"\par\smallskip{{\footnotesize {text}\par}}"


def _has_published(one: BenchTable) -> bool:
    return any(column.title.startswith("Published") for column in one.columns)


def _overs(one: BenchTable) -> list[str]:
    cells, rules, at = [""], [], 2
    for over, width in one.overs:
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{in_latex(over)}}}")
        if over:
            rules.append(rf"\cmidrule(lr){{{at}-{at + width - 1}}}")
        at += width
    return [_joined(cells), " ".join(rules)]


def _row(row: TableRow, columns: Sequence[TableColumn]) -> str:
    method = row.line.method
    marks = f"$^{{{','.join(map(str, row.notes))}}}$" if row.notes else ""
    source = rf"~\cite{{{CITED[method]}}}" if method in CITED else ""
    name = f"{in_latex(method)}{marks}{source}"
    if row.failed:
        return _joined([name, rf"\multicolumn{{{len(columns)}}}{{p{{40em}}}}{{{in_latex(row.failed)}}}"])
    return _joined([name, *map(_cell, row.cells, columns)])


def _heading(column: TableColumn) -> str:
    return _stacked([in_latex(line) for line in wrap(column.title, _HEADING)], "b", column)


def _cell(text: Text, column: TableColumn) -> str:
    source = "" if text.cited is None else rf"~\cite{{{text.cited}}}"
    under = [rf"{{\scriptsize {in_latex(line)}}}" for line in wrap(text.under, _UNDER)]
    return _stacked([f"{in_latex(text.main)}{source}", *under], "t", column)


def _stacked(lines: Sequence[str], place: str, column: TableColumn) -> str:
    """Lines one below the other in a cell."""
    if len(lines) == 1:
        return lines[0]
    side = "r" if column.number else "l"
    stack = r" \\ ".join(lines)
    return rf"\begin{{tabular}}[{place}]{{@{{}}{side}@{{}}}}{stack}\end{{tabular}}"


def _joined(cells: Sequence[str]) -> str:
    return rf"{' & '.join(cells)} \\"


def _label(name: str) -> str:
    return re.sub(r"[^a-zA-Z0-9-]+", "-", name)
