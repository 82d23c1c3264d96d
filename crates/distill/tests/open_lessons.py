"""Opens data sets that `distill lessons` wrote with the `datasets` library and compares row by row.

    python crates/distill/tests/open_lessons.py RUN JSONL_FOLDER [PARQUET_FOLDER]

RUN is the run's folder (for lessons.jsonl and problems.test.jsonl), the others are what
`distill lessons RUN --out …` wrote. Needs `pip install datasets`; tried with 5.2.0.
"""

import json
import sys
from pathlib import Path

import datasets


def records(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


run = Path(sys.argv[1])
lessons = {split: [] for split in ("train", "validation", "test")}
for lesson in records(run / "lessons.jsonl"):
    lessons["validation" if lesson["split"] == "valid" else "train"].append(lesson)
lessons["test"] = records(run / "problems.test.jsonl")

loaded = []
for folder in sys.argv[2:]:
    found = datasets.load_dataset(folder)
    loaded.append(found)
    assert set(found) == {split for split, rows in lessons.items() if rows}, found
    for split, rows in found.items():
        expected = lessons[split]
        assert rows["id"][:] == [lesson["id"] for lesson in expected], split
        assert rows["query"][:] == [lesson["query"] for lesson in expected], split
        for row, lesson in zip(rows, expected):
            assert row["pseudocode"] == lesson.get("pseudocode", []), lesson["id"]
            assert row["code"] == lesson.get("code", lesson.get("reference")), lesson["id"]
            assert row["teacher"] == lesson.get("teacher"), lesson["id"]
            assert row["prompt_tokens"] == lesson.get("prompt_tokens"), lesson["id"]
        dtypes = {name: str(feature) for name, feature in rows.features.items()}
        assert "string" in dtypes["query"] and "int64" in dtypes["prompt_tokens"], dtypes
        assert "float64" in dtypes["temperature"] and "ist" in dtypes["pseudocode"], dtypes
    print(f"{folder}: " + ", ".join(f"{split} {len(rows)}" for split, rows in found.items()))

for other in loaded[1:]:
    for split in loaded[0]:
        assert other[split].to_list() == loaded[0][split].to_list(), f"{split} differs by format"
print(f"equal, datasets {datasets.__version__}")
