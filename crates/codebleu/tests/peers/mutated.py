"""Compares `codebleu score` with PyPI codebleu 0.7.0 on code that was changed at random: cut off, lines
left out or turned round, CRLF, tabs, letters and blanks outside ASCII, NUL, quotes and brackets without
their other half, foreign comments; some pairs with two references.

    python mutated.py DATA CODEBLEU [--pairs 5000] [--variant k4black|codexglue] [--seed 1]

DATA and CODEBLEU are those of parity.py, from which the code is. For `codexglue` the program is changed as
CodeXGLUE's differs: comments of Java in every language, no `or 1`, Python's older keywords. Prints a Markdown
table, then every pair that differs.
"""

import argparse
import json
import logging
import os
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

import parity

ODD = "\0 \x0c \x1c \xa0 \u2028 \ufeff \x85 \u3000 \r \t \x0b \\ ' \" ` /* */ // # { } ( )".split(" ")


def mutate(random, text, other):
    lines = text.split("\n")
    at = random.randrange(len(text) + 1)
    line = random.randrange(len(lines))
    put = lambda extra: "\n".join(lines[:line] + [extra] + lines[line:])
    letter = lambda match: random.choice("äößπ変😀éª") + match[1]
    return random.choice(
        [
            lambda: text,
            lambda: text.replace("\n", "\r\n"),
            lambda: text.replace("\n", "\r"),
            lambda: re.sub(r"(?m)^( {4})+", lambda match: "\t" * (len(match[0]) // 4), text),
            lambda: text[:at],
            lambda: text[:at] + random.choice(ODD) + text[at:],
            lambda: " ".join(text.split()),
            lambda: text.replace("(", "( ").replace(")", " )"),
            lambda: re.sub(r"\b([a-z])\b", letter, text),
            lambda: put("  /* é\n */"),
            lambda: put('é = "日本語" + b  '),
            lambda: put("# x = 'ä' + \"b // c"),
            lambda: "\n".join(random.sample(lines, len(lines))),
            lambda: "\n".join(line for line in lines if random.random() < 0.7),
            lambda: text + "\n" + other,
        ]
    )()


def pairs(data, count, seed):
    chance = random.Random(seed)
    known = list(parity.pairs(data))
    for number in range(count):
        name, language, reference, hypothesis = chance.choice(known)
        if chance.random() < 0.2:
            reference = mutate(chance, reference, hypothesis)
        references = [reference]
        if chance.random() < 0.1:
            references.append(mutate(chance, reference, hypothesis))
        yield f"{number}:{name}", language, references, mutate(chance, hypothesis, reference)


def as_codexglue():
    from codebleu import codebleu, dataflow_match, syntax_match

    for module in (dataflow_match, syntax_match):
        strip = module.remove_comments_and_docstrings
        module.remove_comments_and_docstrings = lambda text, _, strip=strip: strip(text, "java")
    folder = Path(tempfile.mkdtemp())
    for file in (Path(codebleu.__file__).parent / "keywords").iterdir():
        words = file.read_text("utf-8").split("\n")
        newer = ["match", "case", "type"] if file.stem == "python" else []
        left = [word for word in words if word.strip() not in newer]
        (folder / file.name).write_text("\n".join(left), "utf-8")
    as_codexglue.keywords = folder


def python_scores(task):
    from codebleu import calc_codebleu

    variant, (_, language, references, hypothesis) = task
    more = {}
    if variant == "codexglue":
        if not hasattr(as_codexglue, "keywords"):
            as_codexglue()
        more = {"keywords_dir": as_codexglue.keywords}
    scores = calc_codebleu([references], [hypothesis], language, **more)
    parts = [float(scores[part]) for part in parity.PARTS]
    if variant == "codexglue":
        parts[0] = sum(0.25 * part for part in parts[1:])
    return parts


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("codebleu")
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--variant", default="k4black")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    logging.disable(logging.WARNING)
    everything = list(pairs(arguments.data, arguments.pairs, arguments.seed))
    with Pool(arguments.processes) as pool:
        tasks = [(arguments.variant, pair) for pair in everything]
        theirs = pool.map(python_scores, tasks, chunksize=32)
    keys = ["id", "lang", "references", "hypothesis"]
    lines = "\n".join(json.dumps(dict(zip(keys, pair))) for pair in everything)
    command = [arguments.codebleu, "score", "--variant", arguments.variant, "--json", "--per-pair"]
    output = subprocess.run(command, input=lines.encode(), stdout=subprocess.PIPE, check=True)
    ours = [[r[part] for part in parity.PARTS] for r in map(json.loads, output.stdout.splitlines())]
    seen, different = Counter(), []
    for pair, their, our in zip(everything, theirs, ours, strict=True):
        seen[pair[1]] += 1
        if any(abs(a - b) > parity.BOUND for a, b in zip(their, our)):
            different.append((pair, their, our))
    by_language = Counter(pair[1] for pair, _, _ in different)
    print("| language | pairs | different |\n|---|---:|---:|")
    for language, count in sorted(seen.items()):
        print(f"| {language} | {count} | {by_language[language]} |")
    for (name, language, references, hypothesis), their, our in different:
        print(f"\n{name} ({language})\n  theirs {their}\n  ours   {our}")
        print(f"  references {references!r}\n  hypothesis {hypothesis!r}")


if __name__ == "__main__":
    main()
