"""Compares the syntax match of the variant `paper` with Python's `apted` on real pairs.

    python paper_syntax.py DATA CODEBLEU [--pairs N] [--most NODES]

DATA and CODEBLEU as in parity.py. For each of the six default languages the first N pairs of at most
NODES named nodes a text are parsed with the Python grammars of the same versions, and the distance of
their trees (named nodes except comments, labelled by kind) is taken by apted 1.0.3. Prints how many
pairs were compared and every one that differs. apted needs about a second for a pair of 200 nodes.
"""

import argparse
import json
import subprocess
from pathlib import Path

from apted import APTED, Config
from codebleu.utils import get_tree_sitter_language
from tree_sitter import Parser

from parity import pairs

LANGUAGES = ["python", "java", "go", "javascript", "php", "ruby"]
COMMENTS = {"comment", "line_comment", "block_comment", "html_comment"}


class Labelled(Config):
    """Unit costs on (label, children)."""

    def rename(self, a, b):
        return int(a[0] != b[0])

    def children(self, node):
        return node[1]


def named(node):
    """The named nodes at and below a node, as trees."""
    if node.type in COMMENTS:
        return []
    below = [tree for child in node.children for tree in named(child)]
    return [(node.type, below)] if node.is_named else below


def size(tree):
    return 1 + sum(map(size, tree[1]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("codebleu")
    parser.add_argument("--pairs", type=int, default=50)
    parser.add_argument("--most", type=int, default=120)
    arguments = parser.parse_args()
    parsers = {language: Parser(get_tree_sitter_language(language)) for language in LANGUAGES}

    def tree(language, text):
        [root] = named(parsers[language].parse(text.strip().encode()).root_node)
        return root

    chosen = {language: [] for language in LANGUAGES}
    for name, language, reference, hypothesis in pairs(arguments.data):
        if language not in chosen or len(chosen[language]) >= arguments.pairs:
            continue
        trees = tree(language, reference), tree(language, hypothesis)
        if max(map(size, trees)) <= arguments.most:
            chosen[language].append((name, reference, hypothesis, *trees))
    for language, items in chosen.items():
        lines = [
            json.dumps({"lang": language, "reference": r, "hypothesis": h}) for _, r, h, _, _ in items
        ]
        command = [arguments.codebleu, "score", "--variant", "paper", "--per-pair", "--json"]
        output = subprocess.run(
            command, input="\n".join(lines).encode(), stdout=subprocess.PIPE, check=True
        )
        different = 0
        for (name, _, _, a, b), line in zip(items, output.stdout.splitlines(), strict=True):
            score = json.loads(line)
            distance = APTED(a, b, Labelled()).compute_edit_distance()
            raw = 1 - distance / max(size(a), size(b))
            same = (
                score["counts"]["syntax"]["distance"] == distance
                and abs(score["syntax_raw"] - raw) < 1e-12
                and abs(score["syntax_match_score"] - max(0, raw)) < 1e-12
            )
            if not same:
                different += 1
                print(f"{name}: apted {distance}, here {score['counts']['syntax']}")
        print(f"{language}: {len(items)} pairs, {different} different")


if __name__ == "__main__":
    main()
