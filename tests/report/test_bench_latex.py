"""LaTeX without LaTeX: groups close, environments nest, every row is as wide as the table."""

import re
from dataclasses import replace

import pytest
from tests.report.benches import every_method, failed, line, standings_of

from masktune.report.bench.latex import in_latex, latex_of
from masktune.report.bench.table import table_of

NASTY = 'a_b & 50 % #1 $x$ {y} ~z ^2 \\input{/etc/passwd} <i> |"q" [0.5] ±1 −2 – “w”'


def latex(*tables):
    return latex_of([table_of(one) for one in tables])


def check(text):
    """What TeX would stumble over first."""
    lines = [re.sub(r"(?<!\\)%.*$", "", line) for line in text.splitlines()]
    body = "\n".join(lines)
    plain = re.sub(r"\\[\\{}%&#$_]", "", body)
    depth = 0
    for letter in plain:
        depth += (letter == "{") - (letter == "}")
        assert depth >= 0
    assert depth == 0
    assert plain.count("$") % 2 == 0
    open_ones = []
    for which, name in re.findall(r"\\(begin|end)\{([^}]*)\}", body):
        if which == "begin":
            open_ones.append(name)
        else:
            assert open_ones.pop() == name
    assert open_ones == []
    return body


def widths(body):
    """Columns of each row of each table, its own specification first."""
    inner = re.sub(r"\\begin\{tabular\}\[[tb]\].*?\\end\{tabular\}", "STACK", body)
    found = []
    for spec, rows in re.findall(r"\\begin\{tabular\}\{([lr]+)\}\n(.*?)\\end\{tabular\}", inner, re.DOTALL):
        made = [len(spec)]
        for row in rows.splitlines():
            if row.endswith(r"\\"):
                spans = [int(span) - 1 for span in re.findall(r"\\multicolumn\{(\d+)\}", row)]
                made.append(1 + len(re.findall(r"(?<!\\)&", row)) + sum(spans))
        found.append(made)
    return found


def test_every_method_makes_a_table_that_is_balanced_and_even():
    body = check(latex(every_method(), every_method(net="timm:tf_efficientnet_lite0")))
    both = widths(body)
    assert len(both) == 2
    for made in both:
        # Columns, two lines of headings, 22 methods of ours and one of theirs.
        assert len(made) == 1 + 2 + 23
        assert len(set(made)) == 1
    for rule in (r"\toprule", r"\midrule", r"\bottomrule"):
        assert body.count(rule) == 2


def test_it_says_what_it_needs():
    text = latex(standings_of())
    assert text.splitlines()[1] == r"%   \usepackage{booktabs,graphicx}"
    needed = {"resizebox": "graphicx", "toprule": "booktabs", "cmidrule": "booktabs"}
    assert all(f"\\{command}" in text for command in needed)


def test_methods_are_cited_and_controls_are_not():
    text = latex(every_method())
    assert r"group\_dro~\cite{sagawa2020groupdro} & training & validation & worst group & " in text
    assert r"continue\_erm & none & none & " in text
    assert r"\caption{waterbirds~\cite{sagawa2020groupdro} (official), timm:resnet50. 5,794 images" in text


def test_a_cell_is_a_number_of_the_record():
    text = latex(standings_of(line("erm", 0.40), line("rwg", 0.62)))
    (row,) = [row for row in text.splitlines() if row.startswith("rwg")]
    assert row.startswith(
        r"rwg~\cite{idrissi2022balancing} & training & validation & worst group & 62.0 $\pm$ 2.0 & "
        r"60.0 to 64.0 & \begin{tabular}[t]{@{}l@{}}waterbird on land \\ {\scriptsize n = 642}"
    )
    assert (
        r"\begin{tabular}[t]{@{}r@{}}+22.0 \\ {\scriptsize +17.0 to +27.0}\end{tabular} & 0.004 & 3/3" in row
    )
    assert r"87.6 $\pm$ 1.6~\cite{idrissi2022balancing}" in row


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("group_dro", r"group\_dro"),
        ("50 % & more", r"50 \% \& more"),
        ("#1 $x$ {y}", r"\#1 \$x\$ \{y\}"),
        ("a\\b~c^d", r"a\textbackslash{}b\textasciitilde{}c\textasciicircum{}d"),
        ("<i> | [0.5]", r"\textless{}i\textgreater{} \textbar{} {[}0.5{]}"),
        ("1 ± 2, −3, –", r"1 $\pm$ 2, $-$3, --"),
        ("two\nlines", "two lines"),
        ("Seehund, Müller", "Seehund, Müller"),
    ],
)
def test_text_is_shown_as_it_is(text, expected):
    assert in_latex(text) == expected


def test_nasty_names_and_reasons_break_nothing():
    odd = replace(line("erm"), worst=replace(line("erm").worst, group=NASTY))
    one = standings_of(odd, failed("jtt", NASTY), dataset=NASTY, variant=NASTY, net=NASTY, notes=(NASTY,))
    body = check(latex(one))
    assert len(set(widths(body)[0])) == 1
    assert r"\input" not in body
    (row,) = [row for row in body.splitlines() if row.startswith("jtt")]
    assert (
        rf"\multicolumn{{{widths(body)[0][0] - 1}}}{{p{{40em}}}}{{no number: seeds 0, 1, 2 failed, a\_b"
        in row
    )


def test_the_checks_find_what_is_wrong():
    whole = latex(standings_of())
    for broken in (
        whole.replace(r"\end{table*}", ""),
        whole.replace(r"\bottomrule", "}"),
        whole.replace(r"$\pm$", r"$\pm", 1),
    ):
        with pytest.raises(AssertionError):
            check(broken)
    assert len(set(widths(check(whole.replace("masktune", "mask & tune")))[0])) > 1
