"""Compares `codebleu score --variant k4black` with PyPI codebleu 0.7.0 on every pair that can be made
from a folder of data, and both with the published figures of CodeXGLUE's example outputs.

    python parity.py DATA CODEBLEU [--processes N]

DATA has the folders mbxp, csn, humaneval-x, plans, concode, human_graded and metrics_golden (those
that are missing are left out); CODEBLEU is the command, built with all languages. Needs the packages
of ../golden/requirements.txt. Prints a Markdown table, then every pair that differs.
"""

import argparse
import json
import os
import subprocess
import sys
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

PARTS = [
    "codebleu",
    "ngram_match_score",
    "weighted_ngram_match_score",
    "syntax_match_score",
    "dataflow_match_score",
]
BOUND = 1e-12


def records(path):
    if path.exists():
        with open(path, encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines)


def neighbours(name, language, codes):
    """Each text beside the next one: unlike code of like size."""
    for index in range(1, len(codes)):
        yield f"{name}:{index}", language, codes[index - 1], codes[index]


def pairs(data):
    for language in ["python", "java", "go", "javascript", "php", "ruby"]:
        problems = {r["task_id"]: r for r in records(data / "mbxp" / f"{language}.jsonl")}
        whole = []
        for sample in records(data / "mbxp/samples" / f"{language}.jsonl"):
            problem = problems.get(sample["task_id"])
            if problem is None:
                continue
            answer = problem["prompt"] + sample["completion"]
            whole.append(answer)
            name = f"mbxp:{sample['task_id']}"
            if problem.get("canonical_solution"):
                reference = problem["prompt"] + problem["canonical_solution"]
                yield name, language, reference, answer
            # As models write it: without the signature, which often does not parse.
            yield f"{name}:test", language, problem["test"], sample["completion"]
        yield from neighbours("mbxp-next", language, whole)
        solved = [
            r["prompt"] + r["canonical_solution"]
            for r in records(data / "humaneval-x" / f"{language}.jsonl")
            if r.get("canonical_solution")
        ]
        yield from neighbours("humaneval-x", language, solved)
    samples = [("go", "go_sample50"), ("java", "java_sample50"), ("php", "php_sample50")]
    samples += [("javascript", "javascript_sample50"), ("python", "python_train_sample100")]
    for language, name in samples + [("ruby", "ruby_valid_full")]:
        codes = [r["code"] for r in records(data / "csn" / f"{name}.jsonl")]
        yield from neighbours("csn", language, codes)
    triples = {r["task_id"]: r for r in records(data / "plans/humaneval_plan_triples.jsonl")}
    for index, r in enumerate(records(data / "plans/humaneval_student_outputs.jsonl")):
        if r["task_id"] in triples and index % 4 == 0:
            triple = triples[r["task_id"]]
            reference = triple["problem"] + triple["canonical_solution"]
            yield f"plans:{index}", "python", reference, triple["problem"] + r["completion"]
    yield from neighbours("concode", "java", [r["code"] for r in records(data / "concode/dev.jsonl")])
    for name, language, references, hypotheses in corpora(data):
        for index, (reference, hypothesis) in enumerate(zip(references, hypotheses)):
            yield f"{name}:{index}", language, reference, hypothesis
    graded = data / "human_graded/hs-aggregated-grades.json"
    if graded.exists():
        for index, item in enumerate(json.load(open(graded, encoding="utf-8"))):
            reference = item["snippet"][0]
            for system, answer in item.items():
                if isinstance(answer, str) and system != "snippet":
                    yield f"hearthstone:{index}:{system}", "python", reference, answer


def corpora(data):
    folder = data / "metrics_golden"
    files = [
        ("java-cs-model1", "c_sharp", "gold", "output"),
        ("cs-java-model1", "java", "gold", "output"),
        ("refine-small", "java", "gold", "output"),
        ("code-to-code-trans-10", "c_sharp", "references.txt", "predictions.txt"),
        ("code-refinement-10", "java", "references.txt", "predictions.txt"),
    ]
    for name, language, gold, output in files:
        if (folder / f"{name}.{gold}").exists():
            texts = [(folder / f"{name}.{end}").read_text("utf-8") for end in (gold, output)]
            yield name, language, *(text.splitlines() for text in texts)
    answers = folder / "concode-100.answers.json"
    if answers.exists():
        references = [json.loads(line)["code"] for line in answers.read_text("utf-8").splitlines()]
        predictions = folder / "concode-100.predictions.txt"
        yield "concode-100", "java", references, predictions.read_text("utf-8").splitlines()


def python_scores(pair):
    from codebleu import calc_codebleu

    _, language, reference, hypothesis = pair
    scores = calc_codebleu([reference], [hypothesis], language)
    return [float(scores[part]) for part in PARTS]


def score(command, pairs, *options):
    lines = (
        json.dumps({"id": name, "lang": language, "reference": reference, "hypothesis": hypothesis})
        for name, language, reference, hypothesis in pairs
    )
    arguments = [command, "score", "--variant", "k4black", "--json", *options]
    output = subprocess.run(
        arguments, input="\n".join(lines).encode(), stdout=subprocess.PIPE, check=True
    )
    return [[r[part] for part in PARTS] for r in map(json.loads, output.stdout.splitlines())]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("codebleu")
    parser.add_argument("--processes", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.environ["PYTHONHASHSEED"] = "0"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import logging

    logging.disable(logging.WARNING)
    everything = list(pairs(arguments.data))
    with Pool(arguments.processes) as pool:
        theirs = pool.map(python_scores, everything, chunksize=64)
    ours = score(arguments.codebleu, everything, "--per-pair")
    seen, different = Counter(), []
    for pair, their, our in zip(everything, theirs, ours, strict=True):
        seen[pair[1]] += 1
        if any(abs(a - b) > BOUND for a, b in zip(their, our)):
            different.append((pair, their, our))
    by_language = Counter(pair[1] for pair, _, _ in different)
    print("| language | pairs | different |\n|---|---:|---:|")
    for language, count in sorted(seen.items()):
        print(f"| {language} | {count} | {by_language[language]} |")
    print(f"| all | {sum(seen.values())} | {len(different)} |")
    print("\n| corpus | published CodeBLEU | codebleu 0.7.0, older grammars | this |\n|---|---:|---:|---:|")
    expected = json.load(open(arguments.data / "metrics_golden/EXPECTED.json", encoding="utf-8"))
    for name, language, references, hypotheses in corpora(arguments.data):
        known = expected["metrics_golden"][name]
        corpus = [(name, language, r, h) for r, h in zip(references, hypotheses)]
        [our] = score(arguments.codebleu, corpus)
        older = known.get("codebleu_0.7.0", ["-"])
        published = known["published"].get("CodeBLEU", "-")
        print(f"| {name} | {published} | {older[0]} | {our[0]:.6f} |")
        if len(older) == 5:
            moved = [f"{p} {a} {b:.6f}" for p, a, b in zip(PARTS, older, our) if abs(a - b) > 6e-7]
            print(f"| | | | {'; '.join(moved) or 'every part equal'} |")
    for (name, language, reference, hypothesis), their, our in different:
        print(f"\n{name} ({language})\n  theirs {their}\n  ours   {our}")
        print(f"  reference  {reference!r}\n  hypothesis {hypothesis!r}")


if __name__ == "__main__":
    main()
