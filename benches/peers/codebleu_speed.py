#!/usr/bin/env python3
"""Time of the command `codebleu` beside PyPI codebleu 0.7.0, as a Markdown table.

    python codebleu_speed.py BINARY FOLDER [--runs 7]

BINARY is a release build of the command. FOLDER holds `bench-python.json` and `bench-java.json`:
lists of {"lang", "reference", "hypothesis"}. Run it with the interpreter of an environment that has
PyPI codebleu 0.7.0 and its grammars.

One run times everything once: PyPI codebleu and each variant of the command, in an order that
turns by one from run to run, so that whatever else the machine does falls on all of them. The table
shows medians over the runs.

* The peer's figure is the processor time of `calc_codebleu` on the whole corpus alone: starting
  Python, importing the package and reading the file are not counted.
* Ours is the processor time (user and system, by `wait4`) of the whole process
  `codebleu score --variant V --threads 1 --json FILE`, start and reading included.
* Both work on one thread, and are left to the system's choice of processor: kept on one, they
  would wait for whatever else is kept there, with cold caches.
* Two threads beside one are compared by wall time of the whole process, on the corpus ten times over so
  that a run takes about a second. Each copy ends in a comment of its own: no text recurs, which would
  be read only once. The comparison says something on an idle machine of two processors or more only.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

LANGUAGES = ["python", "java"]
VARIANTS = ["k4black", "paper"]
COPIES = 10
COMMENTS = {"python": "#", "java": "//"}

PEER = """
import json, logging, sys, time
logging.disable(logging.CRITICAL)
from codebleu import calc_codebleu
pairs = json.load(open(sys.argv[1], encoding="utf-8"))
references = [pair["reference"] for pair in pairs]
hypotheses = [pair["hypothesis"] for pair in pairs]
calc_codebleu(references[:3], hypotheses[:3], sys.argv[2])
start = time.process_time()
scores = calc_codebleu(references, hypotheses, sys.argv[2])
print(json.dumps({"seconds": time.process_time() - start, "scores": scores}))
"""


def run(command, **options):
    """Runs a command: what it wrote, its processor time, its wall time."""
    start = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, **options)
    written = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - start
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {child.returncode}")
    return json.loads(written), usage.ru_utime + usage.ru_stime, wall


def run_peer(corpus, language):
    """Scores and processor time of the peer's call."""
    environment = {**os.environ, "PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", PEER, corpus, language]
    result, _, _ = run(command, env=environment)
    return result["scores"], result["seconds"]


def run_ours(binary, records, variant, threads):
    """Scores, processor time and wall time of the command."""
    command = [binary, "score", "--variant", variant, "--threads", str(threads), "--json", records]
    return run(command)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("binary")
    parser.add_argument("folder")
    parser.add_argument("--runs", type=int, default=7)
    args = parser.parse_args()
    peer, ours, walls = {}, {}, {}
    sizes = {}
    with tempfile.TemporaryDirectory() as folder:
        for language in LANGUAGES:
            corpus = os.path.join(args.folder, f"bench-{language}.json")
            records = os.path.join(folder, f"{language}.jsonl")
            with open(corpus, encoding="utf-8") as file:
                pairs = json.load(file)
            sizes[language] = len(pairs)
            with open(records, "w", encoding="utf-8") as file:
                for index, pair in enumerate(pairs):
                    keys = ["lang", "reference", "hypothesis"]
                    record = {"id": index} | {key: pair[key] for key in keys}
                    file.write(json.dumps(record) + "\n")
            copies = os.path.join(folder, f"{language}-copies.jsonl")
            with open(copies, "w", encoding="utf-8") as file:
                for copy in range(COPIES):
                    comment = f"\n{COMMENTS[language]} {copy}\n"
                    for pair in pairs:
                        texts = {k: pair[k] + comment for k in ("reference", "hypothesis")}
                        file.write(json.dumps({"lang": language} | texts) + "\n")
            for number in range(args.runs):
                order = ["peer", *VARIANTS]
                turn = number % len(order)
                scores = {}
                for name in order[turn:] + order[:turn]:
                    if name == "peer":
                        scores[name], seconds = run_peer(corpus, language)
                        peer.setdefault(language, []).append(seconds)
                    else:
                        scores[name], seconds, _ = run_ours(args.binary, records, name, 1)
                        ours.setdefault((language, name), []).append(seconds)
                for name, value in scores["peer"].items():
                    if abs(scores["k4black"][name] - value) > 1e-12:
                        own = scores["k4black"][name]
                        sys.exit(f"{language}: {name} is {own}, not {value}")
                for variant in VARIANTS:
                    for threads in (1, 2) if number % 2 == 0 else (2, 1):
                        wall = run_ours(args.binary, copies, variant, threads)[2]
                        walls.setdefault((language, variant, threads), []).append(wall)
                print(f"{language}: run {number + 1} of {args.runs}", file=sys.stderr)

    print("| variant | language | PyPI codebleu, s | ours, s | pairs/s | times as fast | lowest, highest "
          "| 2 threads : 1 |")
    print("|---|---|---|---|---|---|---|---|")
    for variant in VARIANTS:
        for language in LANGUAGES:
            theirs, own = peer[language], ours[language, variant]
            ratios = [left / right for left, right in zip(theirs, own)]
            single, double = (walls[language, variant, threads] for threads in (1, 2))
            scaling = statistics.median(left / right for left, right in zip(single, double))
            print(
                f"| `{variant}` | {language} | {statistics.median(theirs):.3f} "
                f"| {statistics.median(own):.4f} | {sizes[language] / statistics.median(own):,.0f} "
                f"| {statistics.median(ratios):.1f} | {min(ratios):.1f}, {max(ratios):.1f} "
                f"| {scaling:.2f} |"
            )


if __name__ == "__main__":
    main()
