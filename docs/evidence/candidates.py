"""Makes candidates for `distill passk` of MBXP, HumanEval-X and recorded answers of students.

    python candidates.py DATA FOLDER

DATA holds `mbxp/LANGUAGE.jsonl`, `mbxp/samples/LANGUAGE.jsonl`, `humaneval-x/LANGUAGE.jsonl` and
`plans/humaneval_{plan_triples,student_outputs}.jsonl`.
"""
import json
import pathlib
import sys

data, folder = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
folder.mkdir(parents=True, exist_ok=True)


def read(name):
    with open(data / name) as file:
        return [json.loads(line) for line in file]


def write(name, problems):
    with open(folder / f"{name}.jsonl", "w") as file:
        for id, language, problem, completion, test, entry_point in problems:
            line = {"id": id, "language": language, "prompt": problem["prompt"], "completion": completion,
                    "test": test, "entry_point": entry_point}
            file.write(json.dumps(line) + "\n")


for language in ["python", "java", "javascript", "go", "php", "ruby"]:
    problems = {p["task_id"]: p for p in read(f"mbxp/{language}.jsonl")}
    write(f"mbxp-{language}", [
        (id, language, p, p["canonical_solution"], p["test"], p["entry_point"])
        for id, p in problems.items() if p["canonical_solution"] is not None])
    write(f"samples-{language}", [
        (s["task_id"], language, p, s["completion"], p["test"], p["entry_point"])
        for s in read(f"mbxp/samples/{language}.jsonl") for p in [problems[s["task_id"]]]])
for language in ["python", "java", "javascript", "go"]:
    write(f"humaneval-x-{language}", [
        (p["task_id"], language, p, p["canonical_solution"], p["test"], p.get("entry_point"))
        for p in read(f"humaneval-x/{language}.jsonl")])
prompts = {p["task_id"].split("/")[1]: p for p in read("humaneval-x/python.jsonl")}
tests = {p["task_id"]: p for p in read("plans/humaneval_plan_triples.jsonl")}
write("students", [
    (f"{s['system']}#{s['task_id']}", "python", prompts[s["task_id"].split("/")[1]], s["completion"],
     tests[s["task_id"]]["test"], tests[s["task_id"]]["entry_point"])
    for s in read("plans/humaneval_student_outputs.jsonl")])
