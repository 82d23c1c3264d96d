"""Writes the seeds of the fuzz targets into corpus/, from the pairs, trees and records of the tests."""

import json
from pathlib import Path

HERE = Path(__file__).parent
TESTS = HERE.parent / "crates/codebleu/tests"
# The order of the languages that the targets are built with.
LANGUAGES = ["python", "java", "go", "javascript", "php", "ruby"]


def write(target, seeds):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / f"seed-{number:04}").write_bytes(seed)


def scores(pairs):
    for pair in pairs:
        if pair["lang"] not in LANGUAGES:
            continue
        references = pair.get("references") or [pair["reference"]]
        texts = "\x01".join([references[0], pair["hypothesis"], *references[1:]])
        for variant in range(4):
            yield bytes([LANGUAGES.index(pair["lang"]), variant, 0]) + texts.encode()


def trees(lines):
    """Depth by brackets, as two bits that say how far up a node hangs, and its label."""
    for a, b in zip(lines[::2], lines[1::2]):
        nodes = []
        for tree in (a, b):
            depth, last = -1, -1
            for character in tree:
                if character == "{":
                    depth += 1
                    up = min(max(last + 1 - depth, 0), 3)
                    nodes.append(up | (len(nodes) % 7) << 2)
                    last = depth
                elif character == "}":
                    depth -= 1
        if len(nodes) <= 400:
            yield bytes([127, *nodes])


pairs = [json.loads(line) for line in open(TESTS / "golden/pairs.jsonl", encoding="utf-8")]
write("codebleu_score", scores(pairs))
near = (TESTS / "ted/50.near.trees").read_text().splitlines()
far = (TESTS / "ted/50.far.trees").read_text().splitlines()
write("codebleu_ted", trees(near + far))
lines = [json.dumps(pair).encode() for pair in pairs]
write("codebleu_input", lines + [b"\n".join(lines[:5]), near[0].encode(), far[0].encode()])
