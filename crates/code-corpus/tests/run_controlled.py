"""Runs the tests of a controlled corpus with the languages' own programs.

usage: run_controlled.py PROBLEMS.jsonl...

Reads problems as `distill run` writes them (problems.train.jsonl, ...) and runs prompt + reference + test
of each: with this Python, with javac and java, and with go, where they are on the search path. Programs of a
language are put into one, each under a name of its own. Says how many passed; exits with 1 if one did not.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path


def python(problems):
    for problem in problems:
        exec(problem["prompt"] + problem["reference"] + "\n" + problem["test"], {})


def java(problems):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        calls = []
        for at, problem in enumerate(problems):
            program = problem["prompt"] + problem["reference"] + "\n" + problem["test"]
            (folder / f"Main{at}.java").write_text(program.replace("class Main {", f"class Main{at} {{"))
            calls.append(f"        Main{at}.main(arguments);\n")
        # A method may not be longer than 64 KiB.
        parts = [calls[at : at + 500] for at in range(0, len(calls), 500)]
        for at, part in enumerate(parts):
            text = "class Part%d {\n    static void run(String[] arguments) {\n%s    }\n}\n"
            (folder / f"Part{at}.java").write_text(text % (at, "".join(part)))
        runs = "".join(f"        Part{at}.run(arguments);\n" for at in range(len(parts)))
        text = "class All {\n    public static void main(String[] arguments) {\n%s    }\n}\n"
        (folder / "All.java").write_text(text % runs)
        files = [str(path) for path in folder.glob("*.java")]
        (folder / "files").write_text("\n".join(files))
        subprocess.run(["javac", "-nowarn", "-d", str(folder), f"@{folder / 'files'}"], check=True)
        subprocess.run(["java", "-cp", str(folder), "All"], check=True)


def go(problems):
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        head = problems[0]["prompt"]
        check = re.search(r"func check.*?\n}\n", problems[0]["test"], re.S).group(0)
        text, calls = head + check, ""
        for at, problem in enumerate(problems):
            test = problem["test"].replace(check, "").replace("func main()", f"func main{at}()")
            both = problem["reference"] + "\n" + test
            text += both.replace("solve(", f"solve{at}(") + "\n"
            calls += f"\tmain{at}()\n"
        (folder / "main.go").write_text(text + "func main() {\n" + calls + "}\n")
        formatted = subprocess.run(
            ["gofmt", "-l", "main.go"], cwd=folder, check=True, capture_output=True, text=True
        )
        assert formatted.stdout == "" or len(problems) == 0, "not as gofmt writes it"
        subprocess.run(["go", "run", "main.go"], cwd=folder, check=True)


def main():
    problems = [json.loads(line) for name in sys.argv[1:] for line in open(name)]
    for language, run, needs in [("python", python, "python3"), ("java", java, "javac"), ("go", go, "go")]:
        here = [problem for problem in problems if problem["language"] == language]
        if shutil.which(needs) is None:
            print(f"{language}: no {needs}, {len(here)} programs not run")
        elif here:
            run(here)
            print(f"{language}: {len(here)} programs passed")


main()
