"""Makes the corpus of this experiment from the Django pseudocode lines (Oda et al. 2015, MIT).

    python3 docs/evidence/django/make.py django_1_17000.jsonl runs/django.jsonl

Reads records {line, pseudo, code}; lines up to 15,000 train, up to 16,000 validate, up to 17,000 test.
(Published figures use the last 1,805 of 18,805 lines for testing.)
"""

import json
import pathlib
import sys

source, target = map(pathlib.Path, sys.argv[1:])
target.parent.mkdir(parents=True, exist_ok=True)
with open(source, encoding="utf-8") as lines, open(target, "w", encoding="utf-8") as out:
    for line in lines:
        record = json.loads(line)
        number = record["line"]
        partition = "train" if number <= 15000 else "valid" if number <= 16000 else "test"
        query, code = record["pseudo"].strip(), record["code"].strip()
        if query and code:
            record = {"id": f"django/{number}", "language": "python", "query": query, "reference": code, "partition": partition}
            out.write(json.dumps(record) + "\n")
